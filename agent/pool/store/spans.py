"""Which items are finished, from rows of many parts of which some may be missing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.pool.rows import NOT_READ


@dataclass(slots=True)
class _Span:
    """The rows of one recording: each stands for the frames from `since` on."""

    next_frame: int = 0
    """The first frame that no row stands for."""
    apart: list[tuple[int, int]] = field(default_factory=list)
    """Since, and the frame that follows, of rows after a gap."""
    ends: set[int] = field(default_factory=set)  # frames that follow the last one

    @property
    def is_finished(self) -> bool:
        return any(self.next_frame >= end for end in self.ends)

    def add(self, since: int, after: int) -> None:
        if since > self.next_frame:
            self.apart.append((since, after))
            return
        self.next_frame = max(self.next_frame, after)
        if self.apart:
            apart, self.apart = sorted(self.apart), []
            for row in apart:
                self.add(*row)


@dataclass(slots=True)
class Spans:
    """What is kept of each item, by identity. An image has one row; only recordings have spans."""

    rows: int = 0
    unreadable: int = 0  # rows with a problem
    _finished: set[str] = field(default_factory=set)
    _unread: set[str] = field(default_factory=set)
    _recordings: dict[str, _Span] = field(default_factory=dict)

    def add(self, item: str, since: int, frame: int | None, *, is_last: bool) -> None:
        """Take a row; one that is kept twice counts twice."""
        self.rows += 1
        after = since if frame is None else frame + 1
        if is_last and not since and frame is None:
            self._finished.add(item)
            return
        span = self._recordings.setdefault(item, _Span())
        span.add(since, after)
        if is_last:
            span.ends.add(after)

    def add_problem(self, item: str, problem: str) -> bool:
        """Take the problem of a row; return whether its item is to be tried again.

        Such a row counts as none.
        """
        if problem.startswith(NOT_READ):
            self._unread.add(item)
            return True
        self.unreadable += bool(problem)
        return False

    def end(self, item: str, after: int) -> None:
        """Take the note that an item ended before the frame `after`."""
        if after:
            self._recordings.setdefault(item, _Span()).ends.add(after)
        else:
            self._finished.add(item)

    def is_finished(self, item: str) -> bool:
        """Whether all rows of an item are there."""
        if item in self._finished:
            return True
        span = self._recordings.get(item)
        return span is not None and span.is_finished

    def next_frame(self, item: str) -> int:
        """Return the first frame of an item that no row stands for."""
        span = self._recordings.get(item)
        return span.next_frame if span is not None else 0

    def finished(self) -> frozenset[str]:
        """Return all finished items."""
        self._finished.update(item for item, span in self._recordings.items() if span.is_finished)
        return frozenset(self._finished)

    def unread(self) -> frozenset[str]:
        """Return all items that are to be tried again."""
        return frozenset(item for item in self._unread if not self.is_finished(item))

    def begun(self) -> Mapping[str, int]:
        """Return the unfinished recordings of which there are rows, with the next frame."""
        return {
            item: span.next_frame
            for item, span in self._recordings.items()
            if not span.is_finished and item not in self._finished and span.next_frame
        }
