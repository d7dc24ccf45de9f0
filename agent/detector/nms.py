"""One box per object: of boxes that overlap, the most confident stays."""

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.detector.formats.decoded import DecodedDetections

KEPT = 300  # detections of a frame; as many as the models' own evaluations keep
CANDIDATES = (350, 1000)
"""How many are looked at. Suppression is quadratic: 1 ms for 350 boxes, 8 for a thousand, 85 for
three thousand. What is kept of the best does not depend on the rest, so that in a crowd, where the
first few give all that is kept, the rest need no look."""
FARTHEST = 1e5  # pixels; no input is so large


def non_maximum_suppression(raw: DecodedDetections, *, iou: float | None) -> DecodedDetections:
    """Return the best detections, highest confidence first, at most `KEPT`.

    Args:
        raw: In any order. Only the best thousand are looked at.
        iou: Boxes of one class whose intersection over union is higher are one object; None
            when the model has done it and only the order is missing.
    """
    ordered = raw.taken(np.argsort(-raw.confidences, kind="stable")[: CANDIDATES[-1]])
    if iou is None or len(ordered.confidences) == 0:
        return ordered.taken(np.arange(min(KEPT, len(ordered.confidences))))
    rows = np.empty(0, np.intp)
    for count in CANDIDATES:
        rows = _apart(ordered, count, iou)
        if len(rows) >= KEPT or count >= len(ordered.confidences):
            break
    return ordered.taken(rows[:KEPT])


def _apart(ordered: DecodedDetections, count: int, iou: float) -> NDArray[np.intp]:
    """Return the rows, of the first `count`, that no better one of their class overlaps."""
    # OpenCV keeps the classes apart by shifting each by the largest coordinate, which works only
    # where none is negative. One wild box must not make that so large that the rest lose digits.
    corners = np.clip(ordered.boxes[:count].astype(np.float64), -FARTHEST, FARTHEST)
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
