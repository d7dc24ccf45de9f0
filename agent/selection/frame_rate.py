"""The frame rate of one camera: whether neighbouring frames can be compared."""

from collections import deque
from collections.abc import Iterable
from statistics import fmean

from agent.domain import Frame

SLOWEST_FPS = 2.0
"""At a lower rate frames cannot be compared: objects are elsewhere in the next frame."""

KNOWN_STEPS = 3
"""Steps from one frame to the next after which the rate is known."""

_SLOW_STEPS = 10  # before frames can be called too slow: they are uneven after a start
_STEPS = 15  # that are remembered
_SLOW_S = 1.1 / SLOWEST_FPS  # a 15 fps camera can give 2 fps only as every 7th or 8th frame
_FAST_S = 1.02 / SLOWEST_FPS  # hysteresis: frames that were too slow are fast again below this
_GAP_FACTOR = 4.0  # times the usual step; a longer one is a gap
_GAP_S = 1.0  # a shorter step is never a gap


class FrameRate:
    """The rate of frames by the stream's clock; unknown until three steps were seen."""

    def __init__(self) -> None:
        self.is_slow = False
        """Whether frames certainly come too slowly for temporal rules; has hysteresis."""
        self._at: float | None = None
        self._stream = ""
        self._steps: deque[float] = deque(maxlen=_STEPS)
        self._usual: float | None = None  # seconds of a step, None until known

    @property
    def is_fast(self) -> bool:
        """Whether frames certainly come fast enough for temporal rules."""
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
        if self._usual is not None and len(self._steps) >= _SLOW_STEPS:
            self.is_slow = self._usual > (_FAST_S if self.is_slow else _SLOW_S)
        self._at, self._stream = frame.at, frame.stream

    def is_gap(self, frame: Frame) -> bool:
        """Whether there is a gap between the latest frame and this one, which is not added yet."""
        if self._at is None:
            return False
        if frame.stream != self._stream or frame.at < self._at:
            return True
        return frame.at - self._at > max(_GAP_S, _GAP_FACTOR * (self._usual or 0.0))


def _usual(steps: Iterable[float]) -> float:
    """Return the interquartile mean: the median jumps when two step lengths alternate."""
    ordered = sorted(steps)
    outer = max(1, len(ordered) // 4)
    return fmean(ordered[outer:-outer])
