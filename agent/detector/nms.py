"""One box per object: of boxes that overlap, the most confident stays."""

import cv2
import numpy as np

from agent.detector.formats.raw import RawDetections

KEPT = 300  # detections of a frame; as many as the models' own evaluations keep
CANDIDATES = 1000  # suppression is quadratic: 8 ms for a thousand boxes, 85 ms for three thousand
FARTHEST = 1e5  # pixels; no input is so large


def suppressed(raw: RawDetections, *, iou: float | None) -> RawDetections:
    """Return the best detections, highest confidence first, at most `KEPT`.

    Args:
        raw: In any order. Only the best `CANDIDATES` are looked at.
        iou: Boxes of one class whose intersection over union is higher are one object; None
            when the model has done it and only the order is missing.
    """
    ordered = raw.taken(np.argsort(-raw.confidences, kind="stable")[:CANDIDATES])
    if iou is None or len(ordered.confidences) == 0:
        return ordered.taken(np.arange(min(KEPT, len(ordered.confidences))))
    # OpenCV keeps the classes apart by shifting each by the largest coordinate, which works only
    # where none is negative. One wild box must not make that so large that the rest lose digits.
    corners = np.clip(ordered.boxes.astype(np.float64), -FARTHEST, FARTHEST)
    corners -= corners.min()
    corners[:, 2:] -= corners[:, :2]
    rows = cv2.dnn.NMSBoxesBatched(
        corners.tolist(), ordered.confidences.tolist(), ordered.class_ids.tolist(), 0.0, iou
    )
    return ordered.taken(np.sort(np.asarray(rows, np.intp))[:KEPT])
