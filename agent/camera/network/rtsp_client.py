"""Asks an RTSP camera for its streams: where they are, or why there are none.

FFmpeg reports most causes with one text, and follows a redirect to any host. So the camera is asked
first, with the requests that FFmpeg would send next.
"""

import re
import socket
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from urllib.parse import unquote, urlsplit

from agent import __version__
from agent.camera.causes import http_cause, no_connection, no_response, no_tls
from agent.camera.network.digest import Credentials
from agent.camera.network.http_client import unverified
from agent.camera.network.same_host import at_camera, joined, origin, quoted
from agent.errors import CameraLost
from agent.ports import Clock
from agent.printable import printable
from agent.redaction import redact_camera

_MOST_REDIRECTS = 5
_MOST_BYTES = 1_000_000  # of one response
_OK, _REDIRECTS, _CLIENT_ERRORS = 200, 300, 400
_UNAUTHORIZED, _UNSUPPORTED_TRANSPORT = 401, 461
_TRANSPORTS = ("RTP/AVP/TCP;unicast;interleaved=0-1", "RTP/AVP;unicast;client_port=50000-50001")
_CONTROL = re.compile(r"^m=video .*?^a=control:(\S+)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    headers: Message
    body: str


class RtspClient:
    """Requests to one RTSP camera."""

    def __init__(self, url: str, *, timeout: float, clock: Clock) -> None:
        """`timeout`: seconds for each of the methods."""
        self._url = url
        self._timeout = timeout
        self._clock = clock
        self._described: _Connection | None = None

    def describe(self) -> str:
        """Return the camera's address with its redirects followed, on its own host alone.

        The connection stays open until `close`: some cameras stop their encoder with the last
        connection, and refuse the next one until that is done.

        Raises:
            CameraLost: It does not describe a stream; the message has the cause.
        """
        try:
            return self._describe(self._url)
        except CameraLost:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection of `describe`."""
        if self._described is not None:
            self._described.close()
            self._described = None

    def setup_cause(self) -> str | None:
        """Return why the camera does not set up the stream that it described; None if it does.

        Raises:
            CameraLost: It gives no response.
        """
        with closing(_Connection(self._url, self._timeout, self._clock)) as connection:
            described = connection.request("DESCRIBE", {"Accept": "application/sdp"})
            base = described.headers.get("Content-Base", "").strip() or f"{connection.uri}/"
            control = _CONTROL.search(described.body)
            uri = joined(base, control[1]) if control else connection.uri
            for transport in _TRANSPORTS:
                response = connection.request("SETUP", {"Transport": transport}, uri=uri)
                if response.status < _REDIRECTS:
                    session = response.headers.get("Session", "").partition(";")[0]
                    connection.request("TEARDOWN", {"Session": session})
                    return None
                if response.status != _UNSUPPORTED_TRANSPORT:
                    break
            location = response.headers.get("Location", "")
            if _REDIRECTS <= response.status < _CLIENT_ERRORS and location:
                target = at_camera(joined(uri, location), self._url)
                return (
                    f"it refers to {printable(redact_camera(target))} as late as the stream is set "
                    "up, which is not followed. Write that address"
                )
            return http_cause(response.status, known=connection.known)

    def _describe(self, url: str) -> str:
        for _ in range(_MOST_REDIRECTS + 1):
            self.close()
            connection = self._described = _Connection(url, self._timeout, self._clock)
            response = connection.request("OPTIONS", {})
            if response.status // 100 != _REDIRECTS // 100:  # others are no obstacle
                response = connection.request("DESCRIBE", {"Accept": "application/sdp"})
            if response.status < _REDIRECTS:
                return url
            if response.status >= _CLIENT_ERRORS:
                raise CameraLost(http_cause(response.status, known=connection.known))
            url = self._redirected(joined(url, response.headers.get("Location", "")))
        raise CameraLost(f"it redirects more than {_MOST_REDIRECTS} times. Check the address")

    def _redirected(self, url: str) -> str:
        """Return the redirect's target with the credentials of the setting; raises `CameraLost`."""
        own, new = urlsplit(self._url), urlsplit(at_camera(url, self._url))
        credentials, _, _ = own.netloc.rpartition("@")
        host = new.netloc.rpartition("@")[2]
        return new._replace(netloc=f"{credentials}@{host}" if credentials else host).geturl()


class _Connection:
    """One connection; a request is repeated once with credentials if the camera asks for them."""

    def __init__(self, url: str, timeout: float, clock: Clock) -> None:
        parts = urlsplit(url)
        self._scheme, self._host, self._port = origin(url)
        self._timeout = timeout
        self._clock = clock
        self._deadline = clock.monotonic() + timeout
        self._sequence = 0
        self._authorized: Credentials | None = None
        self._challenges: list[str] = []
        self._buffer = b""
        self._credentials = None
        if parts.username is not None:
            self._credentials = Credentials(unquote(parts.username), unquote(parts.password or ""))
        self.known = self._credentials is not None
        self.uri = quoted(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl())
        try:
            self._socket = socket.create_connection((self._host, self._port), timeout)
        except (OSError, UnicodeError) as error:
            raise self._no_connection(error) from error
        if self._scheme == "rtsps":
            try:
                self._socket = unverified().wrap_socket(self._socket, server_hostname=self._host)
            except OSError as error:
                self._socket.close()
                reason = getattr(error, "reason", None) or printable(error)
                raise CameraLost(no_tls(self._scheme, self._host, self._port, reason)) from error

    def close(self) -> None:
        self._socket.close()

    def request(self, method: str, headers: dict[str, str], uri: str = "") -> _Response:
        """Send one request and return the response; raises `CameraLost` if there is none."""
        try:
            response = self._exchange(method, uri or self.uri, headers)
            if response.status == _UNAUTHORIZED and self._credentials and not self._challenges:
                self._challenges = response.headers.get_all("WWW-Authenticate") or []
                response = self._exchange(method, uri or self.uri, headers)
        except TimeoutError:
            raise CameraLost(no_response(self._host, self._port, self._timeout)) from None
        except OSError as error:
            raise self._no_connection(error) from error
        return response

    def _exchange(self, method: str, uri: str, headers: dict[str, str]) -> _Response:
        self._sequence += 1
        fields = {"CSeq": str(self._sequence), "User-Agent": f"capture-agent/{__version__}"}
        if self._credentials is not None and self._challenges:
            answer = self._credentials.answer(self._challenges, method=method, uri=uri)
            if answer is not None:
                fields["Authorization"] = answer
        lines = [f"{key}: {value}" for key, value in {**fields, **headers}.items()]
        text = "\r\n".join([f"{method} {uri} RTSP/1.0", *lines, "", ""])
        self._socket.settimeout(self._left())
        self._socket.sendall(text.encode())
        head, found, rest = self._received(b"\r\n\r\n")
        first, _, fields_text = head.partition(b"\r\n")
        status = re.match(rb"RTSP/[12]\.\d (\d{3})", first)
        if not found or status is None:
            raise CameraLost(self._not_rtsp(first))
        parsed = BytesHeaderParser().parsebytes(fields_text)
        length = parsed.get("Content-Length", "0").strip()
        size = int(length) if re.fullmatch(r"[0-9]{1,6}", length) else 0
        body = self._whole(rest, size)
        return _Response(int(status[1]), parsed, body.decode("utf-8", "replace"))

    def _received(self, end: bytes) -> tuple[bytes, bytes, bytes]:
        data, self._buffer = self._buffer, b""
        while end not in data and len(data) < _MOST_BYTES:
            some = self._some()
            if not some:
                break
            data += some
            if not b"RTSP/".startswith(data[:5]):
                break  # another protocol may never send an empty line
        return data.partition(end)

    def _whole(self, data: bytes, size: int) -> bytes:
        while len(data) < size:
            some = self._some()
            if not some:
                break
            data += some
        self._buffer = data[size:]
        return data[:size]

    def _some(self) -> bytes:
        self._socket.settimeout(self._left())
        return self._socket.recv(65536)

    def _left(self) -> float:
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _not_rtsp(self, first: bytes) -> str:
        place = f"port {self._port} of {printable(self._host)}"
        if first.lower().startswith((b"http/", b"<!doctype html", b"<html")):
            return f"{place} speaks HTTP. Write http:// instead of {self._scheme}://"
        if not first:
            return (
                f"{place} closes the connection without a response. Check scheme and port, or "
                "restart the camera"
            )
        if first[:1] in {b"\x15", b"\x16"}:
            return f"{place} speaks TLS. Write rtsps:// instead of {self._scheme}://"
        return (
            f"{place} does not speak RTSP: {printable(first.decode('latin-1'), 60)}. Check "
            "scheme and port"
        )

    def _no_connection(self, error: BaseException) -> CameraLost:
        return CameraLost(no_connection(error, self._scheme, self._host, self._port))
