"""NanoDet-Plus: all strides in one output, as its exporter writes it.

The output is `[1, n, classes + 32]`, n = the cells of strides 8, 16, 32, 64, row by row:
confidences, sigmoid done, then for left, top, right, bottom the logits of a distribution over the
distances 0, 1, ..., 7 strides from `(column * stride, row * stride)`, the cell's corner. Pixels are
those of NanoDet; the frame is stretched.

Source: `NanoDetPlusHead._forward_onnx` and `get_single_level_center_priors` in
`nanodet/model/head/nanodet_plus_head.py`, and `reg_max`, `keep_ratio` and `normalize` in
`config/nanodet-plus-m_416.yml` of RangiLyu/nanodet (Apache-2.0).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from agent.detector.formats.contract import Layout, Preparation, Signature
from agent.detector.formats.geometry import cells, cells_of
from agent.detector.formats.nanodet import NanoDet, decoded_cells
from agent.detector.formats.raw import RawDetections
from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray
from agent.errors import ConfigurationError

STRIDES = (8, 16, 32, 64)
SIDES = 32  # columns: 4 sides of 8 bins


class NanoDetPlus:
    """Confidences and sides of each cell, in one table."""

    name = "nanodet-plus"
    task: Literal["detect"] = "detect"
    nms_iou: float | None = 0.6

    def recognise(self, model: Signature) -> str | None:
        """Say why this model is certainly of this family, or None."""
        try:
            classes = self.layout(model).classes
        except ConfigurationError:
            return None
        if not model.values:
            return None
        rows = model.values[0][0]
        shares, logits = rows[:, :-SIDES], rows[:, -SIDES:]
        if not ((shares >= 0) & (shares <= 1)).all() or not ((logits < 0) | (logits > 1)).any():
            return None
        return f"a row for each cell of strides {STRIDES}, {classes} classes and 4 sides of bins"

    def layout(self, model: Signature) -> Layout:
        """Return how the output fits; raises `ConfigurationError`."""
        shapes = [output.shape for output in model.outputs]
        if len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][0] == 1:  # noqa: PLR2004  # axes
            rows, columns = shapes[0][1:]
            if rows == cells_of(model.size, STRIDES) and columns is not None and columns > SIDES:
                return Layout((0,), columns - SIDES)
        raise ConfigurationError(
            f"{self.name} has one output [1, n, classes + {SIDES}], n = the cells of {STRIDES}"
        )

    def preparation(self, model: Signature) -> Preparation:
        """Return how frames become this model's input."""
        return replace(NanoDet().preparation(model), padding=Padding.STRETCH)

    def decode(self, outputs: Sequence[FloatArray], *, size: Size, floor: float) -> RawDetections:
        """Return the detections at or above `floor`; one class per cell, the best."""
        rows = outputs[0][0]
        if len(rows) != cells_of(size, STRIDES):
            return RawDetections.nothing(invalid=True)
        ends = np.cumsum([cells(size, stride) for stride in STRIDES])
        parts = [
            decoded_cells(
                level[:, :-SIDES],
                level[:, -SIDES:],
                stride=stride,
                columns=-(-size.width // stride),
                centre=0.0,
                floor=floor,
            )
            for level, stride in zip(np.split(rows, ends[:-1]), STRIDES, strict=True)
        ]
        boxes, confidences, class_ids = (np.concatenate(each) for each in zip(*parts, strict=True))
        odd = bool(np.isnan(rows[:, :-SIDES].sum()))
        return RawDetections.sound(boxes, confidences, class_ids, invalid=odd)
