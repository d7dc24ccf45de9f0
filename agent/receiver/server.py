"""The HTTP server of the receiver: which requests it accepts, and how it responds.

POST of a capture; PUT of a device's status to `/devices/ID`, the id percent-encoded; GET, also of
the fleet view.

Each request gets a response, also one that nothing here expects. Connections are limited, in all
and for each address, and the head of a request and its body have a deadline: see `connections`.
"""

import hashlib
import hmac
import json
import socket
import socketserver
import sys
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import unquote

from agent import __version__
from agent.errors import DamagedDataset, UnfitCapture
from agent.files import is_disk_full
from agent.printable import printable
from agent.receiver.connections import Connection, Connections
from agent.receiver.fleet_view import PATHS as VIEW_PATHS
from agent.receiver.fleet_view import View
from agent.receiver.multipart_parser import Body, FormError, read_form
from agent.receiver.new_devices import DeviceNotAdmitted
from agent.record.device_status import READ_MAX
from agent.web.access import Headers, Refusal

PATHS = ("/captures", "/")
"""Paths that accept captures; the first one is shown to the user."""

DEVICE_PATH = "/devices/"
"""Below it, each device has the address of its status."""

_TIMEOUT = 30.0  # seconds without a byte until a connection is closed
_SKIPPED_MAX = 256 * 1024 * 1024  # bytes of an oversized request that are read past
_LENGTH_DIGITS = 18  # of a Content-Length
_BODY_S = 60.0  # seconds that a body may take, and more for its length
_RATE_MIN = 1000.0  # bytes per second of a slow sender
_SKIP_S = 30.0  # seconds that the body of a refused request is read past
_AGAIN_S = 900  # until a device that is not admitted asks again
_PARTS = frozenset({"image", "record"})
_OF_PAGES = ("Origin", "Sec-Fetch-Site")  # browsers send them with what a page asks; devices do not
_OPTIONAL_PARTS = frozenset({"clip"})
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)


class CaptureSink(Protocol):
    """What the server stores captures in."""

    token: str | None
    body_max: int
    log: Callable[[str], None] | None

    @property
    def captures(self) -> int:
        """Return the number of captures in the dataset."""

    def store(
        self, record: Mapping[str, Any], record_json: bytes, image: bytes, clip: bytes
    ) -> bool:
        """Store one capture; return True if it is new. Raises what `Dataset.store` raises.

        `clip` is empty for a capture without one.
        """

    def store_status(self, device: str, status: bytes, address: str) -> bool:
        """Store the status of the device that its address names; True if it is its first.

        Raises what `DeviceFolder.receive` raises, and `DeviceNotAdmitted`.
        """

    def view_refusal(self, method: str, target: str, headers: Headers) -> Refusal | None:
        """Return why the fleet view is not shown; None if it may be."""

    def view(self, path: str, accepted: str) -> View:
        """Return the fleet view at one of its paths. Raises `OSError`."""

    def refused(self, address: str, status: int, reason: str) -> None:
        """Tell that a request was refused."""


class Server(ThreadingHTTPServer):
    """An HTTP server whose threads `server_close` waits for, and whose connections can be ended."""

    daemon_threads = False
    block_on_close = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], sink: CaptureSink) -> None:
        self.sink = sink
        self.connections = Connections()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without a DNS lookup of the host name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a new connection in a thread of its own, if there is room for it."""
        if self.connections.add(request, str(client_address[0])):
            super().process_request(request, client_address)
            return
        self.sink.refused(str(client_address[0]), 503, "too many connections at once")
        try:
            request.settimeout(0)
            request.send(_TOO_MANY)
        except OSError:
            pass  # it is not there any more
        self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection that its thread has finished with."""
        self.connections.remove(request)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End connections whose time is over; called about every 0.05 s."""
        self.connections.end_late()

    def end_connections(self) -> None:
        """Shut down reading on every connection, so that its thread ends."""
        self.connections.end_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an exception, unless it is a lost connection."""
        del request
        error = sys.exception()
        if not isinstance(error, OSError):
            self.sink.refused(str(client_address[0]), 500, f"a bug: {type(error).__name__}")


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = f"edge-capture-agent/{__version__}"
    sys_version = ""
    timeout = _TIMEOUT
    wbufsize = -1  # headers and body of a response in one packet
    disable_nagle_algorithm = True

    def __init__(self, request: Any, client_address: Any, server: Server) -> None:
        self.sink: CaptureSink = server.sink
        self._connection: Connection = server.connections.of(request)
        self._is_answered = False
        super().__init__(request, client_address, server)

    def handle_one_request(self) -> None:
        self._connection.waits()
        self._is_answered = False
        super().handle_one_request()

    def handle_expect_100(self) -> bool:
        """Let the client send its body now; unflushed, it would wait for this until it gives up."""
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def do_GET(self) -> None:
        self._guarded(self._get)

    def do_POST(self) -> None:
        self._guarded(self._post)

    def do_PUT(self) -> None:
        if self.path.startswith(DEVICE_PATH):
            self._guarded(self._put)
        else:
            self.close_connection = True  # its body was not read
            self._refuse(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"a status is taken by PUT at {DEVICE_PATH}ID, a capture by POST at {PATHS[0]}",
                {"Allow": "GET, POST"},
            )

    def _guarded(self, respond: Callable[[], None]) -> None:
        """Respond; to a request that nothing here expects, that it cannot be taken."""
        self._connection.works(_SKIP_S)
        try:
            respond()
        except OSError:
            raise  # the connection is lost
        except Exception as error:  # noqa: BLE001 (without a response the sender repeats it for ever)
            self.close_connection = True
            if not self._is_answered:
                reason = f"cannot take this request: {type(error).__name__}: {printable(error)}"
                self._refuse(HTTPStatus.BAD_REQUEST, reason)

    def _get(self) -> None:
        path = self.path.partition("?")[0]
        if path in VIEW_PATHS:
            self._view(path)
        elif self._is_allowed(Body(self._read, 0), PATHS):
            about = {"service": "edge-capture-agent receiver", "captures": self.sink.captures}
            self._answer(HTTPStatus.OK, about)

    def _view(self, path: str) -> None:
        headers = [
            (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
            for name, value in self.headers.items()
        ]
        refusal = self.sink.view_refusal("GET", self.path, headers)
        if refusal is not None:
            self._refuse(refusal.status, refusal.text, refusal.headers)
            return
        self._connection.is_trusted = True
        try:
            view = self.sink.view(path, self.headers.get("Accept-Encoding", ""))
        except OSError as error:
            self._refuse(
                HTTPStatus.SERVICE_UNAVAILABLE, f"cannot read the devices: {error.strerror}"
            )
        else:
            self._send(HTTPStatus.OK, view.body, view.headers)

    def _post(self) -> None:
        body = self._body(self.sink.body_max, PATHS)
        if body is None:
            return
        try:
            content_type = self.headers.get("Content-Type", "")
            parts = read_form(body, content_type, _PARTS, _OPTIONAL_PARTS)
        except FormError as error:
            body.skip()
            if body.is_cut:
                # No response: a 400 would count against a capture that only lost its connection.
                self.close_connection = True
            else:
                self._refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        body.skip()  # whatever follows the form
        self._store(parts["record"], parts["image"], parts.get("clip", b""))

    def _put(self) -> None:
        body = self._body(READ_MAX, (self.path.partition("?")[0],))
        if body is None:
            return
        data = b"".join(iter(body.read, b""))
        if body.is_cut:
            self.close_connection = True
            return
        named = unquote(self.path.partition("?")[0][len(DEVICE_PATH) :])
        try:
            is_new = self.sink.store_status(named, data, str(self.client_address[0]))
        except ValueError as error:
            self._refuse(
                HTTPStatus.UNPROCESSABLE_ENTITY, printable(f"cannot take the status: {error}", 400)
            )
        except DeviceNotAdmitted as error:
            again = {"Retry-After": str(_AGAIN_S)}
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS, str(error), again)
        except OSError as error:
            self._refuse_for_disk(error, "the status")
        else:
            self._answer(HTTPStatus.CREATED if is_new else HTTPStatus.OK, {"device": named})

    def _body(self, most: int, paths: Collection[str]) -> Body | None:
        """Return the body of an allowed request; if it is not, respond and return None."""
        lengths = self.headers.get_all("Content-Length") or [""]
        length = lengths[0].strip()
        if not (length.isascii() and length.isdigit()) or len(set(lengths)) > 1:
            self.close_connection = True
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "the request must have a Content-Length")
            return None
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._refuse(HTTPStatus.NOT_IMPLEMENTED, "the request must not be chunked")
            return None
        size = int(length[:_LENGTH_DIGITS])  # of a longer number, enough to be too much
        body = Body(self._read, min(size, _SKIPPED_MAX))
        if not self._is_allowed(body, paths):
            return None
        self._connection.works(_BODY_S + body.left / _RATE_MIN)
        if size > most:
            self._refuse_oversized(body, most)
            return None
        return body

    def _other(self) -> None:
        self._connection.works(_SKIP_S)
        self.close_connection = True  # its body, if any, was not read
        self._refuse(
            HTTPStatus.METHOD_NOT_ALLOWED, "only POST, PUT and GET", {"Allow": "GET, POST"}
        )

    do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = _other  # noqa: N815

    def _store(self, record_json: bytes, image: bytes, clip: bytes) -> None:
        try:
            record = json.loads(record_json)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            self._refuse(HTTPStatus.BAD_REQUEST, "the part `record` must be a JSON object")
            return
        key = self.headers.get("Idempotency-Key")
        if key is not None and key.strip().strip('"') != record.get("id"):
            self._refuse(
                HTTPStatus.UNPROCESSABLE_ENTITY, "Idempotency-Key must be the `id` of the record"
            )
            return
        try:
            is_new = self.sink.store(record, record_json, image, clip)
        except UnfitCapture as error:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, printable(error))
        except DamagedDataset as error:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        except OSError as error:
            self._refuse_for_disk(error, "captures")
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
            # A record that no check of the dataset knows: it would fail again each time.
            self._refuse(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"cannot store the capture: its record is unfit: {printable(error)}",
            )
        else:
            proof = _proof(record, image, clip)
            if is_new:
                self._answer(HTTPStatus.CREATED, proof)
            else:
                self._answer(HTTPStatus.OK, proof | {"duplicate": True})

    def _is_allowed(self, body: Body, paths: Collection[str]) -> bool:
        """Return whether path and token are right; if not, send the error response."""
        token = self.sink.token
        given = self.headers.get("Authorization", "")
        if token and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            body.skip()
            self._refuse(
                HTTPStatus.UNAUTHORIZED,
                "the token is missing or wrong",
                {"WWW-Authenticate": 'Bearer realm="captures"'},
            )
            return False
        self._connection.is_trusted = True
        if self.command != "GET" and any(name in self.headers for name in _OF_PAGES):
            body.skip()
            self._refuse(HTTPStatus.FORBIDDEN, "a web page may store nothing here")
            return False
        if self.path.partition("?")[0] not in paths:
            body.skip()
            self._refuse(HTTPStatus.NOT_FOUND, f"captures are taken at {PATHS[0]}")
            return False
        return True

    def _refuse_for_disk(self, error: OSError, what: str) -> None:
        full = is_disk_full(error)
        status = HTTPStatus.INSUFFICIENT_STORAGE if full else HTTPStatus.SERVICE_UNAVAILABLE
        self._refuse(status, f"cannot store {what}: {error.strerror}")

    def _refuse_oversized(self, body: Body, most: int) -> None:
        self.close_connection = True
        self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {most} bytes are taken at once")
        self.wfile.flush()
        body.skip()  # closing now would reset the connection before the sender has read that

    def _refuse(
        self, status: HTTPStatus, reason: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.sink.refused(str(self.client_address[0]), int(status), reason)
        self._answer(status, {"error": reason}, headers)

    def _answer(
        self,
        status: HTTPStatus,
        content: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        data = json.dumps(content).encode()
        self._send(status, data, {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: HTTPStatus, data: bytes, headers: Mapping[str, str]) -> None:
        self._is_answered = True
        self.request_version = self.protocol_version  # of what is no HTTP it is 0.9: without a head
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _read(self, size: int) -> bytes:
        return self.rfile.read1(size)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no request of HTTP, as the base class found."""
        del explain
        self._connection.works(_SKIP_S)
        self.close_connection = True
        self._refuse(HTTPStatus(code), printable(message or HTTPStatus(code).phrase))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        if self.sink.log is not None:
            self.sink.log(f"{self.address_string()} {printable(format % args)}")


def _proof(record: Mapping[str, Any], image: bytes, clip: bytes) -> dict[str, object]:
    """Return what proves that a capture is stored."""
    proof: dict[str, object] = {"id": record["id"], "sha256": hashlib.sha256(image).hexdigest()}
    return proof | ({"clip_sha256": hashlib.sha256(clip).hexdigest()} if clip else {})
