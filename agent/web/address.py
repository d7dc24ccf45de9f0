"""Parses AGENT_API."""

import ipaddress
import re
from dataclasses import dataclass

from agent.path_text import path_problem
from agent.printable import printable

ALLOWED = "off, unix:/PATH, or HOST:PORT such as 127.0.0.1:8787 or [::1]:8787"

_SCHEME = "unix:"
_LONGEST_PATH = 107
"""Bytes of the longest path of a socket that Linux takes: see unix(7)."""

_HOST_PORT = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)):"
    r"(?P<port>[0-9]{1,5})"
)
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class WebAddress:
    """Where the API listens: a path, or a host and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this computer reach it."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.path:
            return _SCHEME + self.path
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_api(text: str) -> WebAddress:
    """Parse an address; raises `ValueError` with a message that names it."""
    shown = printable(text)
    if text.startswith(_SCHEME):
        path = text.removeprefix(_SCHEME)
        path = path.removeprefix("//")
        problem = path_problem(path)
        if problem is None and not path.startswith("/"):
            problem = "the path must begin with /"
        if problem is None and len(path.encode()) > _LONGEST_PATH:
            problem = f"a socket's path has at most {_LONGEST_PATH} bytes"
        if problem is not None:
            raise ValueError(f"cannot use '{shown}': {problem}")
        return WebAddress(path=path)
    found = _HOST_PORT.fullmatch(text)
    if found is None:
        raise ValueError(f"cannot use '{shown}': allowed are {ALLOWED}")
    port = int(found["port"])
    if not 1 <= port <= _HIGHEST_PORT:
        raise ValueError(f"cannot use '{shown}': the port must be between 1 and {_HIGHEST_PORT}")
    if found["ipv6"]:
        try:
            ipaddress.IPv6Address(found["ipv6"])
        except ValueError:
            raise ValueError(
                f"cannot use '{shown}': [{found['ipv6']}] is no IPv6 address"
            ) from None
    return WebAddress(host=found["ipv6"] or found["host"].lower(), port=port)
