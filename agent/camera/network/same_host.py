"""Whether an address that a camera gives is at the camera itself. Pure."""

from urllib.parse import quote, urljoin, urlsplit

from agent.errors import CameraLost
from agent.printable import printable

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_SECURE = {"rtsp": "rtsps", "rtsps": "rtsps", "http": "https", "https": "https"}


_KEPT = "/?#[]@!$&'()*+,;=:%~"
"""Characters that have a meaning in an address, or are quoted already."""


def quoted(text: str) -> str:
    """Return a path, query or address in ASCII without blanks, as a request line needs it."""
    return quote(text, safe=_KEPT)


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of the address of a stream.

    Raises:
        ValueError: It is not one, or its scheme is not one of cameras.
    """
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(url)
    return parts.scheme, parts.hostname.rstrip("."), parts.port or DEFAULT_PORTS[parts.scheme]


def joined(base: str, location: str) -> str:
    """Return the address that `location` is when `base` refers to it; `CameraLost` if none."""
    try:
        return urljoin(base, location)
    except ValueError:
        raise CameraLost(
            f"it refers to {_without_user(location)}, which is not followed: it is no address"
        ) from None


def at_camera(url: str, own: str) -> str:
    """Return `url`, which the camera at `own` gave, if it is at the same host.

    A redirect or a playlist must not make this computer ask others: what it can reach, the camera
    may not. Another port is another service, unless it is the camera's own over TLS.

    Raises:
        CameraLost: It is elsewhere.
    """
    scheme, host, port = origin(own)
    try:
        new = origin(url)
    except ValueError:
        raise CameraLost(
            f"it refers to {_without_user(url)}, which is not followed: it is not an address of "
            f"{scheme}"
        ) from None
    if new != (scheme, host, port) and new[:2] != (_SECURE[scheme], host):
        place = printable(f"{new[0]}://{new[1]}:{new[2]}")
        raise CameraLost(
            f"it refers to another place, {place}, which is not followed: AGENT_CAMERAS names "
            f"only {scheme}://{host}:{port}. If {place} is right, write that address"
        )
    return url


def _without_user(url: str) -> str:
    return printable(url.rpartition("@")[2], 60)
