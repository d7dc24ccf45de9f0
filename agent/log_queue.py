"""A bounded queue in front of the log's stream, so that no thread waits for its reader.

A terminal that is stopped, or a pager that nobody scrolls, blocks each write to standard error.
"""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

LINES_MAX = 1000
"""Lines that wait for a stream that takes none; further ones are dropped, and counted."""


class LogQueue:
    """A stream whose `write` returns at once; a thread of its own writes the lines in their order.

    A signal handler may use it while the same thread is inside it. What the stream refuses is lost;
    the log goes on.
    """

    def __init__(self, stream: TextIO, *, lines_max: int = LINES_MAX) -> None:
        self._stream = stream
        self._lines_max = lines_max
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._tell: Callable[[int], None] | None = None
        self._changed = threading.Condition(threading.RLock())
        self._closing = False
        # Blocked in a write, it must not keep the process from ending.
        self._thread = threading.Thread(target=self._drain, name="log", daemon=True)
        self._thread.start()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Queue a line for the stream, or drop it when too many wait.

        The line in which the thread of the queue tells how many lines were dropped is always kept:
        it tells their number only once.
        """
        is_own = threading.current_thread() is self._thread
        with self._changed:
            if is_own or len(self._lines) < self._lines_max:
                self._lines.append(text)
                self._changed.notify_all()
            else:
                self._dropped += 1
        return len(text)

    def flush(self) -> None:
        """Do nothing: the thread flushes after each line."""

    def tell_drops(self, tell: Callable[[int], None]) -> None:
        """Call `tell` with the number of dropped lines when the stream takes lines again."""
        self._tell = tell

    def close(self, timeout: float) -> bool:
        """Wait until all lines are written; return false if `timeout` seconds were not enough."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _drain(self) -> None:
        while (line := self._next()) is not None:
            # Past Python's own buffer: its lock would block the end of the process.
            with contextlib.suppress(OSError, ValueError):
                _write(self._stream, line)

    def _next(self) -> str | None:
        """The next line, or None after the last one."""
        while True:
            with self._changed:
                while not (self._lines or self._dropped or self._closing):
                    self._changed.wait()
                if self._lines:
                    return self._lines.popleft()
                dropped, self._dropped = self._dropped, 0
            if not dropped:
                return None
            if self._tell is not None:
                self._tell(dropped)


def _write(stream: TextIO, text: str) -> None:
    try:
        descriptor = stream.fileno()
    except OSError:  # a stream in memory
        stream.write(text)
        return
    rest = text.encode(stream.encoding or "utf-8", "backslashreplace")
    while rest:
        rest = rest[os.write(descriptor, rest) :]
