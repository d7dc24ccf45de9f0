"""Parses AGENT_MQTT_URL."""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from agent.path_text import path_problem
from agent.printable import printable
from agent.redaction import redact_endpoint

ALLOWED = "mqtt://[USER:PASSWORD@]HOST[:PORT][/PREFIX], or mqtts:// for TLS"
OPTIONS = ("ca", "cert", "discovery")
"""What may stand behind the `?`."""

DEFAULT_PREFIX = "capture-agent"
DEFAULT_DISCOVERY = "homeassistant"

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_HIGHEST_PORT = 65535
_TEXT_MAX = 65535
"""Bytes of the longest text in a packet, such as a user name: see MQTT 3.1.1, 1.5.3."""

_PREFIX_MAX = 200  # characters; leaves room for the levels behind it
_HOST = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\.?))"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_ENCODE = "write each of / ? # @ : % in a user or password percent-encoded, such as %2F for /"
_PLAIN_USER = re.compile(
    "(?i)(?:capture-agent|agent|admin|user|guest|device|client|camera|mqtt|mosquitto|homeassistant)"
    r"(?:[-_]?\d{1,3})?"
)
"""Names of users that would make every message unreadable where they are masked."""

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """A broker, and the topics that this device uses there."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    prefix: str = DEFAULT_PREFIX
    discovery: str | None = DEFAULT_DISCOVERY  # of Home Assistant; None: off
    ca: str = ""  # PEM file of the authorities that are trusted; empty: those of the system
    cert: str = ""  # PEM file with the device's own certificate and its key

    @property
    def shown(self) -> str:
        """The address without secrets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def secrets(self) -> Iterator[str]:
        """Yield what must not be shown: a user without a password may be a token."""
        if self.password:
            yield self.password
        elif self.user and not _PLAIN_USER.fullmatch(self.user):
            yield self.user


def parse_mqtt(text: str) -> MqttAddress:
    """Parse an address.

    Raises `ValueError` with a message that names it, without secrets, and that the masking of
    secrets in messages leaves whole.
    """
    try:
        return _parse(text)
    except _Wrong as wrong:
        raise ValueError(f"cannot use '{printable(redact_endpoint(text))}': {wrong}") from None


class _Wrong(Exception):
    """What is wrong with the address; the text holds no secret."""


def _parse(text: str) -> MqttAddress:
    scheme, separator, rest = text.partition("://")
    tls = scheme.lower() == "mqtts"
    if not separator or scheme.lower() not in _PORTS:
        raise _Wrong("write mqtt://HOST, or mqtts://HOST for TLS")
    if "#" in rest:
        raise _Wrong(f"it contains a #; {_ENCODE}")
    before, _, query = rest.partition("?")
    login, at, place = before.rpartition("@")
    if "@" in login or "/" in login:
        raise _Wrong(f"more than one @, or a / before it; {_ENCODE}")
    if "@" in query:
        raise _Wrong(f"the ? ends the address; {_ENCODE}")
    host_port, _, path = place.partition("/")
    host, port = _host_port(host_port)
    user, password = _login(login) if at else (None, None)
    options = _options(query, tls=tls)
    discovery: str | None = _topic(options.get("discovery", DEFAULT_DISCOVERY), "discovery=")
    return MqttAddress(
        host=host,
        port=_PORTS[scheme.lower()] if port is None else port,
        tls=tls,
        user=user,
        password=password,
        prefix=_topic(path.removesuffix("/"), "the prefix") if path.strip("/") else DEFAULT_PREFIX,
        discovery=None if discovery == "off" else discovery,
        ca=_file(options, "ca"),
        cert=_file(options, "cert"),
    )


def _host_port(text: str) -> tuple[str, int | None]:
    found = _HOST.fullmatch(text)
    if found is None:
        raise _Wrong(
            f"between {ALLOWED.partition('[')[0]} and the path must be HOST or HOST:PORT, such as "
            f"10.0.0.2 or [fd00::1]:1883; {_ENCODE}"
        )
    if found["ipv6"]:
        try:
            ipaddress.IPv6Address(found["ipv6"])
        except ValueError:
            raise _Wrong(f"[{found['ipv6']}] is no IPv6 address") from None
    port = None if found["port"] is None else int(found["port"])
    if port is not None and not 1 <= port <= _HIGHEST_PORT:
        raise _Wrong(f"the port must be between 1 and {_HIGHEST_PORT}")
    return found["ipv6"] or found["host"].lower(), port


def _login(text: str) -> tuple[str | None, str | None]:
    user, colon, password = text.partition(":")
    if ":" in password:
        raise _Wrong(f"more than one : before the @; {_ENCODE}")
    if colon and not user:
        raise _Wrong("a password needs a user before it; write USER and : before the password")
    if not user:
        raise _Wrong("nothing stands before the @; remove it, or write USER:PASSWORD before it")
    return _decoded(user, "the user"), _decoded(password, "the password") if colon else None


def _decoded(text: str, what: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise _Wrong(f"{what} has a % that begins no escape; {_ENCODE}")
    try:
        decoded = unquote(text, errors="strict")
        length = len(decoded.encode())
    except ValueError:
        raise _Wrong(f"{what} is not UTF-8") from None
    if "\0" in decoded or length > _TEXT_MAX:
        raise _Wrong(f"{what} has a zero byte, or more than {_TEXT_MAX} bytes")
    return decoded


def _topic(text: str, what: str) -> str:
    """Return the first levels of topics."""
    topic = _decoded(text, what)
    wrong = (
        "must not begin with $, which brokers keep for themselves"
        if topic.startswith("$")
        else "must not contain + or #, which stand for any topic"
        if {"+", "#"} & set(topic)
        else "has an empty level"
        if not all(topic.split("/"))
        else "has characters that cannot be shown"
        if not topic.isprintable()
        else f"has more than {_PREFIX_MAX} characters"
        if len(topic) > _PREFIX_MAX
        else ""
    )
    if wrong:
        raise _Wrong(f"{what} {wrong}")
    return topic


def _options(query: str, *, tls: bool) -> dict[str, str]:
    options: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if name not in OPTIONS or not equals or not value:
            allowed = ", ".join(f"{each}=..." for each in OPTIONS)
            shown = printable(name, 20) if re.fullmatch(r"[a-z_-]{1,20}", name) else "an option"
            raise _Wrong(f"{shown} is unknown or has no value; allowed behind the ? are {allowed}")
        if name in options:
            raise _Wrong(f"{name}= is there twice")
        if name != "discovery" and not tls:
            raise _Wrong(f"{name}= needs TLS; write mqtts://")
        options[name] = value
    return options


def _file(options: dict[str, str], name: str) -> str:
    if name not in options:
        return ""
    path = _decoded(options[name], f"{name}=")
    problem = path_problem(path)
    if problem is None and not path.startswith("/"):
        problem = "the path must begin with /"
    if problem is not None:
        raise _Wrong(f"{name}=: {problem}")
    return path
