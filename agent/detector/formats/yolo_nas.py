"""YOLO-NAS, without suppression in the graph and with it.

- `yolo-nas`: boxes `[1, n, 4]`, corners in pixels of the input, and confidences `[1, n, classes]`,
  sigmoid done, n = the cells of strides 8, 16, 32.
- `yolo-nas-batched`: `num_predictions` `[1, 1]`, `pred_boxes` `[1, n, 4]` as above, `pred_scores`
  `[1, n]`, `pred_classes` `[1, n]` from 0; so do YOLOv7's exports for TensorRT.

Those with suppression in one table are in `tables.py`. The input is RGB over 255 in the middle of
grey 114; exports of whole numbers divide in the graph. (The library leaves an edge of two pixels
besides, 636 of 640, which is not done here.)

Source, of Deci-AI/super-gradients (Apache-2.0): `NDFLHeads.forward_eval` in
`yolo_nas/dfl_heads.py`, `PickNMSPredictionsAndReturnAsBatchedResult` in `conversion/onnx/nms.py`,
`default_yolo_nas_coco_processing_params` in `training/processing/processing.py`; and `ONNX_TRT` in
`models/experimental.py` of WongKinYiu/yolov7.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from agent.detector.formats.boxes_classes_scores import Triples, decode_triples
from agent.detector.formats.contract import ClassNumbering, Layout, ModelSignature, Preprocessing
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.detr_queries import box_values_are_shares, pair_layout, unbatched
from agent.detector.formats.geometry import PYRAMIDS, cells_of
from agent.detector.formats.ultralytics import ultralytics_preprocessing
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

COUNTED = 4  # outputs, the count among them


class YoloNas:
    """Corners and confidences of each cell."""

    name = "yolo-nas"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = 0.7  # what the library's own post-processing uses

    def recognise(self, model: ModelSignature) -> str | None:
        """Say why this model is certainly of this family, or None."""
        try:
            layout = self.layout(model)
        except ConfigurationError:
            return None
        scores, boxes = layout.outputs
        rows = model.outputs[boxes].shape[1]
        if not model.values or not any(rows == cells_of(model.size, each) for each in PYRAMIDS):
            return None
        shares = model.values[scores]
        if box_values_are_shares(model, boxes) or not ((shares >= 0) & (shares <= 1)).all():
            return None
        return f"corners in pixels and confidences of {layout.classes} classes, a row for each cell"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how the outputs fit; raises `ConfigurationError`."""
        found = pair_layout(model, self.name, ClassNumbering.PLAIN)
        return Layout(found.outputs, found.classes)

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
        """Return the detections at or above `floor`; one class per cell, the best."""
        scores, boxes = unbatched(outputs)
        best = scores.max(axis=1, initial=-np.inf)
        cells = np.flatnonzero(best >= floor)
        return DecodedDetections.sound(
            boxes[cells],
            best[cells],
            scores[cells].argmax(axis=1),
            invalid=bool(np.isnan(best).any()),
        )


class YoloNasBatched(Triples):
    """Boxes, classes and confidences that are finished, and how many of them count."""

    name = "yolo-nas-batched"

    def recognise(self, model: ModelSignature) -> str | None:
        """Say why this model is certainly of this family, or None."""
        try:
            layout = self.layout(model)
        except ConfigurationError:
            return None
        if model.sized or len(layout.outputs) != COUNTED or not model.values:
            return None
        boxes = layout.outputs[0]
        if model.outputs[boxes].name.startswith("detection_boxes"):
            return None  # the TensorFlow Object Detection API's, whose boxes are shares
        if model.values[layout.outputs[-1]].any() and box_values_are_shares(model, boxes):
            return None
        return "a count, and boxes in pixels, class numbers and confidences"

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
        return decode_triples(outputs, floor)
