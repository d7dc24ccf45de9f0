"""Image quality: dark, overexposed, blurred, frozen and covered images have little value.

Only the score lane uses it. Degraded frames get at most a twentieth of the credits, so that the
dataset includes night; a frozen or covered frame is never purchased.
"""

from collections import deque
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from agent.domain import Grey

BLUR_RATIO = 0.35
"""Share of the camera's own median sharpness below which an image is blurred.

An absolute limit fails: scenes differ too much."""

_DARK = 25.0  # mean grey level
_OVEREXPOSED = 0.4  # share of pixels that are white
_WHITE = 250  # grey level
_FLAT = 6.0  # standard deviation of grey levels: there is light, but no structure
_COVERED_RATIO = 0.1  # of the camera's median sharpness
_BLANK = 2.0  # standard deviation of grey levels: the lens is covered, or the image is one colour
_ROUNDING = 1e-6  # grey levels, by which two ways to compute a deviation may differ
_HISTORY = 600  # sharpness values
_HISTORY_STEP_S = 1.0
_HISTORY_LEAST = 20  # values before a median counts
_LASTS_S = 10.0


class ImageQuality(StrEnum):
    """The quality of one image."""

    CLEAR = "clear"
    DARK = "dark"
    OVEREXPOSED = "overexposed"
    BLURRED = "blurred"
    FROZEN = "frozen"
    COVERED = "covered"

    @property
    def is_degraded(self) -> bool:
        """Whether the image is hard to see, but real: a few of them are useful."""
        return self in {ImageQuality.DARK, ImageQuality.OVEREXPOSED, ImageQuality.BLURRED}

    @property
    def is_unusable(self) -> bool:
        """Whether a label of the image would show nothing new."""
        return self in {ImageQuality.FROZEN, ImageQuality.COVERED}


class QualityMonitor:
    """Assesses one camera's images, in order, against what that camera usually shows."""

    def __init__(self) -> None:
        self._sharpness: deque[float] = deque(maxlen=_HISTORY)
        self._remembered_at: float | None = None
        self._median = 0.0
        self._previous: Grey | None = None
        self._since: tuple[ImageQuality, float] | None = None
        self.lasting = ImageQuality.CLEAR
        """The quality that has lasted for 10 s: the one that is logged."""

    def assess(self, grey: Grey, at: float) -> ImageQuality:
        """Return the quality of the next image `[180, 320]`, at `at` seconds of the stream."""
        quality = self._quality(grey, at)
        self._previous = grey
        if self._since is None or self._since[0] is not quality or at < self._since[1]:
            self._since = (quality, at)
        if at - self._since[1] >= _LASTS_S:
            self.lasting = quality
        return quality

    def _quality(self, grey: Grey, at: float) -> ImageQuality:
        if self._previous is not None and _are_equal(grey, self._previous):
            return ImageQuality.FROZEN
        alone = quality_alone(grey)
        if alone is not ImageQuality.CLEAR:
            return alone
        sharpness = laplacian_variance(grey)
        usual = self._usual(sharpness, at)
        if usual is None:
            return ImageQuality.CLEAR
        if sharpness < _COVERED_RATIO * usual and float(grey.std()) < _FLAT:
            return ImageQuality.COVERED
        return ImageQuality.BLURRED if sharpness < BLUR_RATIO * usual else ImageQuality.CLEAR

    def _usual(self, sharpness: float, at: float) -> float | None:
        """Return the camera's median sharpness; None until enough images were seen."""
        last = self._remembered_at
        if last is None or at - last >= _HISTORY_STEP_S or at < last:
            self._sharpness.append(sharpness)
            self._median = float(np.median(self._sharpness))
            self._remembered_at = at
        return self._median if len(self._sharpness) >= _HISTORY_LEAST else None


def quality_alone(grey: Grey) -> ImageQuality:
    """Return the quality of an image `[180, 320]` of a camera of which nothing else is known."""
    mean = _mean(grey)
    if mean < _DARK:
        return ImageQuality.DARK
    is_bright = mean >= _OVEREXPOSED * _WHITE  # or so many pixels cannot be white
    if is_bright and np.count_nonzero(grey >= _WHITE) > _OVEREXPOSED * grey.size:
        return ImageQuality.OVEREXPOSED
    return ImageQuality.CLEAR


def is_blank(grey: Grey) -> bool:
    """Whether an image `[180, 320]` shows nothing, whatever its camera usually shows."""
    import cv2  # not at the top: to load the runtime needs no OpenCV

    deviation = float(cv2.meanStdDev(grey)[1][0, 0])  # in a tenth of the time of NumPy
    if abs(deviation - _BLANK) < _ROUNDING:
        deviation = float(grey.std())
    return deviation < _BLANK


def _are_equal(a: Grey, b: Grey) -> bool:
    """Compare some rows first: images of a camera nearly always differ."""
    return np.array_equal(a[::16], b[::16]) and np.array_equal(a, b)


def _mean(image: NDArray[np.integer]) -> float:
    import cv2  # not at the top: to load the runtime needs no OpenCV

    return float(cv2.mean(image)[0])


def laplacian_variance(grey: Grey) -> float:
    """Return an image's sharpness: the variance of its Laplacian (Pech-Pacheco, ICPR 2000)."""
    import cv2  # not at the top: to load the runtime needs no OpenCV

    second = cv2.Laplacian(grey, cv2.CV_16S, ksize=1)[1:-1, 1:-1]
    mean_square: float = cv2.norm(second, cv2.NORM_L2SQR) / second.size
    mean = _mean(second)
    return max(0.0, mean_square - mean * mean)
