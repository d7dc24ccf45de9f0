"""Non-maximum suppression (NMS): of overlapping boxes of one class, keep the most confident.

Rotated boxes are compared as Ultralytics' models of rotated boxes do it in their own validation:
by the probabilistic IoU (Murrugarra-Llerena et al., "Probabilistic Intersection-over-Union for
Training and Evaluation of Oriented Object Detectors", arXiv 2106.06072), where a box is removed by
any more confident one, even by one that is removed itself (Fast NMS: Bolya et al., "YOLACT", arXiv
1904.02689).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.detector.formats.decoded import DecodedDetections
from agent.domain import FloatArray

MAX_DETECTIONS = 300  # per frame; the limit of the models' own evaluations
MOST_CANDIDATES = 1000
"""The most confident boxes that are compared: 0.2 ms for 500 boxes of a busy street, at most 8 ms
for 1000, whatever they are."""
MOST_PAIRS = 50
"""Pairs of boxes that are compared, for each box; frames of a busy street have 15."""
COORDINATE_LIMIT = 1e5  # pixels; larger than any input


def non_maximum_suppression(raw: DecodedDetections, *, iou: float | None) -> DecodedDetections:
    """Return the best detections, highest confidence first, at most `MAX_DETECTIONS`.

    Args:
        raw: In any order. Only the 1000 most confident are used.
        iou: Of two boxes of one class with a higher intersection over union, the less confident one
            is removed. None if the model contains NMS: then the boxes are only sorted.
    """
    order = np.argsort(-raw.confidences, kind="stable")[:MOST_CANDIDATES]
    if iou is None or len(order) == 0:
        return raw.select(order[:MAX_DETECTIONS])
    remaining = _remaining if raw.rotated is None else _remaining_rotated
    return raw.select(order[remaining(raw, order, iou)[:MAX_DETECTIONS]])


def _remaining(raw: DecodedDetections, rows: NDArray[np.intp], iou: float) -> NDArray[np.intp]:
    """Return which of `rows`, highest confidence first, remain after NMS."""
    boxes, class_ids = raw.boxes[rows], raw.class_ids[rows]
    boxes = np.clip(boxes, -COORDINATE_LIMIT, COORDINATE_LIMIT)
    pairs = _overlapping(boxes, class_ids, iou)
    if pairs is None:
        return _remaining_in_piles(boxes, raw.confidences[rows], class_ids, iou)
    first, second = pairs
    stronger, weaker = np.minimum(first, second), np.maximum(first, second)
    is_removed = np.zeros(len(rows), np.bool_)
    while len(stronger):
        # A box that no other one can remove any more stays, and removes the weaker ones. In a
        # chain of boxes each round decides two; usually a handful of rounds decides all.
        is_weaker = np.zeros(len(rows), np.bool_)
        is_weaker[weaker] = True
        is_removed[weaker[~is_weaker[stronger]]] = True
        undecided = ~(is_removed[stronger] | is_removed[weaker])
        stronger, weaker = stronger[undecided], weaker[undecided]
    return np.flatnonzero(~is_removed)


def _overlapping(
    boxes: FloatArray, class_ids: NDArray[np.intp], iou: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Return all pairs of rows of one class whose IoU exceeds `iou`.

    Boxes are sorted by class and left edge. The left edge of the other box is at most (1 - iou) of
    this one's width further right, or the widths alone have a lower IoU: most pairs are left out.
    None if there are too many all the same.
    """
    # Classes lie beside each other on one axis, further apart than any box is wide.
    left = boxes[:, 0] + class_ids * (4 * COORDINATE_LIMIT)
    order = np.argsort(left, kind="stable")
    x_min, y_min, x_max, y_max = boxes.T.take(order, axis=1)
    width = x_max - x_min
    left = left[order]
    numbers = np.arange(1, len(order) + 1)
    counts = np.maximum(left.searchsorted(left + (1 - iou) * width, side="right") - numbers, 0)
    ends = counts.cumsum()
    if ends[-1] > MOST_PAIRS * len(boxes):
        return None
    first = (numbers - 1).repeat(counts)
    second = np.arange(ends[-1]) + (numbers - ends + counts).repeat(counts)
    area = width * (y_max - y_min)
    across = np.minimum(x_max.take(first), x_max.take(second))
    across -= x_min.take(second)  # the right one's, as they are sorted
    down = np.minimum(y_max.take(first), y_max.take(second))
    down -= np.maximum(y_min.take(first), y_min.take(second))
    inner = across * np.maximum(down, 0, out=down)
    both = area.take(first) + area.take(second)
    found = np.flatnonzero(inner > iou * (both - inner))
    return order[first[found]], order[second[found]]


def _remaining_in_piles(
    boxes: FloatArray, confidences: FloatArray, class_ids: NDArray[np.intp], iou: float
) -> NDArray[np.intp]:
    """Do the same where each box overlaps with many: OpenCV compares it with those that stay.

    Elsewhere this takes twice as long, because its lists of Python numbers are made and read while
    the caches are full of the model.
    """
    # OpenCV separates the classes by shifting each by the largest coordinate, which works only for
    # coordinates >= 0. The limit keeps the shift small, so that the others keep their precision.
    corners = boxes.astype(np.float64)
    corners -= corners.min()
    corners[:, 2:] -= corners[:, :2]
    kept = cv2.dnn.NMSBoxesBatched(
        corners.tolist(), confidences.tolist(), class_ids.tolist(), 0.0, iou
    )
    return np.sort(np.asarray(kept, np.intp))


def _remaining_rotated(
    raw: DecodedDetections, rows: NDArray[np.intp], iou: float
) -> NDArray[np.intp]:
    """Return which of `rows`, rotated boxes, remain after NMS.

    Only pairs whose upright boxes overlap are compared: others have a low IoU.
    """
    assert raw.rotated is not None  # noqa: S101  # the caller checked
    boxes = raw.boxes[rows]
    class_ids = raw.class_ids[rows]
    low, high = boxes[:, :2], boxes[:, 2:]
    near = np.triu(class_ids[:, None] == class_ids, 1)
    for axis in (0, 1):
        near &= low[:, None, axis] < high[None, :, axis]
        near &= low[None, :, axis] < high[:, None, axis]
    better, worse = np.nonzero(near)
    rotated = raw.rotated[rows].astype(np.float64)
    overlaps = probabilistic_iou(rotated[better], rotated[worse])
    kept = np.ones(len(boxes), bool)
    kept[worse[overlaps > iou]] = False
    return np.flatnonzero(kept)


def probabilistic_iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilistic IoU of rotated boxes `[n, 5]` with others, `[n]`, 0 to 1.

    Each box is taken for a normal distribution with its mean and covariance; the result is 1 minus
    the Hellinger distance of the two.
    """
    a_xx, a_yy, a_xy = _covariance(a)
    b_xx, b_yy, b_xy = _covariance(b)
    across, down = a[:, 0] - b[:, 0], a[:, 1] - b[:, 1]
    xx, yy, xy = a_xx + b_xx, a_yy + b_yy, a_xy + b_xy
    tiny = 1e-7
    determinant = xx * yy - xy**2
    distance = (xx * down**2 + yy * across**2 - 2 * xy * across * down) / (determinant + tiny) / 4
    own = np.maximum(a_xx * a_yy - a_xy**2, 0) * np.maximum(b_xx * b_yy - b_xy**2, 0)
    shape = np.log(determinant / (4 * np.sqrt(own) + tiny) + tiny) / 2
    bhattacharyya = np.clip(distance + shape, tiny, 100.0)
    return np.asarray(1 - np.sqrt(1 - np.exp(-bhattacharyya) + tiny))


def _covariance(rotated: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return xx, yy and xy of the covariance of the uniform distribution over each box."""
    along, across = rotated[:, 2] ** 2 / 12, rotated[:, 3] ** 2 / 12
    cosines, sines = np.cos(rotated[:, 4]), np.sin(rotated[:, 4])
    return (
        along * cosines**2 + across * sines**2,
        along * sines**2 + across * cosines**2,
        (along - across) * cosines * sines,
    )
