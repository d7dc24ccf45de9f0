"""Shared by the DETR formats: a fixed number of queries, each with a box and class scores.

Boxes are `[queries, 4]`: centre x, centre y, width, height in normalized coordinates, 0 to 1.
"""

from collections.abc import Sequence

import numpy as np

from agent.detector.formats.contract import ClassNumbering, Layout, ModelSignature
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.geometry import corners, to_pixels
from agent.detector.letterbox import Size
from agent.domain import FloatArray
from agent.errors import ConfigurationError

NAMES = ("pred_boxes", "dets", "boxes")  # of boxes
MOST_QUERIES = 1000  # of these models; the largest have 900


def pair_layout(model: ModelSignature, name: str, numbering: ClassNumbering) -> Layout:
    """Return the indices of class logits and boxes of queries, in this order.

    Raises:
        ConfigurationError: There are no two such outputs, or too many rows for queries.
    """
    scores, boxes = pair_of_outputs(model, f"{name} has two outputs, [1, queries, classes]")
    shape = model.outputs[scores].shape
    if (shape[1] or 0) > MOST_QUERIES:
        raise ConfigurationError(
            f"{name} has at most {MOST_QUERIES} queries; {shape[1]} rows are not queries"
        )
    return Layout((scores, boxes), shape[2], numbering, gaps=True, logits=0)


def pair_of_outputs(model: ModelSignature, expected: str) -> tuple[int, int]:
    """Return the indices of class scores `[1, n, classes]` and boxes `[1, n, 4]`.

    The boxes are the output with four columns. If both have four columns, the name decides; without
    a known name, the second output has the boxes.

    Args:
        model: What the trial run found.
        expected: The beginning of the message if there are no such outputs.

    Raises:
        ConfigurationError: There are no two such outputs.
    """
    shapes = [output.shape for output in model.outputs]
    fours = [index for index, shape in enumerate(shapes) if _is_boxes(shape)]
    named = [index for index in fours if model.outputs[index].name in NAMES]
    for boxes in named or fours[::-1]:
        for scores, shape in enumerate(shapes):
            if scores != boxes and len(shape) == 3 and shape[:2] == shapes[boxes][:2]:  # noqa: PLR2004  # axes
                return scores, boxes
    raise ConfigurationError(f"{expected} and one with four columns, the boxes")


def best_pairs(
    scores: FloatArray, boxes: FloatArray, *, size: Size, limit: float
) -> tuple[FloatArray, DecodedDetections]:
    """Return the best pairs of a query and a class with a score of at least `limit`.

    A query may be in several pairs. At most as many pairs as there are queries are returned, as in
    these models' own post-processing.

    Args:
        scores: `[queries, classes]`, of any range.
        boxes: `[queries, 4]`.
        size: Input size, pixels.
        limit: Lowest score.

    Returns:
        The scores of the pairs, and the pairs with a confidence of 1 that the caller replaces.
    """
    flat = scores.ravel()
    chosen = np.flatnonzero(flat >= limit)
    if len(chosen) > len(scores):
        chosen = chosen[np.argpartition(-flat[chosen], len(scores))[: len(scores)]]
    queries, class_ids = np.divmod(chosen, scores.shape[1])
    pixels = corners(to_pixels(boxes[queries], size))
    return flat[chosen], DecodedDetections(
        pixels, np.ones(len(chosen), np.float32), class_ids, bool(np.isnan(flat).any())
    )


def boxes_are_normalized(model: ModelSignature, index: int) -> bool:
    """Whether the boxes of the trial run are within 0 to 1; True without a trial run."""
    if not model.values:
        return True
    boxes = model.values[index]
    return not boxes.size or bool(((boxes >= -0.01) & (boxes <= 1.5)).mean() >= 0.9)  # noqa: PLR2004  # most of them


def last_is_no_object(model: ModelSignature, index: int) -> bool:
    """Whether the last class of these logits is the best one of most queries of the trial run."""
    if not model.values:
        return False
    logits = model.values[index][0]
    empty = logits.argmax(axis=1) == logits.shape[1] - 1
    return bool(empty.mean() >= 0.5 and np.median(logits[:, -1]) > 0)  # noqa: PLR2004  # most


def unbatched(outputs: Sequence[FloatArray]) -> list[FloatArray]:
    """Return the outputs without the batch axis."""
    return [output[0] for output in outputs]


def _is_boxes(shape: tuple[int | None, ...]) -> bool:
    return len(shape) == 3 and shape[0] == 1 and shape[2] == 4  # noqa: PLR2004  # axes, corners
