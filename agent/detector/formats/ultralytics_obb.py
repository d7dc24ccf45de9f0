"""Models of Ultralytics for rotated boxes (oriented bounding boxes, OBB): with an angle each.

- `ultralytics-obb` (v8, 11, 26 without NMS in the graph): `[1, 4 + classes + 1, n]`.
- `end2end-obb` (26, or any with NMS in the graph): `[1, n, 7]`.

Boxes are centre x, centre y, width, height in pixels of the input in both; the angle is in radians,
from the x axis towards the y axis, which points down. Before version 26 it is between -pi/4 and
3 pi/4. Input as that of the detectors.

Source: `OBB` and `OBB26` in `ultralytics/nn/modules/head.py`, `dist2rbox` in `utils/tal.py`,
`xywhr2xyxyxyxy` in `utils/ops.py`, `NMSModel` of ultralytics/ultralytics.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from agent.detector.formats.contract import Columns, Layout, ModelSignature, Preprocessing
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.end2end import USUAL_ROWS, whole_classes
from agent.detector.formats.geometry import bounds
from agent.detector.formats.ultralytics import (
    BOX_ROWS,
    best_classes,
    is_over_cells,
    ultralytics_preprocessing,
)
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

COLUMNS = 7
TABLE_AXES = 3


class _Rotated:
    """What both formats share."""

    name: str
    task: Literal[Task.OBB] = Task.OBB

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return ultralytics_preprocessing(model)


class UltralyticsObb(_Rotated):
    """YOLOv8 and its successors, exported without NMS in the graph."""

    name = "ultralytics-obb"
    nms_iou: float | None = 0.7  # what these models' own validation uses

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            classes = self.layout(model).classes
        except ConfigurationError:
            return None
        reason = f"rows of 4 + {classes} + 1: rotated boxes"
        if model.metadata.task is not None and model.metadata.labels is not None:
            return reason
        if not is_over_cells(model, model.outputs[0].shape[2]) or not model.values:
            return None
        angles = model.values[0][0, -1]
        # A last row of confidences would be between 0 and 1: then it is a detector.
        return reason if bool(((angles < 0) | (angles > 1)).any()) else None

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the output; raises `ConfigurationError`."""
        shapes = [output.shape for output in model.outputs]
        if len(shapes) == 1 and len(shapes[0]) == TABLE_AXES and shapes[0][0] == 1:
            classes = (shapes[0][1] or 0) - BOX_ROWS - 1
            if classes >= 1 and shapes[0][2] != COLUMNS:
                confidences = Columns(0, axis=1, begin=BOX_ROWS, end=BOX_ROWS + classes)
                return Layout((0,), classes, confidences=(confidences,))
        raise ConfigurationError(f"{self.name} has one output [1, 4 + classes + 1, n]")

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:  # the boxes are in pixels already
        """Return the detections at or above `floor`; only the best class of each cell."""
        rows = outputs[0][0]
        found = best_classes(rows[BOX_ROWS:-1], floor)
        rotated = rows[[0, 1, 2, 3, -1]][:, found.cells].T
        return DecodedDetections.validated(
            bounds(rotated),
            found.confidences,
            found.class_ids,
            invalid=found.invalid,
            rotated=rotated,
        )


class End2EndObb(_Rotated):
    """Final detections with an angle."""

    name = "end2end-obb"
    nms_iou: float | None = None

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            self.layout(model)
        except ConfigurationError:
            return None
        usual = model.outputs[0].shape[-2] in USUAL_ROWS
        return "seven columns: final rotated boxes" if model.metadata.task or usual else None

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the output; raises `ConfigurationError`."""
        shapes = [output.shape for output in model.outputs]
        if len(shapes) == 1 and len(shapes[0]) == TABLE_AXES and shapes[0][::2] == (1, COLUMNS):
            return Layout((0,), None, confidences=(Columns(0, begin=4, end=5),))
        raise ConfigurationError(f"{self.name} has one output [1, n, {COLUMNS}]")

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:  # the boxes are in pixels already
        """Return the detections at or above `floor`."""
        table = outputs[0][0]
        found = whole_classes(table, floor)
        rotated = table[found.rows][:, [0, 1, 2, 3, 6]]
        return DecodedDetections.validated(
            bounds(rotated),
            table[found.rows, 4],
            found.class_ids,
            invalid=found.invalid,
            rotated=np.asarray(rotated, np.float32),
        )
