"""YOLO-NAS, without NMS in the graph and with it.

- `yolo-nas`: boxes `[1, n, 4]`, corners in pixels of the input, and confidences `[1, n, classes]`
  after the sigmoid, n = the cells of strides 8, 16, 32.
- `yolo-nas-batched`: `num_predictions` `[1, 1]`, `pred_boxes` `[1, n, 4]` as above, `pred_scores`
  `[1, n]`, `pred_classes` `[1, n]` from 0. YOLOv7's exports for TensorRT have the same outputs;
  others lack the count.

Exports with NMS and one table are in `rows7.py`. The input is RGB / 255, centred on grey 114;
exports with an integer input divide in the graph. (The library also leaves a border of two pixels,
636 of 640; this is not done here.)

Source, of Deci-AI/super-gradients (Apache-2.0): `NDFLHeads.forward_eval` in
`yolo_nas/dfl_heads.py`, `PickNMSPredictionsAndReturnAsBatchedResult` in `conversion/onnx/nms.py`,
`default_yolo_nas_coco_processing_params` in `training/processing/processing.py`; and `ONNX_TRT` in
`models/experimental.py` of WongKinYiu/yolov7.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from agent.detector.formats.boxes_classes_scores import (
    BoxesClassesScores,
    decode_boxes_classes_scores,
    says_numbering,
)
from agent.detector.formats.contract import Columns, Layout, ModelSignature, Preprocessing
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.detr_queries import boxes_are_normalized, pair_of_outputs, unbatched
from agent.detector.formats.geometry import PYRAMIDS, add_up_to_one, cells_of
from agent.detector.formats.ultralytics import ultralytics_preprocessing
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

COUNTED = 4  # outputs, including the count


class YoloNas:
    """Corners and confidences of each cell, without NMS."""

    name = "yolo-nas"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = 0.7  # what the library's own post-processing uses

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            layout = self.layout(model)
        except ConfigurationError:
            return None
        scores, boxes = layout.outputs
        rows = model.outputs[boxes].shape[1]
        if not model.values or not any(rows == cells_of(model.size, each) for each in PYRAMIDS):
            return None
        confidences = model.values[scores]
        if (
            boxes_are_normalized(model, boxes)
            or not ((confidences >= 0) & (confidences <= 1)).all()
            or (layout.classes != 1 and add_up_to_one(confidences[0]))  # with a background
        ):
            return None
        return f"corners in pixels and confidences of {layout.classes} classes, a row for each cell"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the outputs; raises `ConfigurationError`."""
        outputs = pair_of_outputs(model, "yolo-nas has two outputs, [1, n, classes]")
        classes = model.outputs[outputs[0]].shape[2]
        return Layout(outputs, classes, confidences=(Columns(0),))

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
        """Return the detections at or above `floor`; only the best class of each cell."""
        scores, boxes = unbatched(outputs)
        best = scores.max(axis=1, initial=-np.inf)
        cells = np.flatnonzero(best >= floor)
        return DecodedDetections.validated(
            boxes[cells],
            best[cells],
            scores[cells].argmax(axis=1),
            invalid=bool(np.isnan(best).any()),
        )


class YoloNasBatched(BoxesClassesScores):
    """Boxes, class ids and confidences after NMS, and the number of valid ones."""

    name = "yolo-nas-batched"

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            layout = self.layout(model)
        except ConfigurationError:
            return None
        if model.has_size_input or not model.values or says_numbering(model):
            return None
        boxes = layout.outputs[0]
        counted = len(layout.outputs) == COUNTED
        found = model.values[layout.outputs[-1]] if counted else model.values[boxes]
        if found.any() and boxes_are_normalized(model, boxes):
            return None
        count = "a count, and " if counted else ""
        return f"{count}boxes in pixels, class ids from 0 and confidences"

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
        """Return the detections at or above `floor`."""
        return decode_boxes_classes_scores(outputs, floor)
