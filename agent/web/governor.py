"""Keeps the API's share of the processor small, whatever its clients do."""

import selectors
import threading
import time
from collections.abc import Callable

LONGEST_S = 0.25
"""One pause, in seconds: a stop must not wait for it."""


class Governor:
    """Says how long a thread must sleep so that it stays below its share. Thread-safe.

    The threads share Python's lock with the cameras, so the share is that of one processor. What
    was not used is saved for at most a second, for the first calls of a page that opens.
    """

    def __init__(self, share: float) -> None:
        """`share`: processor seconds per second, above 0."""
        self._share = share
        self._saved = share
        self._lock = threading.Lock()
        self._last: float | None = None
        self.paused_s = 0.0
        """Seconds of all pauses."""

    def used(self, seconds: float) -> None:
        """Take processor seconds that were used."""
        with self._lock:
            self._saved -= seconds

    def due(self, now: float) -> float:
        """Return the seconds to sleep at `now` of the monotonic clock."""
        with self._lock:
            passed = 0.0 if self._last is None else now - self._last
            self._last = now
            self._saved = min(self._share, self._saved + self._share * passed)
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
        self._since: float | None = None  # when the present turn of the loop began
        self.counts = False
        """Whether turns count; the start does not."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Sleep if the turns took more than their share, then wait for events.

        A turn counts as long as it lasted: a thread that is not given a processor holds Python's
        lock all the same.
        """
        if self.counts and self._since is not None:
            self._governor.used(time.monotonic() - self._since)
        due = self._governor.due(time.monotonic())
        if due > 0:
            self._pause(due)
        events = super().select(timeout)
        self._since = time.monotonic()
        return events
