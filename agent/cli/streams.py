"""Standard input, output and error of a command, in whatever state it was started with them."""

import contextlib
import errno
import io
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import TextIO

from agent.redaction import redact
from agent.system import under_systemd

_REFUSED = frozenset({errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG})
"""What a write to a closed pipe, a full disk or a terminal that has gone fails with."""


def open_streams() -> None:
    """Make sure that all three streams exist and take any text.

    A closed one becomes /dev/null: otherwise the next file that is opened would get its number, and
    a library that writes to descriptor 2 would write into that file. What the encoding of a
    terminal cannot say is written as an escape, and messages are written without secrets.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123
    sys.stdout = sys.stdout or _writer(1)
    sys.stderr = sys.stderr or _writer(2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # and not what a test puts in its place
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stderr, io.TextIOWrapper):
        encoding = sys.stderr.encoding
        sys.stderr = _Messages(
            sys.stderr.detach(),  # else the end of the old stream would close it
            encoding=encoding,
            errors="backslashreplace",
            line_buffering=True,
        )


@contextlib.contextmanager
def refused_output_shown() -> Iterator[None]:
    """End with exit code 1 when standard output takes no more, with the reason unless it is a pipe.

    A reader that closes its pipe, such as `head`, has seen what it wanted.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.filename is not None or error.errno not in _REFUSED:
            raise
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)  # Python flushes once more at its end
        if error.errno != errno.EPIPE:
            print(f"capture-agent: cannot write the result: {error.strerror}", file=sys.stderr)
        sys.exit(1)


@contextlib.contextmanager
def bugs_shown() -> Iterator[None]:
    """Show the traceback of a bug without secrets, and end with exit code 1."""
    try:
        yield
    except Exception:  # noqa: BLE001 (it is shown, and the process ends)
        prefix = "<3>" if under_systemd() else ""
        for line in redact(traceback.format_exc()).splitlines():
            print(prefix + line, file=sys.stderr)
        sys.exit(1)


class Terminal:
    """The terminal that a process was started from, if any."""

    def __init__(self) -> None:
        """Look at it now, before it can go."""
        self._held = _controls() or sys.stderr.isatty()
        self._ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN  # by nohup

    def hung_up(self) -> bool:
        """Whether it has gone and nobody asked to survive that."""
        return self._held and not self._ignored and not (_controls() or sys.stderr.isatty())


class _Messages(io.TextIOWrapper):
    """Standard error, without secrets: a wrong argument is repeated as it was typed."""

    def write(self, text: str) -> int:
        """Write the text with its secrets masked."""
        return super().write(redact(text))


def _controls() -> bool:
    """Whether this process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _writer(descriptor: int) -> TextIO:
    return os.fdopen(descriptor, "w", encoding="utf-8", closefd=False)
