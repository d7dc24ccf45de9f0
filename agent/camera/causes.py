"""Why a camera at an address gives no video, and how to fix it: one text for each cause. Pure."""

import http.client
import socket
import ssl

from agent.printable import printable

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_NOT_ENOUGH_BANDWIDTH, _UNSUPPORTED_TRANSPORT = 453, 461
_UNAVAILABLE = 503
_SERVER_ERRORS = 500

_STATUS = {
    _FORBIDDEN: "it forbids access (status 403). Give this user the right to view, or allow the "
    "address of this computer in the camera's settings",
    _NOT_FOUND: "it has nothing at this path (status 404). Look up the path in the camera's "
    "manual; it differs by maker and by stream",
    _NOT_ENOUGH_BANDWIDTH: "it serves no more viewers (status 453, not enough bandwidth). Close "
    "another player or recorder, or use its second stream",
    _UNSUPPORTED_TRANSPORT: "it offers its stream neither over TCP nor over UDP (status 461, "
    "unsupported transport). Switch on RTP over RTSP or unicast in the camera's settings",
    _UNAVAILABLE: "it is busy or has no video now (status 503). Close other viewers, or restart it",
}


def http_cause(status: int, *, known: bool) -> str:
    """Explain a status of HTTP or RTSP that is not a success.

    Args:
        status: The status code of the response.
        known: Whether the address has a user and a password.
    """
    if status == _UNAUTHORIZED and known:
        return (
            "it refuses user and password (status 401). Check both, and write special characters "
            "of a password as %XX; many cameras lock a user for minutes after a few wrong ones"
        )
    if status == _UNAUTHORIZED:
        return (
            "it asks for user and password (status 401). Write them into the address, before the "
            "host: USER:PASSWORD@"
        )
    if status in _STATUS:
        return _STATUS[status]
    if status >= _SERVER_ERRORS:
        return f"it reports an error of its own (status {status}). Restart it"
    return f"it refuses the request (status {status}). Check the address"


def no_connection(error: BaseException, scheme: str, host: str, port: int) -> str:
    """Explain why the request to `host` got no response.

    Args:
        error: What connecting, sending or receiving raised.
        scheme: Of the address: "rtsp", "rtsps", "http" or "https".
        host: The name or the IP address of the camera.
        port: The TCP port.
    """
    host = printable(host)
    return (
        _wrong_address(error, scheme, host, port)
        or _wrong_protocol(error, scheme, host, port)
        or f"{host}, port {port}: {_reason(error)}"
    )


def no_tls(scheme: str, host: str, port: int, reason: str) -> str:
    """Explain a peer that accepts the connection, but with which TLS fails."""
    return (
        f"port {port} of {printable(host)} does not speak TLS as expected ({printable(reason)}). "
        f"Write {scheme.removesuffix('s')}:// instead of {scheme}://, or the port of its service "
        "with TLS"
    )


def no_response(host: str, port: int, seconds: float) -> str:
    """Explain a peer that accepts the connection and then sends nothing."""
    return (
        f"{printable(host)} accepts connections at port {port}, but does not respond within "
        f"{seconds:g} s. Restart the camera; if that does not help, check scheme and port"
    )


def _wrong_address(error: BaseException, scheme: str, host: str, port: int) -> str | None:
    if isinstance(error, socket.gaierror):
        return (
            f"the name {host} is unknown ({printable(error.strerror or 'no address')}). Check its "
            "spelling and the DNS server, or write the IP address"
        )
    if isinstance(error, UnicodeError):
        return f"{host!r} is not a valid host name. Check its spelling"
    if isinstance(error, ConnectionRefusedError):
        return (
            f"{host} refuses connections at port {port} (Connection refused). Check host and "
            f"port, and switch on {scheme.upper()} in the camera's settings"
        )
    return None


def _wrong_protocol(error: BaseException, scheme: str, host: str, port: int) -> str | None:
    place = f"port {port} of {host}"
    if isinstance(error, ssl.SSLError):
        return no_tls(scheme, host, port, error.reason or str(error))
    if isinstance(error, http.client.BadStatusLine):
        if str(error).startswith("RTSP/"):
            return f"{place} speaks RTSP. Write rtsp:// instead of {scheme}://"
        if str(error)[:1] in {"\x15", "\x16"}:
            return f"{place} speaks TLS. Write {scheme}s:// instead of {scheme}://"
    if isinstance(error, http.client.HTTPException) and not isinstance(error, ConnectionError):
        text = printable(str(error) or type(error).__name__, 60)
        return f"{place} does not speak {scheme.upper()}: {text}. Check scheme and port"
    return None


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it does not respond. Check its power, cable and address"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "it closes the connection without a response. Check scheme and port, or restart it"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{printable(text)}. Check host and port"
