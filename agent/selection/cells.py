"""Of each cell of time the device keeps its best frame, and no other."""

from dataclasses import dataclass, replace

from agent.domain import Capture
from agent.selection.cover import Cover
from agent.selection.view import View

PER_CREDIT = 4
"""Cells for each credit of the score lane, so that a credit has a choice."""

SETTLE_S = 60.0
"""A frame that is the best of its cell for so long is stored before the cell ends.

A power cut then costs a minute of choice; a better frame that follows replaces the stored one."""

_SETTLE_SHARE = 1 / 8  # of a short cell: a credit that accrues within it finds its best frame


@dataclass(slots=True)
class Cell:
    """The best frame so far of the current cell of time, over all cameras."""

    seconds: float  # length of a cell
    cover: Cover
    _index: int = -1
    _best: Capture | None = None
    _view: View | None = None  # of the best frame
    _value: float = 0.0  # of the best frame beside what is purchased now
    _version: int = -1  # of the cover for which the value holds
    _since: float = 0.0  # when the best frame came
    _stored: str | None = None  # id of the frame of this cell that was stored

    def cutoff(self, now: float) -> float:
        """Return the value that a frame must exceed, in expected new failures."""
        if self._view is not None and self._version != self.cover.version:
            self._version = self.cover.version
            self._value = self.cover.value(self._view, now)
        return self._value

    @property
    def best_id(self) -> str | None:
        """The id of the best frame so far."""
        return self._best.id if self._best is not None else None

    def advance(self, now: float) -> list[Capture]:
        """Return what must be stored at `now`, in seconds of a clock that all cameras share."""
        index, before = int(now // self.seconds), self._index
        self._index = index
        if index != before:
            return self.close()
        settle = min(SETTLE_S, _SETTLE_SHARE * self.seconds)
        return self._due() if now - self._since >= settle else []

    def offer(self, capture: Capture, view: View, now: float) -> None:
        """Take a frame whose value exceeds the cutoff."""
        self._best, self._view = replace(capture, replaces=self._stored), view
        self._value, self._version = capture.value, self.cover.version
        self._since = now

    def close(self) -> list[Capture]:
        """End the cell: return its best frame unless it is stored."""
        due = self._due()
        self._best = self._view = self._stored = None
        self._value = 0.0
        return due

    def _due(self) -> list[Capture]:
        if self._best is None or self._best.id == self._stored:
            return []
        self._stored = self._best.id
        return [self._best]
