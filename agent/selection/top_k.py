"""Admission to the spool: the best score-lane captures of the last 24 hours."""

import json
from collections import deque
from dataclasses import dataclass, field

from sortedcontainers import SortedList

WINDOW_S = 24 * 3600.0
PER_CREDIT = 4
"""Captures that are held for each credit of a day."""


@dataclass(slots=True)
class TopK:
    """The best `size` values admitted in the last 24 hours; a new capture must be among them.

    A bounded collection of the best is exactly what choosing at the day's end would have kept.
    """

    size: int
    _values: SortedList = field(default_factory=SortedList)
    _times: deque[tuple[float, float]] = field(default_factory=deque)  # (admitted at, value)
    _out: SortedList = field(
        default_factory=SortedList
    )  # no longer among the best, still in `_times`

    def cutoff(self, now: float) -> float:
        """Return what a value must exceed; 0 while there is room."""
        self._expire(now)
        return float(self._values[0]) if len(self._values) >= self.size else 0.0

    def admit(self, value: float, now: float) -> bool:
        """Take a value if it is among the best; `now` in seconds of one clock."""
        if value <= self.cutoff(now):
            return False
        if len(self._values) >= self.size:
            self._out.add(self._values.pop(0))
        self._values.add(value)
        self._times.append((now, value))
        return True

    def _expire(self, now: float) -> None:
        while self._times and now - self._times[0][0] > WINDOW_S:
            _, value = self._times.popleft()
            if value in self._out:
                self._out.remove(value)
            else:
                self._values.remove(value)
                if self._out:
                    self._values.add(self._out.pop(-1))

    def text(self, now: float) -> str:
        """Return the admitted values with their ages as text, for the spool's index."""
        self._expire(now)
        return json.dumps([[round(now - at), value] for at, value in self._times])

    def restore(self, text: str, now: float) -> None:
        """Take back what `text` wrote; raises `ValueError` for anything else."""
        for age, value in json.loads(text):
            self.admit(float(value), now - float(age))
