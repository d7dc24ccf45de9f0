"""Ultralytics detection models since YOLOv8 (v8, v9, 11, 12): one output, no objectness.

The output is `[1, 4 + classes, n]`, n = the cells of all strides: rows 0 to 3 hold the box's
centre x, centre y, width and height in pixels of the input, the rest each class's confidence,
sigmoid done. The input is RGB over 255; the frame sits in the middle of grey 114.

Source: `Detect` in `ultralytics/nn/modules/head.py`, and `metadata` (`names`, `imgsz`, `stride`,
`task`) in `engine/exporter.py`, of ultralytics/ultralytics. Older (v5) and suppressing (v10)
exports have other shapes: `yolov5.py`, `end2end.py`.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from agent.detector.formats.contract import (
    TO_ONE,
    ChannelOrder,
    Layout,
    ModelSignature,
    Preprocessing,
)
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.geometry import PYRAMIDS, cells_of, corners
from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

BOX_ROWS = 4
TRAINED = Size(640, 640)


def ultralytics_preprocessing(model: ModelSignature) -> Preprocessing:
    """Return how frames become the input of any of their detectors."""
    mean, std = TO_ONE
    return Preprocessing(
        colours=ChannelOrder.RGB,
        mean=mean,
        std=std,
        padding=Padding.AROUND,
        pad_value=114,
        stride=model.metadata.stride or 32,
        size=model.metadata.size or TRAINED,
    )


class Ultralytics:
    """YOLOv8 and its successors, exported without suppression in the graph."""

    name = "ultralytics"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = 0.7  # what these models' own validation uses

    def recognise(self, model: ModelSignature) -> str | None:
        """Say why this model is certainly of this family, or None."""
        try:
            classes = self.layout(model).classes or 0
        except ConfigurationError:
            return None
        labels = model.metadata.labels
        if labels is not None and model.metadata.task is not None:
            return (
                f"metadata of a detector with {classes} labels" if len(labels) == classes else None
            )
        cells = model.outputs[0].shape[2]
        for strides in PYRAMIDS:
            if cells == cells_of(model.size, strides):
                return f"one output of 4 + {classes} rows over the cells of strides {strides}"
        return None

    def layout(self, model: ModelSignature) -> Layout:
        """Return how the output fits.

        Raises:
            ConfigurationError: There is not one output of three axes, or the metadata names
                another task.
        """
        task = model.metadata.task
        if task not in (None, Task.DETECT):
            raise ConfigurationError(f"ultralytics reads detectors; this model's task is {task}")
        shapes = [output.shape for output in model.outputs]
        if len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][0] == 1:  # noqa: PLR2004  # axes
            rows = shapes[0][1]
            if rows is not None and rows > BOX_ROWS:
                return Layout((0,), rows - BOX_ROWS)
        raise ConfigurationError("ultralytics has one output [1, 4 + classes, n]")

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
        rows = outputs[0][0]
        scores = rows[BOX_ROWS:]
        best = scores.max(axis=0, initial=-np.inf)
        cells = np.flatnonzero(best >= floor)
        return DecodedDetections.sound(
            corners(rows[:BOX_ROWS, cells].T),
            best[cells],
            scores[:, cells].argmax(axis=0),
            invalid=bool(np.isnan(best).any()),
        )
