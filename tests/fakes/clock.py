"""The clock of all tests: time passes when the test says so."""

import time
from collections.abc import Callable
from threading import Thread, current_thread

from agent.selection.budget.ledger import ClockReading

WALL = 1_780_000_000.0
"""Seconds since 1970 UTC at monotonic time 0, unless a test sets the wall clock."""


class ManualClock:
    """A monotonic and a wall clock that only the test moves.

    `now` is the monotonic time; adding to it moves both clocks. `wall_offset` is what the wall
    clock is ahead; changing it is a step of the wall clock alone.
    """

    def __init__(
        self, now: float = 1000.0, *, wall: float | None = None, step: float = 0.0
    ) -> None:
        """Start both clocks.

        Args:
            now: monotonic time, in seconds.
            wall: wall time at that moment, in seconds since 1970 UTC.
            step: seconds that pass at each reading of the monotonic clock.
        """
        self.now = now
        self.wall_offset = WALL if wall is None else wall - now
        self.boots = 0
        self._step = step
        self._powered_before = 0.0  # seconds, in all earlier boots

    def monotonic(self) -> float:
        self.now += self._step
        return self.now

    def wall(self) -> float:
        return self.now + self.wall_offset

    def reading(self) -> ClockReading:
        """Return both clocks and the boot that the monotonic one belongs to."""
        return ClockReading(self.monotonic(), self.wall(), f"boot {self.boots}")

    @property
    def powered(self) -> float:
        """Seconds with power in all boots, if the first one began at 0."""
        return self._powered_before + self.now

    def lose_power(self, seconds: float) -> None:
        """Boot again after `seconds` without power: the monotonic clock begins at 0."""
        self._powered_before += self.now
        self.wall_offset += self.now + seconds
        self.now = 0.0
        self.boots += 1


class DeadlineClock(ManualClock):
    """Time passes only as one thread looks: the one that waits for deadlines.

    However long a machine stops or how slow it is, no deadline comes before that thread has looked
    so many times.
    """

    def __init__(self, seconds: float = 0.0, *, until: Callable[[], bool] = lambda: False) -> None:
        """`seconds` pass at each look, none any more once `until` is true."""
        super().__init__()
        self.seconds = seconds
        self._until = until
        self.waits: Thread | None = None
        """The thread that waits."""

    def monotonic(self) -> float:
        if current_thread() is self.waits and not self._until():
            self.now += self.seconds
        return self.now


class FastClock:
    """The real clock, sped up, so that the deadlines of real threads come soon."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._since = self._started = time.monotonic()
        self._before = 0.0  # what had passed when the factor was given

    def run_at(self, factor: float) -> None:
        """Run so many times as fast as the real one from now on; at 0 it stands still."""
        self._before, self._since = self._passed(), time.monotonic()
        self._factor = factor

    def monotonic(self) -> float:
        return self._started + self._passed()

    def wall(self) -> float:
        return WALL + self._passed()

    def _passed(self) -> float:
        return self._before + self._factor * (time.monotonic() - self._since)
