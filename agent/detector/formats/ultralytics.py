"""Ultralytics detection models since YOLOv8 (v8, v9, 11, 12): one output, no objectness.

The output is `[1, 4 + classes, n]`, n = the cells of all strides: rows 0 to 3 hold the box's
centre x, centre y, width and height in pixels of the input, the rest each class's confidence,
sigmoid done. The input is RGB over 255; the frame sits in the middle of grey 114.

Source: the exporter's documentation at docs.ultralytics.com/modes/export, the shapes and metadata
(`names`, `imgsz`, `stride`, `task`) of exported files. Older (v5: `[1, n, 5 + classes]`) and
suppressing (v10: `[1, 300, 6]`) exports have other shapes and are not of this format.
"""

import math
from collections.abc import Sequence

import numpy as np

from agent.detector.formats.contract import Colours, Preparation, RawDetections, Signature
from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray
from agent.errors import ConfigurationError

BOX_ROWS = 4
PYRAMIDS = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))  # usual, p6, p2
TRAINED = Size(640, 640)


class Ultralytics:
    """YOLOv8 and its successors, exported without suppression in the graph."""

    name = "ultralytics"
    nms_iou: float | None = 0.7  # what these models' own validation uses

    def recognise(self, model: Signature) -> str | None:
        """Say why this model is certainly of this family, or None."""
        try:
            classes = self.classes(model)
        except ConfigurationError:
            return None
        labels = model.metadata.labels
        if labels is not None and model.metadata.task is not None:
            return (
                f"metadata of a detector with {classes} labels" if len(labels) == classes else None
            )
        cells = model.outputs[0].shape[2]
        for strides in PYRAMIDS:
            if cells == sum(_cells(model.size, stride) for stride in strides):
                return f"one output of 4 + {classes} rows over the cells of strides {strides}"
        return None

    def classes(self, model: Signature) -> int:
        """Return how many classes the output holds.

        Raises:
            ConfigurationError: There is not one output of three axes, or the metadata names
                another task.
        """
        task = model.metadata.task
        if task not in (None, "detect"):
            raise ConfigurationError(f"ultralytics reads detectors; this model's task is {task}")
        shapes = [output.shape for output in model.outputs]
        if len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][0] == 1:  # noqa: PLR2004  # axes
            rows = shapes[0][1]
            if rows is not None and rows > BOX_ROWS:
                return rows - BOX_ROWS
        raise ConfigurationError("ultralytics has one output [1, 4 + classes, n]")

    def preparation(self, model: Signature) -> Preparation:
        """Return how frames become this model's input."""
        return Preparation(
            colours=Colours.RGB,
            mean=(0.0, 0.0, 0.0),
            std=(255.0, 255.0, 255.0),
            padding=Padding.AROUND,
            pad_value=114,
            stride=model.metadata.stride or 32,
            size=model.metadata.size or TRAINED,
        )

    def decode(self, outputs: Sequence[FloatArray], *, size: Size, floor: float) -> RawDetections:  # noqa: ARG002  # the boxes are in pixels already
        """Return the detections at or above `floor`; one class per cell, the best."""
        rows = outputs[0][0]
        scores = rows[BOX_ROWS:]
        best = scores.max(axis=0, initial=-np.inf)
        cells = np.flatnonzero(best >= floor)
        centre_x, centre_y, width, height = rows[:BOX_ROWS, cells]
        with np.errstate(invalid="ignore", over="ignore"):
            half_width, half_height = width / 2, height / 2
            boxes = np.stack(
                [
                    centre_x - half_width,
                    centre_y - half_height,
                    centre_x + half_width,
                    centre_y + half_height,
                ],
                axis=1,
            )
        return RawDetections.sound(boxes, best[cells], scores[:, cells].argmax(axis=0))


def _cells(size: Size, stride: int) -> int:
    return math.ceil(size.width / stride) * math.ceil(size.height / stride)
