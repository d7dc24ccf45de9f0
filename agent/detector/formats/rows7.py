"""Detections after NMS in one table of seven columns, the first of which is the image index.

- `yolov7-nms`: image, x_min, y_min, x_max, y_max, class id, confidence: YOLOv7 exported with
  `--end2end --max-wh`.
- `yolo-nas-flat`: the same with the confidence before the class id: YOLO-NAS with
  `output_predictions_format=FLAT_FORMAT`.

The output is `[n, 7]`, n = the number of detections, boxes in pixels of the input. The input is
RGB / 255, centred on grey 114.

Source: `ONNX_ORT.forward` in `models/experimental.py` of WongKinYiu/yolov7;
`PickNMSPredictionsAndReturnAsFlatResult` in `conversion/onnx/nms.py` of Deci-AI/super-gradients
(Apache-2.0).
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from agent.detector.formats.contract import Layout, ModelSignature, Preprocessing
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.end2end import decode_rows
from agent.detector.formats.ultralytics import ultralytics_preprocessing
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

COLUMNS = 7
CORNERS = [1, 2, 3, 4]  # columns


class YoloV7Nms:
    """Class id before confidence."""

    name = "yolov7-nms"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = None
    class_column, confidence_column = 5, 6

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            self.layout(model)
        except ConfigurationError:
            return None
        if not model.values or not self._fits(model, model.values[0].reshape(-1, COLUMNS)):
            return None
        return f"seven columns, of which {self.class_column + 1} is the class"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how the output fits; raises `ConfigurationError`."""
        shapes = [output.shape for output in model.outputs]
        if len(shapes) == 1 and len(shapes[0]) == 2 and shapes[0][1] == COLUMNS:  # noqa: PLR2004  # axes
            return Layout((0,), None)
        raise ConfigurationError(f"{self.name} has one output [n, {COLUMNS}]")

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return ultralytics_preprocessing(model)

    def decode(
        self,
        outputs: Sequence[FloatArray],
        *,
        size: Size,
        floor: float,
    ) -> DecodedDetections:  # the boxes are in pixels already
        """Return the detections at or above `floor` of the first image."""
        images = outputs[0][:, 0]
        # A row with a NaN image index is kept, so that the result is marked as invalid.
        rows = outputs[0][~((images > 0) & np.isfinite(images))]
        return decode_rows(rows[:, [*CORNERS, self.confidence_column, self.class_column]], floor)

    def _fits(self, model: ModelSignature, rows: FloatArray) -> bool:
        """Whether the values of the trial run fit these columns; without rows, the name decides."""
        numbers, confidences = rows[:, self.class_column], rows[:, self.confidence_column]
        if not len(rows):
            return self._name_fits(model.outputs[0].name)
        whole = (numbers == np.rint(numbers)).all() and (numbers >= 0).all()
        possible = whole and (confidences >= 0).all() and (confidences <= 1).all()
        # A confidence of exactly 1 or 0 could also be a class id.
        return bool(possible and (confidences != np.rint(confidences)).any())

    def _name_fits(self, name: str) -> bool:
        return "flat_predictions" not in name


class YoloNasFlat(YoloV7Nms):
    """Confidence before class id."""

    name = "yolo-nas-flat"
    class_column, confidence_column = 6, 5

    def _name_fits(self, name: str) -> bool:
        return "flat_predictions" in name
