"""YOLOv5 and YOLOv7 (and YOLOv6): one output of boxes with an objectness.

The output is `[1, n, 5 + classes]`: centre x, centre y, width and height in pixels of the input,
the objectness, and the confidence of each class, after the sigmoid. A detection's confidence is
objectness times class confidence. Versions 5 and 7 have three boxes for each cell; version 6 has
one, and all objectness values are 1. The input is RGB / 255, centred on grey 114.

Source: `Detect.forward` in `models/yolo.py` of ultralytics/yolov5 and, without `--end2end`, of
WongKinYiu/yolov7; `Detect.forward` in `yolov6/models/effidehead.py` of meituan/YOLOv6, whose
version 0.1 has an objectness of its own and looks like `yolox-decoded`: name this format then.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from agent.detector.formats.contract import Columns, Layout, ModelSignature, Preprocessing
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.geometry import PYRAMIDS, cells_of, corners
from agent.detector.formats.ultralytics import BestClasses, ultralytics_preprocessing
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

BOX_COLUMNS = 5  # the box and its objectness
ANCHORS = 3


def joined_classes(model: ModelSignature, name: str) -> int:
    """Return the classes of one output `[1, n, 5 + classes]`; raises `ConfigurationError`."""
    shapes = [output.shape for output in model.outputs]
    if len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][0] == 1:  # noqa: PLR2004  # axes
        columns = shapes[0][2]
        if columns is not None and columns > BOX_COLUMNS:
            return columns - BOX_COLUMNS
    raise ConfigurationError(f"{name} has one output [1, n, 5 + classes]")


def joined_layout(model: ModelSignature, name: str) -> Layout:
    """Return the layout of one output `[1, n, 5 + classes]`; raises `ConfigurationError`."""
    confidences = Columns(0, begin=BOX_COLUMNS - 1)
    return Layout((0,), joined_classes(model, name), confidences=(confidences,))


def objectness_is_one(model: ModelSignature) -> bool:
    """Whether every objectness of the trial run is 1: the model has none."""
    return bool(model.values) and bool((model.values[0][0, :, BOX_COLUMNS - 1] == 1).all())


def decode_joined(rows: FloatArray, floor: float) -> DecodedDetections:
    """Return the detections of `[n, 5 + classes]` with boxes in pixels."""
    found = likely_classes(rows, floor)
    return DecodedDetections.validated(
        corners(rows[found.cells, :4]), found.confidences, found.class_ids, invalid=found.invalid
    )


def likely_classes(rows: FloatArray, floor: float) -> BestClasses:
    """Return the best class of each row of `[n, 5 + classes]` where it is at least `floor`."""
    # The product is at most the objectness, so most rows need no comparison of their classes.
    likely = np.flatnonzero(~(rows[:, 4] < floor))  # includes NaN, which is not below the floor
    with np.errstate(over="ignore", invalid="ignore"):
        confidences = rows[likely, 4:5] * rows[likely, BOX_COLUMNS:]
    best = confidences.max(axis=1, initial=-np.inf)
    chosen = np.flatnonzero(best >= floor)
    return BestClasses(
        likely[chosen],
        best[chosen],
        confidences[chosen].argmax(axis=1),
        bool(np.isnan(best).any()),
    )


class YoloV5:
    """YOLOv5, v6 and v7, exported with decoded boxes and without NMS."""

    name = "yolov5"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = 0.6  # what these models' own validation uses

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            classes = self.layout(model).classes or 0
        except ConfigurationError:
            return None
        rows = model.outputs[0].shape[1]
        for strides in PYRAMIDS:
            cells = cells_of(model.size, strides)
            if rows == ANCHORS * cells:
                return f"5 + {classes} columns, {ANCHORS} rows for each cell of strides {strides}"
            if rows == cells and objectness_is_one(model):
                return f"5 + {classes} columns, a row for each cell, every objectness is 1"
        return None

    def layout(self, model: ModelSignature) -> Layout:
        """Return how the output fits; raises `ConfigurationError`."""
        return joined_layout(model, self.name)

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
        """Return the detections at or above `floor`; only the best class of each row."""
        return decode_joined(outputs[0][0], floor)
