"""The clients of `tests.bench.api`: `python -m tests.bench.api_clients KIND SOCKET`."""

import contextlib
import os
import selectors
import socket
import sys
import time
from pathlib import Path

CONNECTIONS = 32
STATUS = "/v1/status"


def hammer(path: Path) -> None:
    """Ask for the status on all connections, each again as soon as it is answered."""
    with selectors.DefaultSelector() as selector:
        for _ in range(CONNECTIONS):
            selector.register(_connected(path), selectors.EVENT_READ)
        for key in list(selector.get_map().values()):
            _socket_of(key).sendall(_request(STATUS))
        while True:
            for key, _ in selector.select():
                raw = _socket_of(key)
                with contextlib.suppress(OSError):
                    if raw.recv(65_536):
                        raw.sendall(_request(STATUS))
                        continue
                selector.unregister(raw)
                again = _connected(path)
                with contextlib.suppress(OSError):  # it is full: the next turn sees the end
                    again.sendall(_request(STATUS))
                selector.register(again, selectors.EVENT_READ)


def slow_heads(path: Path) -> None:
    """Send a byte of a head now and then; connect again where the connection is closed."""
    crowd = [_connected(path) for _ in range(CONNECTIONS)]
    while True:
        for number, raw in enumerate(crowd):
            try:
                raw.sendall(b"x")
            except OSError:
                crowd[number] = _connected(path)
        time.sleep(0.2)


def storm(path: Path) -> None:
    """Connect and close."""
    while True:
        _connected(path).close()


def viewer(path: Path) -> None:
    """Follow the live page's events and ask for an image a second, as a browser does."""
    events = _connected(path)
    events.sendall(_request("/v1/live"))
    images = _connected(path)
    while True:
        images.sendall(_request("/v1/cameras/street/latest.jpg?boxes=1"))
        time.sleep(1.0)
        for each in (events, images):
            with contextlib.suppress(BlockingIOError):
                each.recv(10_000_000, socket.MSG_DONTWAIT)


def _request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def _connected(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.connect(str(path))
    return made


def _socket_of(key: selectors.SelectorKey) -> socket.socket:
    assert isinstance(key.fileobj, socket.socket)
    return key.fileobj


KINDS = {each.__name__: each for each in (hammer, slow_heads, storm, viewer)}

if __name__ == "__main__":
    os.nice(19)
    print("begins", flush=True)
    KINDS[sys.argv[1]](Path(sys.argv[2]))
