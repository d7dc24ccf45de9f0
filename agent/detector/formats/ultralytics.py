"""Ultralytics detection models since YOLOv8 (v8, v9, 11, 12): one output, no objectness.

The output is `[1, 4 + classes, n]`, n = the cells of all strides: rows 0 to 3 are the box's
centre x, centre y, width and height in pixels of the input, the others the confidence of each
class after the sigmoid. The input is RGB / 255; the frame is centred on grey 114.

Source: `Detect` in `ultralytics/nn/modules/head.py`, and `metadata` (`names`, `imgsz`, `stride`,
`task`) in `engine/exporter.py`, of ultralytics/ultralytics. Exports of v5 and v10 have other
shapes: `yolov5.py`, `end2end.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agent.detector.formats.contract import (
    TO_ONE,
    ChannelOrder,
    Columns,
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
DEFAULT_SIZE = Size(640, 640)


def ultralytics_preprocessing(model: ModelSignature) -> Preprocessing:
    """Return the preprocessing of all detectors of Ultralytics."""
    mean, std = TO_ONE
    return Preprocessing(
        channel_order=ChannelOrder.RGB,
        mean=mean,
        std=std,
        padding=Padding.CENTRED,
        pad_value=114,
        stride=model.metadata.stride or 32,
        size=model.metadata.size or DEFAULT_SIZE,
    )


class Ultralytics:
    """YOLOv8 and its successors, exported without NMS in the graph."""

    name = "ultralytics"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = 0.7  # what these models' own validation uses

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
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
        """Return how to read the output.

        Raises:
            ConfigurationError: There is not exactly one output with three axes, or the metadata
                names another task.
        """
        task = model.metadata.task
        if task not in (None, Task.DETECT):
            raise ConfigurationError(f"ultralytics reads detectors; this model's task is {task}")
        shapes = [output.shape for output in model.outputs]
        if len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][0] == 1:  # noqa: PLR2004  # axes
            rows = shapes[0][1]
            if rows is not None and rows > BOX_ROWS:
                confidences = Columns(0, axis=1, begin=BOX_ROWS)
                return Layout((0,), rows - BOX_ROWS, confidences=(confidences,))
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
        """Return the detections at or above `floor`; only the best class of each cell."""
        rows = outputs[0][0]
        found = best_classes(rows[BOX_ROWS:], floor)
        return DecodedDetections.validated(
            corners(rows[:BOX_ROWS, found.cells].T),
            found.confidences,
            found.class_ids,
            invalid=found.invalid,
        )


@dataclass(frozen=True, slots=True)
class BestClasses:
    """The best class of each cell where it reaches the floor."""

    cells: NDArray[np.intp]  # [n]
    confidences: FloatArray  # [n]
    class_ids: NDArray[np.intp]  # [n]
    invalid: bool  # some cells have a confidence of NaN


def best_classes(scores: FloatArray, floor: float) -> BestClasses:
    """Return the best class of each cell of `[classes, cells]` where it is at least `floor`."""
    best = scores.max(axis=0, initial=-np.inf)
    cells = np.flatnonzero(best >= floor)
    return BestClasses(
        cells, best[cells], scores[:, cells].argmax(axis=0), bool(np.isnan(best).any())
    )


def is_over_cells(model: ModelSignature, count: int | None) -> bool:
    """Whether a number of columns is that of the cells of one of the usual pyramids."""
    return any(count == cells_of(model.size, strides) for strides in PYRAMIDS)
