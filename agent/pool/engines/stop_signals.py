"""Ctrl-C and SIGTERM as facts that a loop can look at."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Notes signals within its block; in a thread that is not the main one it notes none."""

    def __init__(self) -> None:
        self.number = 0
        """The first signal that came; 0 without one."""
        self.is_forced = False
        """A second one came: nobody wants to wait."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._note) for each in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace
        for number, before in self._before.items():
            signal.signal(number, before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.is_forced = self.number != 0
        self.number = self.number or number
