"""The logs of all tests: one whose events a test reads, and one that nobody sees."""

import io
from typing import Any

import structlog
from structlog.testing import LogCapture

from agent.logs import Log, make_log


class Recorder:
    """A log whose events a test reads."""

    def __init__(self) -> None:
        capture = LogCapture()
        self.lines: list[Any] = capture.entries
        self.log: Log = structlog.wrap_logger(
            None,
            processors=[capture],
            wrapper_class=structlog.make_filtering_bound_logger("debug"),
        )

    @property
    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]

    def one(self, event: str) -> Any:
        """Return the only line of this event."""
        [line] = [line for line in self.lines if line["event"] == event]
        return line


def quiet_log(stream: io.StringIO | None = None) -> Log:
    """Return a log whose text goes to `stream`, or nowhere."""
    return make_log(level="debug", form="logfmt", stream=stream or io.StringIO())
