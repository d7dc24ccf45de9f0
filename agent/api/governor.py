"""Keeps the API's share of the processor small, whatever its clients do."""

import selectors
import threading
import time
from collections.abc import Callable

LONGEST_S = 0.25
"""One pause, in seconds: a stop must not wait for it."""


class Governor:
    """Says how long the API's thread must sleep so that it stays below its share.

    The thread shares Python's lock with the cameras, so its share is that of one processor. What
    was not used is saved for at most a second, for the first calls of a page that opens.
    """

    def __init__(self, share: float) -> None:
        """`share`: processor seconds per second, above 0."""
        self._share = share
        self._saved = share
        self._elsewhere = 0.0
        self._lock = threading.Lock()
        self._before: tuple[float, float] | None = None
        self.paused_s = 0.0
        """Seconds of all pauses."""

    def used(self, seconds: float) -> None:
        """Take processor seconds that another thread used for the API; thread-safe."""
        with self._lock:
            self._elsewhere += seconds

    def due(self, now: float, own: float) -> float:
        """Return the seconds to sleep.

        Args:
            now: Of the monotonic clock.
            own: Processor seconds that the thread has used so far.
        """
        before, self._before = self._before, (now, own)
        if before is None:
            return 0.0
        with self._lock:
            elsewhere, self._elsewhere = self._elsewhere, 0.0
        earned = self._share * (now - before[0])
        self._saved = min(self._share, self._saved + earned - (own - before[1]) - elsewhere)
        if self._saved >= 0:
            return 0.0
        pause = min(LONGEST_S, -self._saved / self._share)
        self.paused_s += pause
        return pause


class GovernedSelector(selectors.DefaultSelector):
    """What the event loop waits in: each turn, and so each connection and chunk, passes here."""

    def __init__(self, governor: Governor, pause: Callable[[float], None] = time.sleep) -> None:
        super().__init__()
        self._governor = governor
        self._pause = pause

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Sleep if the thread has used more than its share, then wait for events."""
        due = self._governor.due(time.monotonic(), time.thread_time())
        if due > 0:
            self._pause(due)
        return super().select(timeout)
