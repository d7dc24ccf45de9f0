"""NanoDet with a generalized focal loss head: one grid of cells per stride, boxes as bins.

Its newer exports, and NanoDet-Plus, are in `nanodet_plus.py`.

Per stride 8, 16, 32 the graph has two outputs over the same n = ceil(height / stride) *
ceil(width / stride) cells, row by row:

- `[1, n, classes]`: confidence of each class, after the sigmoid;
- `[1, n, 4 * bins]`: for left, top, right, bottom the logits of a distribution over the distances
  0, 1, ..., bins - 1 strides from the cell's centre `((column + 0.5) * stride, (row + 0.5) *
  stride)`; the distance is the distribution's mean.

Source: `NanoDetHead.forward_single` in `nanodet/model/head/nanodet_head.py`,
`get_single_level_center_point` in `gfl_head.py`, and `reg_max`, `keep_ratio` and `normalize` in
`config/nanodet-g.yml` of RangiLyu/nanodet (Apache-2.0; BGR, normalized with the mean and standard
deviation of ImageNet); Li et al., "Generalized Focal Loss", 2020, for the distributions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agent.detector.formats.contract import (
    ChannelOrder,
    Columns,
    Layout,
    ModelSignature,
    Preprocessing,
)
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.geometry import STRIDES, cells
from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

WIDTHS = (32, 44)  # 4 sides of 8 or 11 bins: the head's reg_max is 7 or 10
DEFAULT_SIZE = Size(416, 416)


class NanoDet:
    """NanoDet exports with one pair of outputs per stride."""

    name = "nanodet"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = 0.6
    strides: tuple[int, ...] = STRIDES

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            classes = self.layout(model).classes
        except ConfigurationError:
            return None
        sides = f"{classes} classes and 4 sides of bins"
        return f"a pair of outputs for each stride {self.strides}, {sides}"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the outputs.

        Raises:
            ConfigurationError: There is not one pair of outputs for each stride.
        """
        shapes = [output.shape for output in model.outputs]
        levels = _levels(tuple(shapes), model.size, self.strides)
        widths = {(shapes[level.scores][2], shapes[level.bins][2]) for level in levels}
        if len(levels) == len(self.strides) and 2 * len(levels) == len(shapes) and len(widths) == 1:
            classes, bins = widths.pop()
            if classes and bins in WIDTHS:
                confidences = tuple(Columns(level.scores) for level in levels)
                return Layout(tuple(range(len(shapes))), classes, confidences=confidences)
        grids = ", ".join(str(cells(model.size, stride)) for stride in self.strides)
        widest = " or ".join(str(width) for width in WIDTHS)
        raise ConfigurationError(
            f"{self.name} has two outputs, [1, n, classes] and [1, n, {widest}], for each n of "
            f"{grids}"
        )

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return Preprocessing(
            channel_order=ChannelOrder.BGR,
            mean=(103.53, 116.28, 123.675),
            std=(57.375, 57.12, 58.395),
            padding=Padding.BOTTOM_RIGHT,
            pad_value=0,
            stride=model.metadata.stride or max(STRIDES),
            size=model.metadata.size or DEFAULT_SIZE,
        )

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:
        """Return the detections at or above `floor`; only the best class of each cell."""
        levels = _levels(tuple(output.shape for output in outputs), size, self.strides)
        grids = [
            Grid(outputs[level.scores][0], outputs[level.bins][0], level.stride, level.columns)
            for level in levels
        ]
        return decoded_grids(grids, centre=0.5, floor=floor)


@dataclass(frozen=True, slots=True)
class _Level:
    """One stride: the indices of its outputs, and the number of cells in a row."""

    stride: int
    columns: int
    scores: int
    bins: int


@lru_cache(64)  # the same for each frame of a camera
def _levels(
    shapes: tuple[tuple[int | None, ...], ...], size: Size, strides: tuple[int, ...]
) -> tuple[_Level, ...]:
    """Pair the outputs of each stride by their number of cells; omit a stride without two.

    The exporter's names are of no use. The bins are the output with one of `WIDTHS`; if both have
    such a width (a model of 44 classes), the second.
    """
    levels = []
    for stride in strides:
        leading = (1, cells(size, stride))
        pair = [index for index, shape in enumerate(shapes) if shape[:-1] == leading]
        if len(pair) == 2:  # noqa: PLR2004  # a pair
            scores, bins = sorted(pair, key=lambda index: (shapes[index][-1] in WIDTHS, index))
            levels.append(_Level(stride, math.ceil(size.width / stride), scores, bins))
    return tuple(levels)


@dataclass(frozen=True, slots=True)
class Grid:
    """The outputs of one stride."""

    scores: FloatArray  # [n, classes]
    bins: FloatArray  # [n, 4 * bins], logits
    stride: int  # pixels of a cell
    columns: int  # cells in a row


def decoded_grids(grids: Sequence[Grid], *, centre: float, floor: float) -> DecodedDetections:
    """Return the detections of the cells at or above `floor`; only the best class of each cell.

    Nearly all cells are below the floor: nothing but one comparison is computed for them, and what
    follows is computed for the cells of all grids at once.

    Args:
        grids: Of all strides.
        centre: Origin of the distances in the cell, in strides from its top left corner.
        floor: Lowest confidence, 0 to 1.
    """
    chosen = [_cells_from(grid.scores, floor) for grid in grids]
    scores = np.concatenate([grid.scores[rows] for grid, rows in zip(grids, chosen, strict=True)])
    logits = np.concatenate([grid.bins[rows] for grid, rows in zip(grids, chosen, strict=True)])
    reach = _mean_distances(logits.reshape(4 * len(scores), logits.shape[1] // 4))
    reach = reach.reshape(len(scores), 4)
    counts = [len(rows) for rows in chosen]
    columns = np.repeat([grid.columns for grid in grids], counts)
    strides = np.repeat(np.array([grid.stride for grid in grids], np.float32), counts)[:, None]
    places = np.empty((len(scores), 2), np.float32)
    row, column = np.divmod(np.concatenate(chosen), columns)
    places[:, 0], places[:, 1] = column, row
    places += np.float32(centre)
    boxes = np.empty((len(scores), 4), np.float32)
    boxes[:, :2] = (places - reach[:, :2]) * strides
    boxes[:, 2:] = (places + reach[:, 2:]) * strides
    best = scores.argmax(axis=1)
    # The sum is NaN if any score is NaN; this is faster than a test of each score.
    odd = any(np.isnan(grid.scores.sum()) for grid in grids)
    return DecodedDetections.validated(
        boxes, scores[np.arange(len(scores)), best], best, invalid=odd
    )


def _mean_distances(logits: FloatArray) -> FloatArray:
    """Return the mean of each distribution over 0, 1, ..., bins - 1; logits are `[n, bins]`."""
    # One bin after the other: numpy reduces a short last axis ten times as slowly as the first.
    by_bin = np.ascontiguousarray(logits.T)
    with np.errstate(invalid="ignore", over="ignore"):
        by_bin -= by_bin.max(axis=0)
        np.exp(by_bin, out=by_bin)
        total = by_bin.sum(axis=0)
        by_bin *= np.arange(len(by_bin), dtype=np.float32)[:, None]
        return np.asarray(by_bin.sum(axis=0) / total, np.float32)


def _cells_from(scores: FloatArray, floor: float) -> NDArray[np.intp]:
    """Return the rows of `[n, classes]` with a score of at least `floor`, in ascending order."""
    # The maximum of each row of 80 would take three times as long as this comparison of all scores.
    rows = np.flatnonzero(scores >= floor) // scores.shape[1]
    is_first = np.ones(len(rows), np.bool_)
    np.not_equal(rows[1:], rows[:-1], out=is_first[1:])
    return np.asarray(rows[is_first], np.intp)
