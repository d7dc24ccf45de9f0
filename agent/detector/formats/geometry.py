"""Box arithmetic that several formats share."""

import math
from collections.abc import Iterable

import numpy as np

from agent.detector.letterbox import Size
from agent.domain import FloatArray

STRIDES = (8, 16, 32)
SUM_TOLERANCE = 0.02  # sums of half-precision probabilities differ from 1 by up to this
PYRAMIDS = (STRIDES, (8, 16, 32, 64), (4, 8, 16, 32))  # usual, p6, p2


def cells(size: Size, stride: int) -> int:
    """Return the number of cells of a grid over the input."""
    return math.ceil(size.width / stride) * math.ceil(size.height / stride)


def cells_of(size: Size, strides: Iterable[int]) -> int:
    """Return the total number of cells of the grids of several strides."""
    return sum(cells(size, stride) for stride in strides)


def rows_of(output: FloatArray, columns: int) -> FloatArray:
    """Return an output `[..., columns]` as `[n, columns]`; one without values has no rows.

    Raises `ValueError` for another number of columns: a graph may change it from run to run.
    """
    if output.size and output.shape[-1:] != (columns,):
        raise ValueError(f"the output has the shape {list(output.shape)}, not [n, {columns}]")
    return output.reshape(-1, columns)


def corners(boxes: FloatArray) -> FloatArray:
    """Convert `[n, 4]` centre x, centre y, width, height to x_min, y_min, x_max, y_max."""
    with np.errstate(invalid="ignore", over="ignore"):
        half = boxes[:, 2:] / 2
        return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def rotated_corners(rotated: FloatArray) -> FloatArray:
    """Return the corners `[n, 4, 2]` of `[n, 5]` centre x, centre y, width, height, angle.

    The angle is in radians, from the x axis towards the y axis: clockwise, because y points down.
    At 0 the corners are top left, top right, bottom right, bottom left.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        angles = rotated[:, 4]
        cosines, sines = np.cos(angles), np.sin(angles)
        along = np.stack([cosines, sines], axis=1) * rotated[:, 2:3] / 2
        across = np.stack([-sines, cosines], axis=1) * rotated[:, 3:4] / 2
        signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
        moved = signs[None, :, :1] * along[:, None] + signs[None, :, 1:] * across[:, None]
        return np.asarray(rotated[:, None, :2] + moved, np.float32)


def bounds(rotated: FloatArray) -> FloatArray:
    """Return the upright boxes `[n, 4]` around rotated boxes `[n, 5]`; see `rotated_corners`.

    A box with a negative width or height becomes inverted, which `DecodedDetections` removes.
    """
    points = rotated_corners(rotated)
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    for row in np.flatnonzero((rotated[:, 2:4] < 0).any(axis=1)).tolist():
        boxes[row] = boxes[row, [2, 3, 0, 1]]
    return boxes


def to_pixels(boxes: FloatArray, size: Size) -> FloatArray:
    """Convert `[n, 4]` boxes from normalized coordinates to pixels of the input."""
    return scaled(boxes, np.array([size.width, size.height] * 2, np.float32))


def scaled(boxes: FloatArray, factor: FloatArray | np.float32) -> FloatArray:
    """Return boxes times a factor; overflows become infinite and are removed later."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(boxes * factor, np.float32)


def sigmoid(logits: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-x)), without overflow."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def softmax(logits: FloatArray) -> FloatArray:
    """Return the softmax along the last axis; NaN stays NaN."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=-1, keepdims=True), np.float32)


def add_up_to_one(scores: FloatArray) -> bool:
    """Whether the finite rows of `[n, classes]` are probabilities; False if there is none."""
    with np.errstate(invalid="ignore", over="ignore"):
        sums = scores.sum(axis=1)
        rows = np.isfinite(sums)
        whole = bool((np.abs(sums[rows] - 1) <= SUM_TOLERANCE).all())
        return whole and bool(rows.any()) and bool((scores[rows] >= 0).all())
