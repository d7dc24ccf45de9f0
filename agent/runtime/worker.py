"""One thread that repeats one step."""

import math
import threading
from collections.abc import Callable

from agent import progress
from agent.logs import Log
from agent.ports import Clock

Step = Callable[[], float | None]
"""Does a piece of work; returns the seconds to wait before the next, or None when finished."""


class Worker:
    """Repeats a step in its own thread until it is stopped or the step returns None.

    A step handles expected errors itself and returns a wait. Any exception from a step is a
    bug: it is logged with its traceback, `failed` becomes true, and the process must end.
    """

    def __init__(
        self,
        name: str,
        step: Step,
        *,
        timeout: float,
        clock: Clock,
        log: Log,
        ended: Callable[[], None],
        close: Callable[[], None] | None = None,
    ) -> None:
        """`timeout`: seconds that one step, or each named part of it, may take.

        `ended` is called at the very end; `close` after the last step, by the same thread.
        """
        self.name = name
        self.failed = False
        self.ended = False
        self._step = step
        self._timeout = timeout
        self._clock = clock
        self._log = log
        self._tell = ended
        self._close = close
        self._stop = threading.Event()
        self._doing = ""
        self._due = clock.monotonic() + timeout
        # A driver or a dead peer may block a thread forever: all are daemon threads, and `join`
        # has a timeout.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Request an end after the current step; return at once."""
        self._stop.set()

    def join(self, timeout: float) -> bool:
        """Wait for the end; return false if it did not come within `timeout` seconds."""
        self._thread.join(max(0.0, timeout))
        return not self._thread.is_alive()

    def overdue(self, now: float) -> bool:
        """Whether the current step, or the wait it returned, exceeds its timeout."""
        return not self.ended and now > self._due

    @property
    def stopping(self) -> bool:
        """Whether an end was requested."""
        return self._stop.is_set()

    @property
    def description(self) -> str:
        """Its name, and what it is doing if the step told."""
        doing = self._doing
        return f"{self.name} ({doing})" if doing else self.name

    def begin(self, what: str, *, limited: bool) -> str:
        """Note what the step does from now on; see `agent.progress.Progress`."""
        before, self._doing = self._doing, what
        self._due = self._clock.monotonic() + self._timeout if limited else math.inf
        return before

    def _run(self) -> None:
        progress.watch(self)
        try:
            self._repeat()
            if self._close is not None:
                self._close()
        # A library written in Rust raises its panics as a BaseException. Any bug of any step ends
        # the process, in good order.
        except BaseException:  # noqa: BLE001
            self.failed = True
            self._log.critical("worker failed", worker=self.name, exc_info=True)
        finally:
            self.ended = True
            self._tell()

    def _repeat(self) -> None:
        while not self._stop.is_set():
            self._due = self._clock.monotonic() + self._timeout
            wait = self._step()
            if wait is None:
                return
            if wait > 0:
                self._due = self._clock.monotonic() + wait + self._timeout
                self._stop.wait(wait)
