"""YOLOX: one output of boxes relative to their cell, with an objectness.

The output is `[1, n, 5 + classes]`, n = the cells of strides 8, 16, 32, row by row: x and y in
strides from the cell's top left corner, the logarithms of width and height in strides, then
objectness and classes after the sigmoid. Exports that decode in the graph have pixels in the first
four columns. The input is BGR, 0 to 255; the frame is at the top left, padded with grey 114.

Source: `yolox/models/yolo_head.py`, `yolox/data/data_augment.py` (preproc) and the ONNX demo of
Megvii-BaseDetection/YOLOX 0.3.0 (Apache-2.0); Ge et al., "YOLOX", 2021.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from agent.detector.formats.contract import (
    NO_CHANGE,
    ChannelOrder,
    Layout,
    ModelSignature,
    Preprocessing,
)
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.geometry import PYRAMIDS, cells_of
from agent.detector.formats.yolov5 import (
    decode_joined,
    joined_classes,
    joined_layout,
    objectness_is_one,
)
from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

DEFAULT_SIZE = Size(640, 640)
LARGEST_OFFSET = 16.0  # offsets in strides and logarithms are far below it, pixels far above


class YoloX:
    """YOLOX from its own exporter: the caller adds the grid."""

    name = "yolox"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = 0.65  # what these models' own evaluation uses

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        classes = _classes(model, self.name)
        if classes is None or _in_pixels(model):
            return None
        return f"5 + {classes} columns, a row for each cell, boxes in strides"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how the output fits; raises `ConfigurationError`."""
        return joined_layout(model, self.name)

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        mean, std = NO_CHANGE
        return Preprocessing(
            channel_order=ChannelOrder.BGR,
            mean=mean,
            std=std,
            padding=Padding.BOTTOM_RIGHT,
            pad_value=114,
            stride=model.metadata.stride or 32,
            size=model.metadata.size or DEFAULT_SIZE,
        )

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:
        """Return the detections at or above `floor`; only the best class of each cell."""
        grid = _grid(size, outputs[0].shape[1])
        if grid is None:
            return DecodedDetections.empty(invalid=True)
        likely = np.flatnonzero(~(outputs[0][0, :, 4] < floor))
        rows = outputs[0][0, likely]
        origins, strides = grid[likely, :2], grid[likely, 2:]
        with np.errstate(over="ignore", invalid="ignore"):
            rows[:, :2] = (rows[:, :2] + origins) * strides
            rows[:, 2:4] = np.exp(rows[:, 2:4]) * strides
        return decode_joined(rows, floor)


class YoloXDecoded(YoloX):
    """YOLOX exported with the grid in the graph."""

    name = "yolox-decoded"

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        classes = _classes(model, self.name)
        if classes is None or not _in_pixels(model):
            return None
        return f"5 + {classes} columns, a row for each cell, boxes in pixels"

    def decode(
        self,
        outputs: Sequence[FloatArray],
        *,
        size: Size,
        floor: float,
    ) -> DecodedDetections:  # the boxes are in pixels already
        """Return the detections at or above `floor`; only the best class of each cell."""
        return decode_joined(outputs[0][0], floor)


def _classes(model: ModelSignature, name: str) -> int | None:
    """Return the classes if there is a row for each cell."""
    try:
        classes = joined_classes(model, name)
    except ConfigurationError:
        return None
    if objectness_is_one(model):
        return None
    rows = model.outputs[0].shape[1]
    return classes if any(rows == cells_of(model.size, each) for each in PYRAMIDS) else None


def _in_pixels(model: ModelSignature) -> bool:
    """Whether the boxes of the trial run are decoded; False without a trial run."""
    boxes = model.values[0][0, :, :4] if model.values else np.zeros((1, 4))
    return bool(np.abs(boxes[np.isfinite(boxes)]).max(initial=0) > LARGEST_OFFSET)


@lru_cache(maxsize=8)
def _grid(size: Size, rows: int) -> FloatArray | None:
    """Return `[cells, 3]`: column, row and stride of each cell; None if `rows` does not fit."""
    for strides in PYRAMIDS:
        if cells_of(size, strides) == rows:
            return np.concatenate([_level(size, stride) for stride in strides])
    return None


def _level(size: Size, stride: int) -> FloatArray:
    rows, columns = np.mgrid[: -(-size.height // stride), : -(-size.width // stride)]
    steps = np.full(rows.size, stride)
    return np.stack([columns.ravel(), rows.ravel(), steps], axis=1).astype(np.float32)
