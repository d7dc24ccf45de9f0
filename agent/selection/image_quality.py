"""Images of little value whatever the model says: dark, overexposed, blurred, frozen, covered.

Used by the score lane alone. At most a twentieth of the credits buys degraded frames, so that the
dataset includes night; a frozen or covered frame is never purchased.
"""

from collections import deque
from enum import StrEnum

import numpy as np

from agent.domain import Grey

BLUR_RATIO = 0.35
"""Of the camera's own median sharpness: absolute limits fail, scenes differ too much."""

DEGRADED_SHARE = 0.05

_DARK = 25.0  # mean grey level
_BLOWN_OUT = 0.4  # share of the image at the upper end
_WHITE = 250
_FLAT = 6.0  # standard deviation of grey levels: nothing to see, though there is light
_BLOCKED_RATIO = 0.1
_HISTORY = 600
_HISTORY_STEP_S = 1.0
_HISTORY_LEAST = 20
_LASTS_S = 10.0


class ImageQuality(StrEnum):
    """What the image is like."""

    CLEAR = "clear"
    DARK = "dark"
    BLOWN_OUT = "blown out"
    BLURRED = "blurred"
    FROZEN = "frozen"
    BLOCKED = "blocked"

    @property
    def is_degraded(self) -> bool:
        """Hard to see, yet what the camera saw: a few are worth having."""
        return self in {ImageQuality.DARK, ImageQuality.BLOWN_OUT, ImageQuality.BLURRED}

    @property
    def is_useless(self) -> bool:
        """Nothing new can be learnt from it."""
        return self in {ImageQuality.FROZEN, ImageQuality.BLOCKED}


class QualityMonitor:
    """Judges one camera's images, in order, by what that camera usually shows."""

    def __init__(self) -> None:
        self._sharpness: deque[float] = deque(maxlen=_HISTORY)
        self._remembered_at: float | None = None
        self._median = 0.0
        self._previous: Grey | None = None
        self._since: tuple[ImageQuality, float] | None = None
        self.lasting = ImageQuality.CLEAR
        """The condition that has lasted for 10 s: what an operator is told."""

    def judge(self, grey: Grey, at: float) -> ImageQuality:
        """The condition of the next image `[180, 320]`, at `at` seconds of the stream."""
        condition = self._condition(grey, at)
        self._previous = grey
        if self._since is None or self._since[0] is not condition or at < self._since[1]:
            self._since = (condition, at)
        if at - self._since[1] >= _LASTS_S:
            self.lasting = condition
        return condition

    def _condition(self, grey: Grey, at: float) -> ImageQuality:
        if self._previous is not None and np.array_equal(grey, self._previous):
            return ImageQuality.FROZEN
        mean = float(grey.mean())
        if mean < _DARK:
            return ImageQuality.DARK
        if np.count_nonzero(grey >= _WHITE) > _BLOWN_OUT * grey.size:
            return ImageQuality.BLOWN_OUT
        sharpness = laplacian_variance(grey)
        usual = self._usual(sharpness, at)
        if usual is None:
            return ImageQuality.CLEAR
        if sharpness < _BLOCKED_RATIO * usual and float(grey.std()) < _FLAT:
            return ImageQuality.BLOCKED
        return ImageQuality.BLURRED if sharpness < BLUR_RATIO * usual else ImageQuality.CLEAR

    def _usual(self, sharpness: float, at: float) -> float | None:
        """The camera's median sharpness; None until there is enough of a past."""
        last = self._remembered_at
        if last is None or at - last >= _HISTORY_STEP_S or at < last:
            self._sharpness.append(sharpness)
            self._median = float(np.median(self._sharpness))
            self._remembered_at = at
        return self._median if len(self._sharpness) >= _HISTORY_LEAST else None


def laplacian_variance(grey: Grey) -> float:
    """Sharpness of an image: the variance of its second differences (Pech-Pacheco, ICPR 2000)."""
    picture = grey.astype(np.int16)
    second = picture[1:-1, 1:-1] * np.int16(-4)
    for neighbour in (picture[:-2, 1:-1], picture[2:, 1:-1], picture[1:-1, :-2], picture[1:-1, 2:]):
        second += neighbour
    flat = second.astype(np.float32).ravel()
    return max(0.0, float(np.dot(flat, flat)) / flat.size - float(flat.mean()) ** 2)
