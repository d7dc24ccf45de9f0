"""What objects look like to a model: the mean of one of its maps over each box.

A map of the backbone is made in each run anyway. Where an object lies, its mean, less the mean over
the whole frame, is nearly the same whenever the same object is seen, and differs for others: so
objects are recognized again without another model. Nothing is computed until somebody asks.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

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

    def features_of(self, boxes: Sequence[Box]) -> list[Feature | None]:
        """Return the feature of each box in pixels of the frame; see `ObjectFeatures`."""
        if not boxes:
            return []
        if self._mean is None:
            frame = self._letterbox.frame
            left, top = self._letterbox.origin
            whole = Box(left, top, left + frame.width, top + frame.height)
            [self._mean] = self._averages([whole])
        with np.errstate(all="ignore"):  # a damaged model returns anything
            found = [grouped(each - self._mean) for each in self._averages(boxes)]
            lengths = [math.sqrt(each.dot(each)) for each in found]
            return [
                # NaN has no length either.
                (feature / np.float32(length)).astype(np.float16)
                if _LEAST_LENGTH < length < math.inf
                else None
                for feature, length in zip(found, lengths, strict=True)
            ]

    def _averages(self, boxes: Sequence[Box]) -> list[FloatArray]:
        """Return the mean of each channel over each box, at least over the area of one cell."""
        letterbox, values = self._letterbox, self._values
        _, rows, columns = values.shape
        scale = [
            letterbox.resized.width / letterbox.frame.width,
            letterbox.resized.height / letterbox.frame.height,
        ]
        cell = [letterbox.input.width / columns, letterbox.input.height / rows]
        corners = [(each.x_min, each.y_min, each.x_max, each.y_max) for each in boxes]
        sides = np.array(corners, np.float64)
        sides -= [*letterbox.origin] * 2
        sides *= scale * 2
        sides += [letterbox.left, letterbox.top] * 2
        sides /= cell * 2
        across = _weights(sides[:, 0], sides[:, 2], columns)
        down = _weights(sides[:, 1], sides[:, 3], rows)
        found = []
        for (left, wide), (top, high) in zip(across, down, strict=True):
            part = values[:, top : top + len(high), left : left + len(wide)]
            found.append(np.asarray(np.einsum("cyx,y,x->c", part, high, wide), np.float32))
        return found


def grouped(feature: FloatArray) -> FloatArray:
    """Return at most 256 numbers: the means of neighbouring channels."""
    size = -(-len(feature) // MOST_NUMBERS)
    if size == 1:
        return feature
    begins = np.arange(0, len(feature), size)
    counts = np.minimum(size, len(feature) - begins)
    return np.asarray(np.add.reduceat(feature, begins) / counts, np.float32)


def _weights(
    begin: NDArray[np.float64], end: NDArray[np.float64], cells: int
) -> Iterator[tuple[int, FloatArray]]:
    """Yield the first cell of each stretch and the share of each of its cells; they sum up to 1.

    Args:
        begin: In cells, from 0 to `cells`.
        end: At least `begin`; a stretch of less than one cell is widened to one.
        cells: Of the map, at least 1.
    """
    begin, end = (np.minimum(np.maximum(each, 0.0), float(cells)) for each in (begin, end))
    middle = np.minimum(np.maximum((begin + end - 1) / 2, 0.0), cells - 1.0)
    is_short = end - begin < 1
    begin, end = np.where(is_short, middle, begin), np.where(is_short, middle + 1, end)
    firsts = begin.astype(np.intp)
    lasts = np.minimum(cells, np.ceil(end)).astype(np.intp)
    heads = (firsts + 1) - begin.astype(np.float32)
    tails = end.astype(np.float32) - (lasts - 1)
    for first, last, head, tail in zip(
        firsts.tolist(), lasts.tolist(), heads.tolist(), tails.tolist(), strict=True
    ):
        if last - first == 1:
            yield first, np.ones(1, np.float32)
            continue
        # All but the ends are whole cells.
        parts = np.array([head, *[1.0] * (last - first - 2), tail], np.float32)
        parts /= np.add.reduce(parts)
        yield first, parts
