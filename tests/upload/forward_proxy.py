"""A proxy on a loopback socket."""

import contextlib
import socket
import threading
from typing import Self


class Proxy:
    """Connects clients with the password to any host, as HTTP proxies do, or answers `status`."""

    def __init__(self, status: int = 200) -> None:
        self.heads: list[bytes] = []
        self._status = status
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(60)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(near,)))
            self._threads[-1].start()

    def _serve(self, near: socket.socket) -> None:
        with near:
            head = near.recv(65536)
            self.heads.append(head)
            if self._status != 200:
                near.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % self._status)
                return
            method, target = head.split()[:2]
            host = target if method == b"CONNECT" else target.split(b"/")[2]
            far = socket.create_connection(("127.0.0.1", int(host.rpartition(b":")[2])))
            with far:
                if method == b"CONNECT":
                    near.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                else:
                    far.sendall(head)
                back = threading.Thread(target=self._pump, args=(far, near))
                back.start()
                self._pump(near, far)
                back.join()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
