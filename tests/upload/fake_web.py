"""A small web server on loopback whose answers a subclass gives."""

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Lock, Thread
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import multipart


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]  # names in small letters
    body: bytes = field(repr=False)

    def values(self, name: str) -> list[str]:
        return [value for other, value in self.query if other == name]

    def value(self, name: str) -> str | None:
        return next(iter(self.values(name)), None)

    def json(self) -> Any:
        return json.loads(self.body)

    def form(self) -> dict[str, bytes]:
        """The parts of a multipart body."""
        fields, files = multipart.parse_form_data(
            {
                "REQUEST_METHOD": "POST",
                "CONTENT_TYPE": self.headers["content-type"],
                "CONTENT_LENGTH": str(len(self.body)),
                "wsgi.input": BytesIO(self.body),
            },
            strict=True,
        )
        parts = {name: fields[name].encode() for name in fields}
        for name in files:
            parts[name] = files[name].raw
            files[name].close()  # a large one is a file
        return parts


class Drop(Exception):
    """Raised by a response: the connection breaks without one."""


Reply = tuple[int, object]
"""Status and body: bytes are sent as HTML, anything else as JSON."""


class FakeWeb:
    """Serves until the end of its `with` block; `calls` are the requests so far, in order."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.web = self  # type: ignore[attr-defined]
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def response(self, call: Call) -> Reply:
        raise NotImplementedError


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def _serve(self) -> None:
        web: FakeWeb = self.server.web  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = urlsplit(self.path)
        call = Call(
            self.command,
            parts.path,
            tuple(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            body,
        )
        with web.lock:
            web.calls.append(call)
        try:
            status, content = web.response(call)
        except Drop:
            self.close_connection = True
            return
        is_html = isinstance(content, bytes)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if is_html else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _serve  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass
