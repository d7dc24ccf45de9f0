"""An HTTP server on a loopback socket that goes wrong in the ways of the real world.

Each request meets the next behaviour of the script; the last one stays.
"""

import contextlib
import json
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Self

TRICKLE = 0.2  # seconds between two bytes


@dataclass(frozen=True, slots=True)
class Request:
    line: str
    headers: dict[str, str]  # names in small letters
    body: bytes = field(repr=False)

    @property
    def proof(self) -> bytes:
        """The receipt that a truthful endpoint would give."""
        record = re.search(rb"\r\n\r\n(\{.*?\})\r\n--", self.body, re.DOTALL)
        assert record is not None
        parsed = json.loads(record[1])
        return json.dumps({"id": parsed["id"], "sha256": parsed["image"]["sha256"]}).encode()


Behaviour = Callable[[socket.socket, Request, Event], None]
"""Answers one request. The event is set when the server stops."""


class FaultyServer:
    """Serves until the end of its `with` block, on `host` or `localhost`. With `tls`, by that."""

    def __init__(
        self, *script: Behaviour, tls: ssl.SSLContext | None = None, host: str = ""
    ) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        """After the `with` block: all that were made before its end."""
        self._script = list(script)
        self._tls = tls
        self._stopping = Event()
        self._last: object = None  # the address of the connection that ends the server
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host or "127.0.0.1", 0), family=family)
        self._threads = [Thread(target=self._accept)]
        scheme = "https" if tls else "http"
        shown = f"[{host}]" if ":" in host else host or "localhost"
        self.port = int(self._listener.getsockname()[1])
        self.url = f"{scheme}://{shown}:{self.port}/upload"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with self._listener, socket.socket(self._listener.family) as last:
            address = self._listener.getsockname()
            last.bind((address[0], 0))
            self._last = last.getsockname()
            last.connect(address)
            self._threads[0].join()
        for thread in self._threads:
            thread.join(60)

    def _accept(self) -> None:
        while True:
            connection, address = self._listener.accept()
            if address == self._last:  # it comes after all others that wait
                connection.close()
                return
            self.connections += 1
            thread = Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(60)
            stream = (
                self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            )
            with stream:
                while (request := self._read(stream)) is not None:
                    self.requests.append(request)
                    behave = self._script.pop(0) if len(self._script) > 1 else self._script[0]
                    behave(stream, request, self._stopping)

    def _read(self, stream: socket.socket) -> Request | None:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self._receive(stream)
            if not piece:
                return None
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        line, *rest = head.decode().split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (h.partition(":") for h in rest)
        }
        while len(body) < int(headers.get("content-length", "0")):
            piece = self._receive(stream)
            if not piece:
                return None
            body += piece
        return Request(line, headers, body)

    def _receive(self, stream: socket.socket) -> bytes:
        while True:
            stream.settimeout(0.1)
            try:
                return stream.recv(65536)
            except TimeoutError:
                if self._stopping.is_set():
                    return b""
            finally:
                stream.settimeout(60)


def response(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Behaviour:
    """A whole response."""
    lines = [f"HTTP/1.1 {status} Some Reason", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    data = "\r\n".join([*lines, "", ""]).encode() + body

    def behave(stream: socket.socket, _request: Request, _stopping: Event) -> None:
        stream.sendall(data)

    return behave


def store(stream: socket.socket, request: Request, stopping: Event) -> None:
    """What a truthful endpoint answers."""
    response(201, request.proof)(stream, request, stopping)


def drop(stream: socket.socket, _request: Request, _stopping: Event) -> None:
    """Close without a word, before or after storing: the sender cannot know."""
    stream.close()


def cut_answer(stream: socket.socket, request: Request, _stopping: Event) -> None:
    """A receipt that is whole, of a response that is not."""
    length = len(request.proof) + 10
    stream.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % length + request.proof)
    stream.close()


def silent(_stream: socket.socket, _request: Request, stopping: Event) -> None:
    stopping.wait(60)


def trickle_header(stream: socket.socket, _request: Request, stopping: Event) -> None:
    stream.sendall(b"HTTP/1.1 201 Created\r\nX-Slow: ")
    _trickle(stream, stopping)


def trickle_body(stream: socket.socket, request: Request, stopping: Event) -> None:
    """A whole receipt, and then a space at a time: without a length only the end would end it."""
    stream.sendall(b"HTTP/1.1 201 Created\r\n\r\n" + request.proof)
    _trickle(stream, stopping)


def garbage(stream: socket.socket, _request: Request, _stopping: Event) -> None:
    stream.sendall(b"220 smtp.example ESMTP\r\n")
    stream.close()


def endless_body(stream: socket.socket, _request: Request, stopping: Event) -> None:
    stream.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n")
    while not stopping.is_set():
        stream.sendall(b"x" * 65536)


def _trickle(stream: socket.socket, stopping: Event) -> None:
    while not stopping.wait(TRICKLE):
        stream.sendall(b" ")
