"""Of each cell of time the device keeps its best frame, and no other."""

from dataclasses import dataclass, replace

from agent.domain import Capture

PER_CREDIT = 4
"""Cells for each credit of the score lane, so that a credit has a choice."""

SETTLE_S = 60.0
"""A frame that is the best of its cell for so long is stored before the cell ends.

A power cut then costs a minute of choice; a better frame that follows replaces the stored one."""


@dataclass(slots=True)
class Cell:
    """The best frame so far of the current cell of time, over all cameras."""

    seconds: float  # length of a cell
    _index: int = -1
    _best: Capture | None = None
    _since: float = 0.0  # when the best frame came
    _stored: str | None = None  # id of the frame of this cell that was stored

    @property
    def cutoff(self) -> float:
        """The value that a frame must exceed, in expected new failures."""
        return self._best.value if self._best is not None else 0.0

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
        return self._due() if now - self._since >= SETTLE_S else []

    def offer(self, capture: Capture, now: float) -> None:
        """Take a frame whose value exceeds the cutoff."""
        self._best = replace(capture, replaces=self._stored)
        self._since = now

    def close(self) -> list[Capture]:
        """End the cell: return its best frame unless it is stored."""
        due = self._due()
        self._best = self._stored = None
        return due

    def _due(self) -> list[Capture]:
        if self._best is None or self._best.id == self._stored:
            return []
        self._stored = self._best.id
        return [self._best]
