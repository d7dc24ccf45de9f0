"""GET requests to a camera that go to the host of its address and to no other."""

import http.client
import ssl
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import unquote, urlsplit

from agent import __version__
from agent.camera.causes import http_cause, no_connection
from agent.camera.network.digest import Credentials
from agent.camera.network.same_host import at_camera, joined, origin, quoted
from agent.errors import CameraLost
from agent.ports import Clock
from agent.printable import printable

_CHUNK = 65536
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_UNAUTHORIZED = 401
_MOST_ERROR_BYTES = 65536
_NOT_MODIFIED = 304
_OK = 200


class Body:
    """The bytes of a response, as they arrive."""

    def __init__(self, response: http.client.HTTPResponse, sock: Any, clock: Clock) -> None:
        self._response = response
        self._socket = sock
        self._clock = clock
        self._buffer = b""
        self._deadline = 0.0
        self._ended = False

    def allow(self, seconds: float) -> None:
        """Let the following reads take so long in all, however slowly the bytes arrive."""
        self._deadline = self._clock.monotonic() + seconds

    def some(self) -> bytes:
        """Return at least one byte, or `b""` at the end.

        Raises:
            OSError: The connection failed, or the time is over.
        """
        if self._buffer:
            data, self._buffer = self._buffer, b""
            return data
        if self._ended:
            return b""
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)
        try:
            data = self._response.read1(_CHUNK)
        except (http.client.HTTPException, ValueError) as error:  # a chunk without a size
            raise ConnectionError(f"an invalid response: {printable(str(error))}") from error
        if not data:
            self._ended = True
            self._response.close()  # the connection can take the next request
        return data

    def at_most(self, size: int) -> bytes:
        """Return 1 to `size` bytes, or `b""` at the end; raises as `some`."""
        data = self.some()
        self._buffer = data[size:]
        return data[:size]

    def peek(self, size: int) -> bytes:
        """Return the next bytes, `size` of them if there are so many, without taking them."""
        data = b""
        while len(data) < size:
            some = self.some()
            if not some:
                break
            data += some
        self._buffer = data
        return data[:size]

    def exactly(self, size: int) -> bytes:
        """Return `size` bytes.

        Raises:
            OSError: The connection failed or ended, or the time is over.
        """
        parts = bytearray()
        while len(parts) < size:
            some = self.some()
            if not some:
                raise ConnectionError("the response ended in the middle")
            parts += some
        self._buffer = bytes(parts[size:])
        return bytes(parts[:size])

    def until(self, delimiter: bytes, limit: int) -> bytes | None:
        """Return the bytes before `delimiter` and drop both; None at the end of the response.

        Raises:
            OSError: As `exactly`, or there are more than `limit` bytes.
        """
        data = bytearray()
        while True:
            searched = max(0, len(data) - len(delimiter))
            some = self.some()
            if not some:
                return None
            data += some
            at = data.find(delimiter, searched)
            if at > limit or (at < 0 and len(data) > limit):
                raise ConnectionError(f"more than {limit} bytes without a boundary")
            if at >= 0:
                self._buffer = bytes(data[at + len(delimiter) :])
                return bytes(data[:at])

    def rest(self, limit: int) -> bytes:
        """Return all that is left.

        Raises:
            OSError: As `some`, or there are more than `limit` bytes.
        """
        data = bytearray()
        while some := self.some():
            data += some
            if len(data) > limit:
                raise ConnectionError(f"more than {limit} bytes")
        return bytes(data)


@dataclass(frozen=True, slots=True)
class Response:
    """A response with status 200 or 304."""

    url: str = field(repr=False)  # after redirects
    changed: bool  # False for 304
    headers: Message
    body: Body

    @property
    def media_type(self) -> str:
        """The media type without parameters, in lower case."""
        return self.headers.get_content_type() if "Content-Type" in self.headers else ""


class HttpClient:
    """Requests to one camera, over one connection that is kept if the camera keeps it.

    The certificate of a camera is not verified: nearly all are self-signed. No proxy is used.
    """

    def __init__(self, url: str, *, timeout: float, clock: Clock) -> None:
        """`timeout`: seconds for a connection, and for the header of a response."""
        self._url = url
        self._timeout = timeout
        self._clock = clock
        self._connection: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None
        self._origin = ("", "", 0)  # of the connection
        parts = urlsplit(url)
        self._credentials = None
        self._challenges: list[str] = []  # of the latest response with status 401
        if parts.username is not None:
            self._credentials = Credentials(unquote(parts.username), unquote(parts.password or ""))

    def get(self, url: str = "", headers: dict[str, str] | None = None) -> Response:
        """Request `url`, or the camera's own address.

        Raises:
            CameraLost: There is no response of status 200 or 304; the message has the cause.
        """
        target = url or self._url
        for _ in range(_MOST_REDIRECTS + 1):
            response, body = self._answer(target, headers or {})
            if response.status in {_OK, _NOT_MODIFIED}:
                return Response(target, response.status == _OK, response.headers, body)
            if response.status not in _REDIRECTS:
                raise CameraLost(http_cause(response.status, known=self._credentials is not None))
            target = self.allowed(joined(target, response.headers.get("Location", "")))
            self.close()
        raise CameraLost(f"it redirects more than {_MOST_REDIRECTS} times. Check the address")

    @property
    def is_open(self) -> bool:
        """Whether a connection is open."""
        return self._connection is not None

    def beside(self) -> "HttpClient":
        """Return a client of the same camera with its own connection."""
        return HttpClient(self._url, timeout=self._timeout, clock=self._clock)

    def allowed(self, url: str) -> str:
        """Return `url`, which the camera gave; raises `CameraLost` if it is elsewhere."""
        return at_camera(url, self._url)

    def close(self) -> None:
        """Close the connection."""
        if self._response is not None:
            self._response.close()
            self._response = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _answer(self, url: str, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, Body]:
        """Send the request, a second time with credentials if the camera asks for them."""
        response, body = self._send(url, {**headers, **self._authorization(url)})
        if response.status == _UNAUTHORIZED and self._credentials is not None:
            self._challenges = response.headers.get_all("WWW-Authenticate") or []
            authorization = self._authorization(url)
            if authorization:
                try:
                    body.rest(_MOST_ERROR_BYTES)  # then the connection takes the next request
                except OSError:
                    self.close()
                response, body = self._send(url, {**headers, **authorization})
        return response, body

    def _authorization(self, url: str) -> dict[str, str]:
        """Return the header that answers the camera's latest challenge, if there was one."""
        if self._credentials is None or not self._challenges:
            return {}
        answer = self._credentials.answer(self._challenges, method="GET", uri=_target(url))
        return {} if answer is None else {"Authorization": answer}

    def _send(self, url: str, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, Body]:
        scheme, host, port = origin(url)
        kept = self._connection is not None and self._origin == (scheme, host, port)
        try:
            return self._exchange(url, headers)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            self.close()
            if not kept or isinstance(error, TimeoutError):
                raise CameraLost(no_connection(error, scheme, host, port)) from error
        try:  # the camera had closed the connection that was kept
            return self._exchange(url, headers)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            self.close()
            raise CameraLost(no_connection(error, scheme, host, port)) from error

    def _exchange(self, url: str, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, Body]:
        place = origin(url)
        if self._connection is None or self._origin != place:
            self.close()
            self._connection, self._origin = _connect(*place, timeout=self._timeout), place
        connection = self._connection
        if connection.sock is None:
            connection.connect()
        sock = connection.sock
        sock.settimeout(self._timeout)
        connection.request(
            "GET",
            _target(url),
            headers={"User-Agent": f"capture-agent/{__version__}", "Accept": "*/*", **headers},
        )
        response = self._response = connection.getresponse()
        body = Body(response, sock, self._clock)
        body.allow(self._timeout)
        return response, body


def _target(url: str) -> str:
    parts = urlsplit(url)
    path = parts.path or "/"
    return quoted(f"{path}?{parts.query}" if parts.query else path)


def _connect(scheme: str, host: str, port: int, *, timeout: float) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout)
    return http.client.HTTPSConnection(host, port, timeout=timeout, context=unverified())


def unverified() -> ssl.SSLContext:
    """Return TLS without verification, with the old ciphers of cameras."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context
