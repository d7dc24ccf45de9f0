"""Masks of a segmentation model. Their outlines are computed when somebody asks for them.

Of the many detections of all frames few are stored. Until then a mask is a few numbers and a
reference to what all masks of its frame share.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.detector.formats.contract import ImageMasks, PrototypeMasks
from agent.detector.formats.decoded import CONFIDENCE_LIMIT
from agent.detector.letterbox import Letterbox
from agent.detector.outline import Grid, outline
from agent.domain import Box, FloatArray, Mask, Polygon

MARGIN = 2
"""Pixels of a mask around a box that the interpolation inside of it needs."""

PROBABLE = 0.5
"""Probability above which a pixel is inside of a mask."""

LARGEST = 6e4
"""Numbers from here on are damage; half precision ends at 65,504."""

Values = NDArray[np.float16]
"""A part of prototypes or of masks. Half precision: they are kept while a frame may be stored."""


Precision = TypeVar("Precision", np.float16, np.float32)

_OPENCV_CONVERTS = int(cv2.__version__.partition(".")[0]) >= 5  # noqa: PLR2004  # to half precision


class _LazyMask(ABC):
    """Base of masks: computes its polygon once."""

    __slots__ = ("_box", "_polygon")

    def __init__(self, box: Box) -> None:
        """Use the box that limits the mask: in pixels of the frame, with an area."""
        self._box = box
        self._polygon: Polygon | None = None

    def polygon(self) -> Polygon:
        """Return the outline of the object's largest part; empty if the mask has no area.

        Several threads may ask at once: then it is computed more than once, with one result.
        """
        if self._polygon is None:
            values, grid = self._values()
            self._polygon = outline(values, grid, self._box)
        return self._polygon

    @abstractmethod
    def _values(self) -> tuple[FloatArray, Grid]:
        """Return numbers around the box, above 0 inside of the object, and their place."""


class PrototypeMask(_LazyMask):
    """A mask as a sum of prototypes that all masks of a frame share."""

    __slots__ = ("_coefficients", "_grid", "_prototypes")

    def __init__(
        self,
        box: Box,
        coefficients: FloatArray,
        prototypes: Values,
        grid: Grid,
    ) -> None:
        """Use `[prototypes]` and `[prototypes, height, width]`, the latter at `grid`."""
        super().__init__(box)
        self._coefficients = coefficients
        self._prototypes = prototypes
        self._grid = grid

    def _values(self) -> tuple[FloatArray, Grid]:
        _, height, width = self._prototypes.shape
        columns, rows = _around(self._box, self._grid, width, height)
        part = self._prototypes[:, rows.start : rows.stop, columns.start : columns.stop]
        flat = _converted(part, np.float32).reshape(len(part), -1)
        values = (self._coefficients @ flat).reshape(len(rows), len(columns))
        return values, _moved(self._grid, columns.start, rows.start)


class ImageMask(_LazyMask):
    """A mask that the model computed, as probabilities."""

    __slots__ = ("_grid", "_image")

    def __init__(self, box: Box, image: Values, grid: Grid) -> None:
        """Use `[height, width]`, 0 to 1, which lies in the frame at `grid`."""
        super().__init__(box)
        self._image = image
        self._grid = grid

    def _values(self) -> tuple[FloatArray, Grid]:
        return _converted(self._image, np.float32) - np.float32(PROBABLE), self._grid


def masks_of(
    source: PrototypeMasks | ImageMasks,
    boxes: Sequence[Box],
    corners: FloatArray,
    letterbox: Letterbox,
) -> tuple[Mask | None, ...]:
    """Return the mask of each object; None if a number that it needs is NaN or infinite.

    What the masks refer to is copied, so that the model's whole output can be freed.

    Args:
        source: What the model said.
        boxes: Of the same objects, in pixels of the frame, inside its edges, with an area.
        corners: The same `[n, 4]` in pixels of the input, not clipped.
        letterbox: The frame's place in the input.
    """
    if not boxes:
        return ()
    if isinstance(source, PrototypeMasks):
        return _from_prototypes(source, boxes, letterbox)
    return _from_images(source, boxes, corners, letterbox)


def _from_prototypes(
    source: PrototypeMasks, boxes: Sequence[Box], letterbox: Letterbox
) -> tuple[Mask | None, ...]:
    _, height, width = source.prototypes.shape
    whole = _whole_input(letterbox, width, height)
    sides = np.array([(each.x_min, each.y_min, each.x_max, each.y_max) for each in boxes])
    union = Box(*sides[:, :2].min(axis=0).tolist(), *sides[:, 2:].max(axis=0).tolist())
    columns, rows = _around(union, whole, width, height)
    part = source.prototypes[:, rows.start : rows.stop, columns.start : columns.stop]
    if not _within(part, -LARGEST, LARGEST):
        return (None,) * len(boxes)
    prototypes = _converted(part, np.float16)
    grid = _moved(whole, columns.start, rows.start)
    valid = [_within(row, -LARGEST, LARGEST) for row in source.coefficients]
    return tuple(
        PrototypeMask(box, row, prototypes, grid) if is_valid else None
        for box, row, is_valid in zip(boxes, source.coefficients, valid, strict=True)
    )


def _from_images(
    source: ImageMasks, boxes: Sequence[Box], corners: FloatArray, letterbox: Letterbox
) -> tuple[Mask | None, ...]:
    _, height, width = source.images.shape
    made: list[Mask | None] = []
    for box, row, inner in zip(boxes, source.rows.tolist(), corners, strict=True):
        image = source.images[row]
        if source.over_box:
            grid, part = _over_box(inner, letterbox, width, height), image
        else:
            whole = _whole_input(letterbox, width, height)
            columns, rows = _around(box, whole, width, height)
            part = image[rows.start : rows.stop, columns.start : columns.stop]
            grid = _moved(whole, columns.start, rows.start)
        valid = _within(part, 1 - CONFIDENCE_LIMIT, CONFIDENCE_LIMIT)
        made.append(ImageMask(box, _converted(part, np.float16), grid) if valid else None)
    return tuple(made)


def _converted(numbers: NDArray[Any], to: type[Precision]) -> NDArray[Precision]:
    """Return a copy in another precision; OpenCV 5 converts 10 times as fast as numpy."""
    if not _OPENCV_CONVERTS:
        return numbers.astype(to)
    depth = cv2.CV_16F if to is np.float16 else cv2.CV_32F
    flat = np.ascontiguousarray(numbers).reshape(1, -1)
    return np.asarray(cv2.add(flat, 0.0, dtype=depth), to).reshape(numbers.shape)


def _within(numbers: FloatArray, low: float, high: float) -> bool:
    """Whether all numbers are in this range; NaN is not."""
    return numbers.size == 0 or bool(numbers.min() >= low and numbers.max() <= high)


def _whole_input(letterbox: Letterbox, width: int, height: int) -> Grid:
    """Return the place of a map that covers the whole input."""
    across, down = letterbox.ratios
    return Grid(
        letterbox.origin[0] - letterbox.left * across,
        letterbox.origin[1] - letterbox.top * down,
        letterbox.input.width / width * across,
        letterbox.input.height / height * down,
    )


def _over_box(corners: FloatArray, letterbox: Letterbox, width: int, height: int) -> Grid:
    """Return the place of a map that covers a box of the input."""
    across, down = letterbox.ratios
    left, top, right, bottom = corners.tolist()
    return Grid(
        letterbox.origin[0] + (left - letterbox.left) * across,
        letterbox.origin[1] + (top - letterbox.top) * down,
        (right - left) * across / width,
        (bottom - top) * down / height,
    )


def _around(box: Box, grid: Grid, width: int, height: int) -> tuple[range, range]:
    """Return the columns and rows of a map that a box needs; at least one each."""
    return (
        _needed(box.x_min, box.x_max, grid.left, grid.column, width),
        _needed(box.y_min, box.y_max, grid.top, grid.row, height),
    )


def _needed(low: float, high: float, start: float, step: float, count: int) -> range:
    first = min(max(int((low - start) / step) - MARGIN, 0), count - 1)
    return range(first, min(max(int((high - start) / step) + 1 + MARGIN, first + 1), count))


def _moved(grid: Grid, column: int, row: int) -> Grid:
    """Return the place of the part that begins at this column and row."""
    return Grid(grid.left + column * grid.column, grid.top + row * grid.row, grid.column, grid.row)
