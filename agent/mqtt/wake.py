"""Ends the wait of the thread that reads from the broker."""

import contextlib
import socket


class Wake:
    """Ends the wait of a thread in `Connection.serve`; any thread may call `call`."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.settimeout(0)
        self._write.settimeout(0)

    def call(self) -> None:
        """End the wait now, or the next one at once."""
        with contextlib.suppress(OSError):  # full: it is about to end; closed: nobody waits
            self._write.send(b"\0")

    def fileno(self) -> int:
        """Return what is readable after a call."""
        return self._read.fileno()

    def clear(self) -> None:
        """Forget the calls so far."""
        with contextlib.suppress(BlockingIOError):
            self._read.recv(4096)

    def close(self) -> None:
        """End its use."""
        self._read.close()
        self._write.close()
