"""The lines that a program writes to standard error."""

from collections import deque
from collections.abc import Callable

from agent.printable import printable
from agent.redaction import redact

LINE_MAX = 300
"""Characters of a line that are reported."""

_LINES_AT_ONCE = 50  # of one read: a program that writes without end must not cost a processor
_LAST_LINES = 3  # that tell why a program ended
_BYTES_MAX = 4 * LINE_MAX  # of a line in UTF-8


class ErrorLines:
    """Reports lines, printable and without secrets, and keeps the last ones."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._rest = b""  # of a line whose end has not come
        self._last: deque[str] = deque(maxlen=_LAST_LINES)

    def take(self, data: bytes, *, is_end: bool = False) -> None:
        """Take what was written; report the lines that are complete, or all at the end."""
        *lines, rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        self._rest = b"" if is_end else rest[:_BYTES_MAX]
        for line in [*lines, rest][-_LINES_AT_ONCE:] if is_end else lines[-_LINES_AT_ONCE:]:
            text = line[:_BYTES_MAX].decode(errors="replace").strip()
            if text:
                shown = redact(printable(text, LINE_MAX))
                self._last.append(shown)
                self._report(shown)

    def last(self) -> str:
        """Return the end of a message that shows the last lines; empty if there are none."""
        shown = " / ".join(self._last)
        return f". Its last lines: {shown}" if shown else ""
