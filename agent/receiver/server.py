"""The HTTP server of the receiver: which requests it accepts, and how it responds."""

import hashlib
import hmac
import json
import socket
import socketserver
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from agent import __version__
from agent.errors import DamagedDataset, UnfitCapture
from agent.files import is_disk_full
from agent.receiver.multipart_parser import Body, FormError, read_form

PATHS = ("/captures", "/")
"""Paths that accept captures; the first one is shown to the user."""

_TIMEOUT = 30.0  # seconds without a byte until a connection is closed
_SKIPPED_MAX = 256 * 1024 * 1024  # bytes of an oversized request that are read past
_PARTS = frozenset({"image", "record"})


class CaptureSink(Protocol):
    """What the server stores captures in."""

    token: str | None
    body_max: int
    log: Callable[[str], None] | None

    @property
    def captures(self) -> int:
        """Return the number of captures in the dataset."""

    def store(self, record_json: bytes, image: bytes, identity: str) -> bool:
        """Store one capture; return True if it is new. Raises what `Dataset.store` raises."""


class Server(ThreadingHTTPServer):
    """An HTTP server whose threads `server_close` waits for, and whose connections can be ended."""

    daemon_threads = False
    block_on_close = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], sink: CaptureSink) -> None:
        self.sink = sink
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without a DNS lookup of the host name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a new connection in a thread of its own."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection that its thread has finished with."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        """Shut down reading on every connection, so that its thread ends."""
        with self._lock:
            for connection in self._open:
                # Only the receiving side: a response that is under way still goes out.
                try:
                    connection.shutdown(socket.SHUT_RD)
                except OSError:
                    continue  # the sender was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an exception, unless it is a lost connection."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = f"edge-capture-agent/{__version__}"
    sys_version = ""
    timeout = _TIMEOUT
    wbufsize = -1  # headers and body of a response in one packet
    disable_nagle_algorithm = True

    @property
    def sink(self) -> CaptureSink:
        return cast("Server", self.server).sink

    def do_GET(self) -> None:
        if self._is_allowed(Body(self._read, 0)):
            about = {"service": "edge-capture-agent receiver", "captures": self.sink.captures}
            self._answer(HTTPStatus.OK, about)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "the request must have a Content-Length")
            return
        body = Body(self._read, min(int(length), _SKIPPED_MAX))
        if not self._is_allowed(body):
            return
        if int(length) > self.sink.body_max:
            self._refuse_oversized(body)
            return
        try:
            parts = read_form(body, self.headers.get("Content-Type", ""), _PARTS)
        except FormError as error:
            body.skip()
            if body.is_cut:
                # No response: a 400 would count against a capture that only lost its connection.
                self.close_connection = True
            else:
                self._refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        body.skip()  # whatever follows the form
        self._store(parts["record"], parts["image"])

    def _other(self) -> None:
        self.close_connection = True  # its body, if any, was not read
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "only POST and GET", {"Allow": "GET, POST"})

    do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _other  # noqa: N815

    def _store(self, record_json: bytes, image: bytes) -> None:
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
            is_new = self.sink.store(record_json, image, str(record.get("id")))
        except UnfitCapture as error:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        except DamagedDataset as error:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        except OSError as error:
            full = is_disk_full(error)
            status = HTTPStatus.INSUFFICIENT_STORAGE if full else HTTPStatus.SERVICE_UNAVAILABLE
            self._refuse(status, f"cannot store captures: {error.strerror}")
        else:
            proof: dict[str, object] = {
                "id": record["id"],
                "sha256": hashlib.sha256(image).hexdigest(),
            }
            if is_new:
                self._answer(HTTPStatus.CREATED, proof)
            else:
                self._answer(HTTPStatus.OK, proof | {"duplicate": True})

    def _is_allowed(self, body: Body) -> bool:
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
        if urlsplit(self.path).path not in PATHS:
            body.skip()
            self._refuse(HTTPStatus.NOT_FOUND, f"captures are taken at {PATHS[0]}")
            return False
        return True

    def _refuse_oversized(self, body: Body) -> None:
        self.close_connection = True
        self._refuse(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"at most {self.sink.body_max} bytes are taken at once",
        )
        self.wfile.flush()
        body.skip()  # closing now would reset the connection before the sender has read that

    def _refuse(
        self, status: HTTPStatus, reason: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self._answer(status, {"error": reason}, headers)

    def _answer(
        self,
        status: HTTPStatus,
        content: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _read(self, size: int) -> bytes:
        return self.rfile.read1(size)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        if self.sink.log is not None:
            self.sink.log(f"{self.address_string()} {format % args}")
