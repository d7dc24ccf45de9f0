"""What objects look like to a model: the mean of one of its maps over each box.

A map of the backbone is made in each run anyway. Where an object lies, its mean, less the mean over
the whole frame, is nearly the same whenever the same object is seen, and differs for others: so
objects are recognized again without another model. Nothing is computed until somebody asks.
"""

import math

import numpy as np

from agent.detector.letterbox import Letterbox
from agent.domain import Box, Feature, FloatArray

MOST_NUMBERS = 256
"""Of one feature; neighbouring channels of maps with more are averaged."""

_LEAST_LENGTH = 1e-6  # of a feature before it is normalized; shorter ones are rounding errors


class FeatureMap:
    """The map of one run: gives the feature of any box of its frame. Implements `ObjectFeatures`.

    It holds the map until it is dropped: 0.7 MB with the bundled model at 416 x 416.
    """

    __slots__ = ("_letterbox", "_mean", "_values", "source")

    def __init__(self, values: FloatArray, letterbox: Letterbox, source: str) -> None:
        """Use a map `[channels, height, width]` of the input that `letterbox` filled.

        `source` names model and tensor.
        """
        self.source = source
        self._values = values
        self._letterbox = letterbox
        self._mean: FloatArray | None = None  # over the frame's part of the map

    def feature_of(self, box: Box) -> Feature | None:
        """Return the feature of a box in pixels of the frame; see `ObjectFeatures`."""
        if self._mean is None:
            frame = self._letterbox.frame
            left, top = self._letterbox.origin
            self._mean = self._average(Box(left, top, left + frame.width, top + frame.height))
        with np.errstate(all="ignore"):  # a damaged model returns anything
            feature = grouped(self._average(box) - self._mean)
            length = float(np.linalg.norm(feature))
            if not _LEAST_LENGTH < length < math.inf:  # NaN too
                return None
            return (feature / length).astype(np.float16)

    def _average(self, box: Box) -> FloatArray:
        """Return the mean of each channel over a box, at least over the area of one cell."""
        letterbox = self._letterbox
        _, rows, columns = self._values.shape
        across = letterbox.resized.width / letterbox.frame.width
        down = letterbox.resized.height / letterbox.frame.height
        cell_width, cell_height = letterbox.input.width / columns, letterbox.input.height / rows
        before, above = letterbox.origin
        left, wide = _weights(
            ((box.x_min - before) * across + letterbox.left) / cell_width,
            ((box.x_max - before) * across + letterbox.left) / cell_width,
            columns,
        )
        top, high = _weights(
            ((box.y_min - above) * down + letterbox.top) / cell_height,
            ((box.y_max - above) * down + letterbox.top) / cell_height,
            rows,
        )
        part = self._values[:, top : top + len(high), left : left + len(wide)]
        return np.asarray(np.einsum("cyx,y,x->c", part, high, wide), np.float32)


def grouped(feature: FloatArray) -> FloatArray:
    """Return at most 256 numbers: the means of neighbouring channels."""
    size = -(-len(feature) // MOST_NUMBERS)
    if size == 1:
        return feature
    begins = np.arange(0, len(feature), size)
    counts = np.minimum(size, len(feature) - begins)
    return np.asarray(np.add.reduceat(feature, begins) / counts, np.float32)


def _weights(begin: float, end: float, cells: int) -> tuple[int, FloatArray]:
    """Return the first cell of a stretch and the share of each of its cells; they sum up to 1.

    Args:
        begin: In cells, from 0 to `cells`.
        end: At least `begin`; a stretch of less than one cell is widened to one.
        cells: Of the map, at least 1.
    """
    begin, end = (min(max(each, 0.0), float(cells)) for each in (begin, end))
    if end - begin < 1:
        begin = min(max((begin + end - 1) / 2, 0.0), cells - 1.0)
        end = begin + 1
    first, last = int(begin), min(cells, math.ceil(end))
    parts = np.ones(last - first, np.float32)  # all but the ends are whole cells
    at = np.float32(last - 1)
    parts[-1] = np.float32(end) - (max(at, np.float32(begin)) if last - first == 1 else at)
    if last - first > 1:
        parts[0] = np.float32(first + 1) - np.float32(begin)
    parts /= parts.sum()
    return first, parts
