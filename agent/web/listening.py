"""Opens the socket of a server, and says what is wrong with its address."""

import contextlib
import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from agent.errors import ConfigurationError
from agent.web.address import WebAddress

MODE = 0o660
"""Of the unix socket: its owner and its group may connect."""

BACKLOG = 128
"""Connections that the kernel keeps until they are accepted."""

_IP_FREEBIND = 15  # ip(7); the socket module does not name it
_PRIVILEGED = 1024
_PROBE_S = 1.0
_DEAD_S = 20  # without an acknowledgement the peer counts as dead
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 2))


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket that is bound."""

    socket: socket.socket
    path: Path | None = None
    inode: int = 0  # of the path
    warning: str = ""

    def remove(self) -> None:
        """Close it, and remove its path if that is still ours."""
        self.socket.close()
        if self.path is None:
            return
        with contextlib.suppress(OSError):
            if self.path.lstat().st_ino == self.inode:
                self.path.unlink()


class _Refused(Exception):
    """The address cannot be used; the text says why, and the fix."""


def listen_at(address: WebAddress, *, setting: str = "AGENT_API") -> Listening:
    """Return a socket that listens. Raises `ConfigurationError`, which names the setting."""
    try:
        return _unix(Path(address.path)) if address.path else _tcp(address)
    except OSError as error:
        why = reason_of(address, error)
    except _Refused as refused:
        why = str(refused)
    raise ConfigurationError(f"{setting}: cannot listen on {address}: {why}")


def _unix(path: Path) -> Listening:
    _make_room(path)
    bound = socket.socket(socket.AF_UNIX)
    try:
        # The file never has a wider mode, not even for a moment; the umask may have narrowed it.
        os.fchmod(bound.fileno(), MODE)
        bound.bind(str(path))
        path.chmod(MODE)
        bound.listen(BACKLOG)
        return Listening(bound, path, path.lstat().st_ino)
    except OSError:
        bound.close()
        raise


def _make_room(path: Path) -> None:
    """Remove the socket that a killed daemon left. Raises `_Refused` for all else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise _Refused(f"{path} is a folder; name a socket in it, such as {path / 'api.sock'}")
    if not stat.S_ISSOCK(mode):
        raise _Refused("there is a file that is no socket; remove it, or choose another path")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_PROBE_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError:  # it is busy, or of another user: somebody's it is
            pass
    raise _Refused("another program listens there; stop it, or choose another path")


def _tcp(address: WebAddress) -> Listening:
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise _Refused(
            f"the name {address.host} has no address ({error.strerror}); use an IP address of this "
            "computer, or 0.0.0.0 for all",
        ) from None
    family, kind, protocol, _, place = found[0]
    bound = socket.socket(family, kind, protocol)
    warning = ""
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_S * 1000)
        for option, value in _KEEPALIVE:
            bound.setsockopt(socket.IPPROTO_TCP, option, value)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address.host != "::"))
        try:
            bound.bind(place)
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
            # At a boot the address may come later than the agent.
            bound.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
            bound.bind(place)
            warning = f"no network interface has the address {place[0]} yet"
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    return Listening(bound, warning=warning)


def reason_of(address: WebAddress, error: OSError) -> str:
    """Say what is wrong, and the fix."""
    reasons = _of_path(Path(address.path).parent) if address.path else _of_port(address.port)
    return reasons.get(error.errno or 0, f"{error.strerror}; choose another address")


def _of_path(folder: Path) -> dict[int, str]:
    closed = (
        f"this user may not write into the folder {folder}; choose another, such as "
        "/run/capture-agent, which the service has"
    )
    return {
        errno.ENOENT: f"the folder {folder} does not exist; create it, or use "
        "/run/capture-agent/api.sock, whose folder the service has",
        errno.ENOTDIR: f"{folder} is no folder; choose another path",
        errno.EACCES: closed,
        errno.EPERM: closed,
        errno.EROFS: f"the folder {folder} is read-only for the agent; use "
        "/run/capture-agent/api.sock",
    }


def _of_port(port: int) -> dict[int, str]:
    reasons = {
        errno.EADDRINUSE: "another program uses the port (ss -ltnp names it); stop it, or choose "
        "another port",
        errno.EAFNOSUPPORT: "this computer has no IPv6; use an IPv4 address such as 127.0.0.1",
    }
    if port < _PRIVILEGED:
        reasons[errno.EACCES] = (
            f"ports below {_PRIVILEGED} are for root; choose one above, such as 8787"
        )
    return reasons
