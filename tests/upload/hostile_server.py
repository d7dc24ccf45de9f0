"""A server on loopback that answers every request with bytes that the test chooses.

Each connection serves one request: the response ends with the connection.
"""

import contextlib
import re
import socket
from collections.abc import Callable, Iterable
from threading import Event, Thread
from typing import Self

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class HostileServer:
    """Serves until the end of its `with` block. `answer` gives the pieces of the next response."""

    def __init__(self, answer: Callable[[bytes], Iterable[bytes]] = lambda _request: ()) -> None:
        self.answer = answer
        self.sent = 0
        """Bytes that were sent in all responses."""
        self._stopping = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = Thread(target=self._accept, daemon=True)
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(60)
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(65536)
                if not piece:
                    return
                request += piece
            found = _LENGTH.search(request)
            whole = request.index(b"\r\n\r\n") + 4 + (int(found[1]) if found else 0)
            while len(request) < whole:
                piece = connection.recv(65536)
                if not piece:
                    return
                request += piece
            for piece in self.answer(request):
                if self._stopping.is_set():
                    return
                connection.sendall(piece)
                self.sent += len(piece)
