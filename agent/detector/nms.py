"""Non-maximum suppression (NMS): of overlapping boxes of one class, keep the most confident."""

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.detector.formats.decoded import DecodedDetections

MAX_DETECTIONS = 300  # per frame; the limit of the models' own evaluations
CANDIDATES = (350, 1000)
"""The number of boxes in the first and the second attempt. NMS is quadratic: 1 ms for 350 boxes,
8 ms for 1000, 85 ms for 3000. Less confident boxes never remove more confident ones, so the second
attempt is needed only if the first keeps fewer than `MAX_DETECTIONS`."""
COORDINATE_LIMIT = 1e5  # pixels; larger than any input


def non_maximum_suppression(raw: DecodedDetections, *, iou: float | None) -> DecodedDetections:
    """Return the best detections, highest confidence first, at most `MAX_DETECTIONS`.

    Args:
        raw: In any order. Only the 1000 most confident are used.
        iou: Of two boxes of one class with a higher intersection over union, the less confident one
            is removed. None if the model contains NMS: then the boxes are only sorted.
    """
    ordered = raw.select(np.argsort(-raw.confidences, kind="stable")[: CANDIDATES[-1]])
    if iou is None or len(ordered.confidences) == 0:
        return ordered.select(np.arange(min(MAX_DETECTIONS, len(ordered.confidences))))
    rows = np.empty(0, np.intp)
    for count in CANDIDATES:
        rows = _suppress(ordered, count, iou)
        if len(rows) >= MAX_DETECTIONS or count >= len(ordered.confidences):
            break
    return ordered.select(rows[:MAX_DETECTIONS])


def _suppress(ordered: DecodedDetections, count: int, iou: float) -> NDArray[np.intp]:
    """Return which of the first `count` rows remain after NMS."""
    # OpenCV separates the classes by shifting each by the largest coordinate, which works only for
    # coordinates >= 0. The limit keeps the shift small, so that the others keep their precision.
    corners = np.clip(ordered.boxes[:count].astype(np.float64), -COORDINATE_LIMIT, COORDINATE_LIMIT)
    corners -= corners.min()
    corners[:, 2:] -= corners[:, :2]
    rows = cv2.dnn.NMSBoxesBatched(
        corners.tolist(),
        ordered.confidences[:count].tolist(),
        ordered.class_ids[:count].tolist(),
        0.0,
        iou,
    )
    return np.sort(np.asarray(rows, np.intp))
