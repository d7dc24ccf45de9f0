"""How fast one camera's frames come: whether neighbours tell anything about each other."""

from collections import deque
from collections.abc import Iterable
from statistics import fmean

from agent.domain import Frame

SLOWEST_FPS = 2.0
"""Below this rate neighbours tell nothing: objects are elsewhere in the next frame."""

KNOWN_STEPS = 3
"""Steps from one frame to the next after which the pace is known well enough to judge by."""

_TOLD_STEPS = 10  # after which a person is told that it is too slow: a start is uneven
_STEPS = 15
_SLOW_S = 1.1 / SLOWEST_FPS  # a camera of 15 fps comes as near to 2 fps as 7 frames and 8
_FAST_S = 1.02 / SLOWEST_FPS  # what was too slow is fast again from here on
_GAP_FACTOR = 4.0
_GAP_S = 1.0


class FrameRate:
    """How fast frames come, by the stream's clock. Unknown until three steps of it were seen."""

    def __init__(self) -> None:
        self.is_slow = False
        """Whether frames come too slowly for the rules of time, for certain; it does not waver."""
        self._at: float | None = None
        self._stream = ""
        self._steps: deque[float] = deque(maxlen=_STEPS)
        self._usual: float | None = None  # seconds of a step, once it is known

    @property
    def is_fast(self) -> bool:
        """Whether it is known that frames come fast enough for the rules of time."""
        return not self.is_slow and self._usual is not None and self._usual <= _SLOW_S

    def add(self, frame: Frame) -> None:
        """Take the next frame."""
        if frame.stream != self._stream:
            self._steps.clear()
            self._usual = None
        elif self._at is not None and frame.at > self._at:
            self._steps.append(frame.at - self._at)
        if len(self._steps) >= KNOWN_STEPS:
            self._usual = _usual(self._steps)
        if self._usual is not None and len(self._steps) >= _TOLD_STEPS:
            self.is_slow = self._usual > (_FAST_S if self.is_slow else _SLOW_S)
        self._at, self._stream = frame.at, frame.stream

    def is_gap(self, frame: Frame) -> bool:
        """Whether the frame, not yet added, does not continue what came before it."""
        if self._at is None:
            return False
        if frame.stream != self._stream or frame.at < self._at:
            return True
        return frame.at - self._at > max(_GAP_S, _GAP_FACTOR * (self._usual or 0.0))


def _usual(steps: Iterable[float]) -> float:
    """The mean of the middle half: of steps that alternate no median is steady."""
    ordered = sorted(steps)
    outer = max(1, len(ordered) // 4)
    return fmean(ordered[outer:-outer])
