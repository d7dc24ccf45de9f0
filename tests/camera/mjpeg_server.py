"""An MJPEG camera for the tests: 20 images/s over HTTP, with every kind of failure."""

import threading
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np

from tests.ports import free_port

WIDTH, HEIGHT = 160, 120
FRAMES_PER_SECOND = 20


def jpeg(number: int) -> bytes:
    """Return a JPEG with a white bar in column `number`."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:, number % WIDTH] = 255
    return bytes(cv2.imencode(".jpg", pixels)[1])


class MjpegServer:
    """Serves at `port`, which is the same after each `start`."""

    def __init__(self) -> None:
        self.port = free_port()  # it stays its own while nobody listens
        self.silent = threading.Event()  # connections stay open, nothing is sent
        self.stuck = threading.Event()  # the same image is repeated
        self.garbled = threading.Event()  # the data is not JPEG
        self.credentials: str | None = None  # "user:password"
        self.served = 0
        self._stopping = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/video"

    def start(self) -> None:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera._respond(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._stopping.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = False  # closing the server waits for them
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        """Stop the server and close all connections."""
        if self._server and self._thread:
            self._stopping.set()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def _respond(self, request: BaseHTTPRequestHandler) -> None:
        expected = self.credentials and f"Basic {b64encode(self.credentials.encode()).decode()}"
        if expected and request.headers.get("Authorization") != expected:
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="camera"')
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        request.end_headers()
        try:
            while not self._stopping.wait(1 / FRAMES_PER_SECOND):
                if not self.silent.is_set():
                    request.wfile.write(self._part())
        except OSError:
            pass  # the client closed the connection
        request.close_connection = True

    def _part(self) -> bytes:
        self.served += not self.stuck.is_set()
        data = b"not an image" * 50 if self.garbled.is_set() else jpeg(self.served)
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
        return head.encode() + data + b"\r\n"
