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
            *averages, self._mean = self._averages([*boxes, self._whole_frame()])
        else:
            averages = self._averages(boxes)
        with np.errstate(all="ignore"):  # a damaged model returns anything
            found = [grouped(each - self._mean) for each in averages]
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
        letterbox, values, frame = self._letterbox, self._values, self._letterbox.frame
        _, rows, columns = values.shape
        scale = [letterbox.resized.width / frame.width, letterbox.resized.height / frame.height]
        cell = [letterbox.input.width / columns, letterbox.input.height / rows]
        corners = [(each.x_min, each.y_min, each.x_max, each.y_max) for each in boxes]
        sides = np.array(corners, np.float64)
        sides -= [*letterbox.origin] * 2
        sides *= scale * 2
        sides += [letterbox.left, letterbox.top] * 2
        sides /= cell * 2
        found = []
        for (first, wide), (above, high) in _weights(sides, columns, rows):
            part = values[:, above : above + len(high), first : first + len(wide)]
            weights = high[:, None] * wide
            found.append(np.asarray(np.einsum("cyx,yx->c", part, weights), np.float32))
        return found

    def _whole_frame(self) -> Box:
        frame, (left, top) = self._letterbox.frame, self._letterbox.origin
        return Box(left, top, left + frame.width, top + frame.height)


def grouped(feature: FloatArray) -> FloatArray:
    """Return at most 256 numbers: the means of neighbouring channels."""
    size = -(-len(feature) // MOST_NUMBERS)
    if size == 1:
        return feature
    begins = np.arange(0, len(feature), size)
    counts = np.minimum(size, len(feature) - begins)
    return np.asarray(np.add.reduceat(feature, begins) / counts, np.float32)


_Stretch = tuple[int, FloatArray]
"""The first cell of a stretch of an axis, and the share of each of its cells; their sum is 1."""


def _weights(
    sides: NDArray[np.float64], columns: int, rows: int
) -> Iterator[tuple[_Stretch, _Stretch]]:
    """Yield the stretches of each box, across and down.

    Args:
        sides: `[n, 4]` in cells, `xyxy`; a box of less than one cell is widened to one.
        columns: Of the map, at least 1.
        rows: Of the map, at least 1.
    """
    cells = np.array([columns, rows], np.float64)
    begin, end = (np.minimum(np.maximum(each, 0.0), cells) for each in (sides[:, :2], sides[:, 2:]))
    middle = np.minimum(np.maximum((begin + end - 1) / 2, 0.0), cells - 1.0)
    is_short = end - begin < 1
    begin, end = np.where(is_short, middle, begin), np.where(is_short, middle + 1, end)
    firsts = begin.astype(np.intp)
    lasts = np.minimum(cells, np.ceil(end)).astype(np.intp)
    heads = (firsts + 1) - begin.astype(np.float32)
    tails = end.astype(np.float32) - (lasts - 1)
    stretches = [
        (first, _shares(last - first, head, tail))
        for first, last, head, tail in zip(
            *(each.ravel().tolist() for each in (firsts, lasts, heads, tails)), strict=True
        )
    ]
    return zip(stretches[::2], stretches[1::2], strict=True)


def _shares(count: int, head: float, tail: float) -> FloatArray:
    """Return the shares of cells of which all but the ends are whole."""
    parts = np.ones(count, np.float32)
    if count > 1:
        parts[0], parts[-1] = head, tail
        parts /= np.add.reduce(parts)
    return parts
