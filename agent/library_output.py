"""Turns what native libraries write to standard error into lines of ours.

libjpeg writes a line for each damaged image, onnxruntime writes coloured lines, a Rust library
writes its panics: all of them directly to file descriptor 2, at any level of our log.
"""

import contextlib
import os
import re
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Self, TextIO

from agent.ports import Clock
from agent.printable import printable

Report = Callable[[str, int], None]
"""Takes a line, and how many lines like it were left out since the last one was reported."""

REPEAT_S = 3600.0
"""Seconds within which lines that differ in their numbers alone are reported once."""

LINES_MAX = 20
"""Different lines that are reported within `REPEAT_S`; further ones are only counted."""

_STDERR = 2
_LINE_MAX = 500  # characters of a line
_CHUNK = 65_536  # bytes; as much as a pipe holds
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\d+")
_JOIN_S = 1.0


class LineLimit:
    """Decides which lines are reported. All times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()  # since when, left out

    def admit(self, line: str, now: float) -> int | None:
        """Return how many lines like it were left out, or None to leave this one out too."""
        for key, (since, left_out) in list(self._seen.items()):
            if now - since >= REPEAT_S and not left_out:
                del self._seen[key]
        key = _NUMBERS.sub("#", line)[:80]
        since, left_out = self._seen.get(key, (float("-inf"), 0))
        if now - since < REPEAT_S:
            self._seen[key] = since, left_out + 1
            return None
        if key not in self._seen and len(self._seen) >= LINES_MAX:
            return None
        self._seen[key] = now, 0
        return left_out


class LibraryOutput(AbstractContextManager["LibraryOutput"]):
    """Within it, descriptor 2 is a pipe that a thread reads; `sys.stderr` is what 2 was before.

    Until `report_to` is called, the first lines are kept. A library that writes never waits: what
    the pipe cannot take is lost. Where there is no standard error, or no thread, nothing changes.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limit = LineLimit()
        self._report: Report | None = None
        self._kept: list[tuple[str, int]] = []
        self._lock = threading.Lock()
        self._restore = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Take descriptor 2."""
        try:
            real = os.dup(_STDERR)
        except OSError:  # closed: nobody reads it
            return self
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        replaced = sys.stderr
        stream = os.fdopen(real, "w", encoding="utf-8", errors="backslashreplace", buffering=1)
        if _writes_to_stderr(replaced):
            replaced.flush()
            sys.stderr = stream
        os.dup2(writing, _STDERR)
        os.close(writing)
        thread = threading.Thread(
            target=self._read, args=(reading,), name="library output", daemon=True
        )
        thread.start()
        self._restore.callback(self._give_back, stream, replaced, thread)
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Give descriptor 2 back; what was written is reported first."""
        self._restore.close()

    @property
    def unreported(self) -> list[str]:
        """The lines that were kept because nobody called `report_to`."""
        with self._lock:
            return [line for line, _ in self._kept]

    def report_to(self, report: Report) -> None:
        """Report the lines that were kept, and all further ones, to `report`."""
        with self._lock:
            self._report = report
            kept, self._kept = self._kept, []
        for line, left_out in kept:
            report(line, left_out)

    def _give_back(self, stream: TextIO, replaced: TextIO, thread: threading.Thread) -> None:
        os.dup2(stream.fileno(), _STDERR)  # closes the last writing end: the thread ends
        thread.join(_JOIN_S)  # a child process may hold the pipe open
        sys.stderr = replaced
        with contextlib.suppress(OSError, ValueError):
            stream.close()

    def _read(self, reading: int) -> None:
        rest = b""
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            while chunk := pipe.read(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                rest = rest[:_CHUNK]
                for line in lines:
                    self._take(line)
            self._take(rest)

    def _take(self, raw: bytes) -> None:
        text = _ESCAPES.sub("", raw[: 4 * _LINE_MAX].decode(errors="replace")).strip()
        if not text:
            return
        line = printable(text, _LINE_MAX)
        left_out = self._limit.admit(line, self._clock.monotonic())
        if left_out is None:
            return
        with self._lock:
            report = self._report
            if report is None:
                self._kept.append((line, left_out))
        if report is not None:
            report(line, left_out)


def _writes_to_stderr(stream: TextIO | None) -> bool:
    """Whether Python's standard error is descriptor 2, and not what a caller put in its place."""
    try:
        return stream is not None and stream.fileno() == _STDERR
    except (OSError, ValueError):  # a stream in memory, or a closed one
        return False
