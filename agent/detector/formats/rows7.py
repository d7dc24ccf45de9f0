"""Finished detections in one table of seven columns, the first of which is the image's number.

- `yolov7-nms`: image, x_min, y_min, x_max, y_max, class number, confidence: YOLOv7 exported with
  `--end2end --max-wh`.
- `yolo-nas-flat`: the same with the confidence before the class number: YOLO-NAS with
  `output_predictions_format=FLAT_FORMAT`.

Outputs are `[n, 7]`, boxes in pixels of the input, n as many as were found. The input is RGB over
255 in the middle of grey 114.

Source: `ONNX_ORT.forward` in `models/experimental.py` of WongKinYiu/yolov7;
`PickNMSPredictionsAndReturnAsFlatResult` in `conversion/onnx/nms.py` of Deci-AI/super-gradients
(Apache-2.0).
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from agent.detector.formats.contract import Layout, ModelSignature, Preprocessing
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.end2end import decode_finished
from agent.detector.formats.ultralytics import ultralytics_preprocessing
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

COLUMNS = 7
SIX = [1, 2, 3, 4]  # the corners, as a table of six columns begins


class YoloV7Nms:
    """Class number before confidence."""

    name = "yolov7-nms"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = None
    number, confidence = 5, 6
    """The columns."""

    def recognise(self, model: ModelSignature) -> str | None:
        """Say why this model is certainly of this family, or None."""
        try:
            self.layout(model)
        except ConfigurationError:
            return None
        if not model.values or not self._fits(model, model.values[0].reshape(-1, COLUMNS)):
            return None
        return f"seven columns, of which {self.number + 1} is the class"

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
        pictures = outputs[0][:, 0]
        rows = outputs[0][~((pictures > 0) & np.isfinite(pictures))]  # what is no number is told
        return decode_finished(rows[:, [*SIX, self.confidence, self.number]], floor)

    def _fits(self, model: ModelSignature, rows: FloatArray) -> bool:
        """Whether the trial's numbers can be so; without any, whether it is called so."""
        numbers, sure = rows[:, self.number], rows[:, self.confidence]
        if not len(rows):
            return self._is_called(model.outputs[0].name)
        whole = (numbers == np.rint(numbers)).all() and (numbers >= 0).all()
        possible = whole and (sure >= 0).all() and (sure <= 1).all()
        # A confidence of exactly 1, or of 0, could as well be a class.
        return bool(possible and (sure != np.rint(sure)).any())

    def _is_called(self, name: str) -> bool:
        return "flat_predictions" not in name


class YoloNasFlat(YoloV7Nms):
    """Confidence before class number."""

    name = "yolo-nas-flat"
    number, confidence = 6, 5

    def _is_called(self, name: str) -> bool:
        return "flat_predictions" in name
