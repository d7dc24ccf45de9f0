"""One thread that repeats one step."""

import threading
from collections.abc import Callable

from agent.logs import Log
from agent.ports import Clock

Step = Callable[[], float | None]
"""Does a piece of work; answers the seconds to wait before the next, or None when all is done."""


class Worker:
    """Repeats a step in a thread of its own until it is stopped or the step says that all is done.

    Expected errors are a step's own business and become a wait. Anything that leaves a step is a
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
        """`timeout`: seconds that one step may take; `ended` is called at the very end.

        `close` is called after the last step, by the same thread.
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
        self._due = clock.monotonic() + timeout
        # Nothing may wait for a thread that a driver or a dead peer holds: all are daemons, and
        # `join` has a deadline.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present step; returns at once."""
        self._stop.set()

    def join(self, timeout: float) -> bool:
        """Wait for the end; false when it did not come within `timeout` seconds."""
        self._thread.join(max(0.0, timeout))
        return not self._thread.is_alive()

    def overdue(self, now: float) -> bool:
        """Whether the present step, or a wait that it asked for, takes longer than it may."""
        return not self.ended and now > self._due

    def _run(self) -> None:
        try:
            self._repeat()
            if self._close is not None:
                self._close()
        except Exception:  # noqa: BLE001 (any bug of any step ends the process, in good order)
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
