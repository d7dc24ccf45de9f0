"""A server with cameras that break in every way, and an endpoint that takes nothing."""

import http.server
import random
import threading
import time
from collections.abc import Callable, Sequence
from enum import Enum
from types import TracebackType
from typing import Self

BOUNDARY = b"--frame\r\nContent-Type: image/jpeg\r\n\r\n"
FPS = 15


class Fault(Enum):
    """What a camera does; each lasts for one phase."""

    NONE = "sends frames"
    REFUSED = "refuses connections"
    SILENT = "keeps the connection, and sends nothing"
    FROZEN = "sends the same frame again and again"
    GARBAGE = "sends bytes that are no image"
    TORN = "sends images that end in the middle"
    CUT = "ends each connection after a second"
    PAGE = "sends a page of HTML"


class FaultyNetwork:
    """Cameras at `/0`, `/1`, ... and an endpoint at `/captures`; a context.

    Camera 0 works all the time. The others go through all faults in turn, each at another one, and
    work between two of them. The endpoint answers 503, does not answer, or ends the connection.
    """

    def __init__(self, images: Sequence[bytes], *, phase: float) -> None:
        """`images`: JPEG files, sent in turn. `phase`: seconds that each fault lasts."""
        self.images = images
        self._phase = phase
        self._began = time.monotonic()
        self.stopping = threading.Event()
        network = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                network.show(int(self.path.strip("/")), self.wfile.write, self._begin)

            def do_POST(self) -> None:
                network.refuse(self)

            def _begin(self, kind: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_facts: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def address(self, path: str) -> str:
        """Return the address of a camera or of the endpoint."""
        return f"http://127.0.0.1:{self._server.server_port}/{path}"

    def fault(self, camera: int) -> Fault:
        """Return what a camera does now."""
        phase = int((time.monotonic() - self._began) / self._phase)
        if camera == 0 or phase % 2 == 0:
            return Fault.NONE
        faults = list(Fault)[1:]
        return faults[(phase // 2 + camera) % len(faults)]

    def show(
        self, camera: int, write: Callable[[bytes], object], begin: Callable[[str], None]
    ) -> None:
        """Answer one request to a camera, until its fault changes."""
        fault = self.fault(camera)
        if fault is Fault.REFUSED:
            return
        if fault is Fault.PAGE:
            begin("text/html")
            write(b"<!doctype html><p>Please log in.</p>")
            return
        begin("multipart/x-mixed-replace; boundary=frame")
        noise, number, began = random.Random(camera), 0, time.monotonic()
        while self.fault(camera) is fault and not self.stopping.wait(1 / FPS):
            number += fault is not Fault.FROZEN
            image = self.images[(number + 7 * camera) % len(self.images)]
            if fault is Fault.GARBAGE:
                image = noise.randbytes(20_000)
            elif fault is Fault.TORN:
                image = image[: len(image) // 2]
            if fault is Fault.CUT and time.monotonic() - began > 1:
                return
            if fault is not Fault.SILENT:
                write(BOUNDARY + image + b"\r\n")

    def refuse(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Answer an upload with anything but a proof."""
        kind = int((time.monotonic() - self._began) / self._phase) % 3
        if kind == 0:
            request.send_error(503)
        elif kind == 1:
            self.stopping.wait(2 * self._phase)
