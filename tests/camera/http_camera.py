"""An HTTP camera for the tests: each path answers as it is told."""

import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np


@dataclass(frozen=True, slots=True)
class Page:
    """One response; `parts` are sent one after the other, without a length."""

    body: bytes = b""
    kind: str = "image/jpeg"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    parts: Iterable[bytes] | None = None


Answer = Page | Callable[[Mapping[str, str]], Page]


class HttpCamera:
    """Serves `pages` by path; counts the requests."""

    def __init__(
        self, pages: Mapping[str, Answer] | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.pages = dict(pages or {})
        self.requests: list[str] = []
        camera = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each response takes 40 ms

            def do_GET(self) -> None:
                camera._respond(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._scheme = "http"
        if tls is not None:
            self._scheme = "https"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def url(self, path: str = "/image") -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}{path}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _respond(self, request: BaseHTTPRequestHandler) -> None:
        self.requests.append(request.path)
        answer = self.pages.get(request.path, Page(b"no", "text/plain", 404))
        page = answer(dict(request.headers)) if callable(answer) else answer
        request.send_response(page.status)
        for name, value in {"Content-Type": page.kind, **page.headers}.items():
            request.send_header(name, value)
        if page.parts is None:
            request.send_header("Content-Length", str(len(page.body)))
        else:
            request.send_header("Connection", "close")
        request.end_headers()
        try:
            for part in [page.body] if page.parts is None else page.parts:
                request.wfile.write(part)
        except OSError:
            request.close_connection = True  # the client went away


def jpeg(level: int = 100, width: int = 64, height: int = 48) -> bytes:
    """Return a JPEG with a bright corner on a ground of `level`, 0 to 255."""
    pixels = np.full((height, width, 3), level, np.uint8)
    pixels[:8, :8] = 255
    return bytes(cv2.imencode(".jpg", pixels)[1])


def multipart(
    images: Iterable[bytes], boundary: bytes = b"--frame", *, has_length: bool = True
) -> Iterable[bytes]:
    """Yield the parts of an MJPEG stream."""
    for image in images:
        length = b"Content-Length: %d\r\n" % len(image) if has_length else b""
        head = boundary + b"\r\nContent-Type: image/jpeg\r\n" + length
        yield head + b"\r\n" + image + b"\r\n"
