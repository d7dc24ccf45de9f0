"""The encoded frames of one camera, and the clips that they become. No threads, no clocks."""

import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.domain import Clip, ClipFrame, ClipSpan
from agent.record.clips import MOST_BYTES, MOST_FRAMES

_SAME_S = 1e-6  # times nearer than this are the same: 0.3 is not 3 x 0.1


class Moment:
    """The clip around one frame; filled by the thread that encodes."""

    __slots__ = ("__weakref__", "_clip", "at", "is_shortened", "is_whole")

    def __init__(self, at: float) -> None:
        self.at = at
        self.is_whole = False
        """Whether no frame will be added."""
        self.is_shortened = False
        """Whether frames of its lead were analysed and are not there."""
        self._clip: Clip | None = None

    def clip(self) -> Clip | None:
        """Return the clip; None before it is whole, and if no frame was encoded."""
        return self._clip

    def close(self, clip: Clip | None) -> None:
        """Set the clip for good."""
        self._clip, self.is_whole = clip, True


@dataclass(slots=True)
class ClipRing:
    """The encoded frames of one camera, oldest first."""

    span: ClipSpan
    frames: deque[ClipFrame] = field(default_factory=deque)
    missing: deque[float] = field(default_factory=deque)  # times of frames that are not there
    open: deque[tuple[float, "weakref.ref[Moment]"]] = field(default_factory=deque)
    bytes: int = 0
    arrived_at: float = 0.0  # when the latest frame was handed over, in monotonic seconds
    last_at: float = float("-inf")
    is_short: bool = False  # dropped frames were reported

    def add(
        self, at: float, frame: ClipFrame | None, moment: "weakref.ref[Moment]"
    ) -> list[Moment]:
        """Add the next frame, None if it was not encoded; return the moments that it completes."""
        whole = []
        if at < self.last_at or (frame and self.frames and not same_size(frame, self.frames[-1])):
            whole = self.end()  # another stream, or another size: no clip holds both
        self.last_at = at
        if frame is None:
            self.missing.append(at)
        else:
            self.frames.append(frame)
            self.bytes += len(frame.data)
        self.open.append((at, moment))
        return whole + self.advance(at)

    def advance(self, at: float) -> list[Moment]:
        """Return the moments that are complete at `at`, and forget frames that none needs."""
        whole = []
        self.last_at = at
        while self.open and self.open[0][0] + self.span.after <= at + _SAME_S:
            _, reference = self.open.popleft()
            found = reference()
            if found is not None and not found.is_whole:
                self.complete(found)
                whole.append(found)
        while self.open and self.open[0][1]() is None:
            self.open.popleft()
        begin = self.needed_from()
        while len(self.frames) > 1 and self.frames[1].at <= begin + _SAME_S:
            self.bytes -= len(self.frames.popleft().data)
        while self.missing and self.missing[0] < begin - self.span.before:
            self.missing.popleft()
        return whole

    def needed_from(self) -> float:
        """Return the time from which frames are needed: the lead of the oldest open moment."""
        return (self.open[0][0] if self.open else self.last_at) - self.span.before

    def end(self) -> list[Moment]:
        """Close all open moments with what there is, and forget all frames."""
        found = [moment for _, reference in self.open if (moment := reference()) is not None]
        for moment in found:
            self.complete(moment)
        self.frames.clear()
        self.missing.clear()
        self.open.clear()
        self.bytes = 0
        return found

    def give_up_oldest(self) -> bool:
        """Give up the oldest frame; return whether a clip may have needed it."""
        frame = self.frames.popleft()
        self.bytes -= len(frame.data)
        self.missing.append(frame.at)
        return frame.at >= self.needed_from()

    def complete(self, moment: Moment) -> None:
        """Close a moment with what there is."""
        clip = self.around(moment.at)
        begin, end = moment.at - self.span.before, clip.frames[0].at if clip else moment.at
        moment.is_shortened = end > begin and any(begin <= each < end for each in self.missing)
        moment.close(clip)

    def around(self, at: float) -> Clip | None:
        """Return the frames around a time: the last one before the lead, to the first after."""
        frames = list(self.frames)
        begin = max(
            (n for n, each in enumerate(frames) if each.at <= at - self.span.before + _SAME_S),
            default=0,
        )
        end = next(
            (n for n, each in enumerate(frames) if each.at >= at + self.span.after - _SAME_S), None
        )
        chosen = frames[begin : None if end is None else end + 1]
        return self.clip_of(chosen, at)

    def clip_of(self, frames: Sequence[ClipFrame], at: float) -> Clip | None:
        """Return the newest of `frames` that a clip can hold, with the number of missing ones."""
        size, first = 0, len(frames)
        while first > max(0, len(frames) - MOST_FRAMES) and size <= MOST_BYTES:
            first -= 1
            size += len(frames[first].data)
        if size > MOST_BYTES:
            first += 1
        chosen = tuple(frames[first:])
        if not chosen:
            return None
        begin, end = at - self.span.before, max(chosen[-1].at, at + self.span.after)
        dropped = sum(begin <= each <= end for each in self.missing)
        return Clip(chosen, dropped + sum(each.at >= begin for each in frames[:first]))


def same_size(one: ClipFrame, other: ClipFrame) -> bool:
    """Whether two frames may be in one clip."""
    return (one.width, one.height) == (other.width, other.height)
