"""Which names a request may use for this server: a web page of another site must not reach it.

A page can make its own name resolve to 127.0.0.1 (DNS rebinding); the browser then sends that name
as `Host`. So a name is answered only if it is known to be ours. An IP address as `Host` is safe: it
is what the browser's user typed, and no page is loaded from it but ours.
"""

import ipaddress
import re
from dataclasses import dataclass

from agent.web.address import WebAddress

_HOST = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9_.-]{0,255}))(?::(?P<port>[0-9]{1,5}))?"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Host:
    """A name or IP address with its port, in one spelling."""

    name: str  # lower case, without the last dot
    port: int

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The address, where the name is one."""
        try:
            return ipaddress.ip_address(self.name)
        except ValueError:
            return None


def parse_host(text: str, scheme: str) -> Host | None:
    """Return the host of a `Host` header or of an origin; None for what is neither.

    `scheme`: http or https, whose port may be left out.
    """
    found = _HOST.fullmatch(text)
    if found is None:
        return None
    name = found["name"] or ""
    if found["ipv6"] is not None:
        try:
            name = str(ipaddress.IPv6Address(found["ipv6"]))
        except ValueError:
            return None
    port = int(found["port"]) if found["port"] else _DEFAULT_PORTS[scheme]
    return Host(name.lower().removesuffix("."), port)


def parse_origin(text: str) -> Host | None:
    """Return the host of an `Origin` header; None for `null` and for anything else."""
    scheme, separator, host = text.lower().partition("://")
    if not separator or scheme not in _DEFAULT_PORTS or not host:
        return None
    return parse_host(host, scheme)


@dataclass(frozen=True, slots=True)
class OwnHosts:
    """The names of one listening address."""

    port: int | None  # None: a unix socket, where ports mean nothing
    names: frozenset[str] = frozenset()
    takes_any_ip: bool = False  # beyond loopback: whichever this computer has

    @property
    def shown(self) -> str:
        """What a message lists."""
        if self.port is None:
            return "localhost, or any name without a dot"
        names = sorted(self.names, key=lambda name: (name != "localhost", name))
        shown = [f"[{name}]" if ":" in name else name for name in names]
        listed = ", ".join(f"{name}:{self.port}" for name in shown)
        return (
            f"{listed}, or an IP address with the port {self.port}" if self.takes_any_ip else listed
        )

    def has(self, host: Host) -> bool:
        """Whether a request for this host is meant for us."""
        ip = host.ip
        if self.port is None:  # no browser comes here, unless a proxy sends it
            return "." not in host.name or (ip is not None and ip.is_loopback)
        if host.port != self.port:
            return False
        return host.name in self.names or (self.takes_any_ip and ip is not None)


UNIX_HOSTS = OwnHosts(None)


def own_hosts(address: WebAddress, computer: str) -> OwnHosts:
    """Return the names of an address.

    `computer`: the computer's own name, as `gethostname` says.
    """
    if address.path:
        return UNIX_HOSTS
    names = {"localhost", "127.0.0.1", "::1"}
    own = Host(address.host, 0).ip
    names.add(str(own) if own is not None else address.host.removesuffix("."))
    if address.is_loopback:
        return OwnHosts(address.port, frozenset(names))
    names -= {"0.0.0.0", "::"}  # noqa: S104 (not to be listed: any address is allowed)
    computer = computer.lower().removesuffix(".")
    if computer:
        first = computer.partition(".")[0]
        names |= {computer, first, f"{first}.local"}
    return OwnHosts(address.port, frozenset(names), takes_any_ip=True)


def reached_at(address: WebAddress, computer: str) -> WebAddress:
    """Return the address for a browser: nothing is reached at 0.0.0.0 but from this computer."""
    is_any = address.host in {"0.0.0.0", "::"}  # noqa: S104 (compared, not bound)
    return WebAddress(host=computer, port=address.port) if is_any and computer else address
