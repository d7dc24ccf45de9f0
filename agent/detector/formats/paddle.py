"""Detectors of PaddleDetection with their post-processing in the graph.

- `picodet-nms`, `ppyoloe-nms`: after NMS, `[n, 6]`: class id, confidence, x_min, y_min, x_max,
  y_max, and the number of rows `[1]`.
- `picodet-boxes`, `ppyoloe-boxes`: before NMS, boxes `[1, n, 4]` as corners and confidences
  `[1, classes, n]`, n = the cells of the model's strides.

Boxes are in pixels of the frame: the input `scale_factor` gets ones, so that they are in pixels of
the model's input. PicoDet's input is RGB, normalized as for ImageNet; that of PP-YOLOE+ and of
PaddleDetection's RT-DETR is RGB / 255; both are stretched. After NMS nothing tells the two apart.

Source: `PicoHeadV2.get_bboxes`, `PPYOLOEHead.post_process` in `ppdet/modeling/heads`,
`BaseArch.forward` and the readers in `configs` of PaddlePaddle/PaddleDetection (Apache-2.0).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from agent.detector.formats.contract import IMAGENET, Columns, Layout, ModelSignature, Preprocessing
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.end2end import COLUMNS, decode_rows
from agent.detector.formats.geometry import STRIDES, cells_of, rows_of
from agent.detector.formats.rtdetr import rtdetr_preprocessing
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

PICODET_STRIDES = (*STRIDES, 64)
CORNERS_FIRST = [2, 3, 4, 5, 1, 0]  # columns in the order of `decode_rows`


class PpYoloeNms:
    """Rows of class id, confidence and corners, and their number."""

    name = "ppyoloe-nms"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = None

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model may have this format, or None."""
        try:
            self.layout(model)
        except ConfigurationError:
            return None
        return "six columns, class and confidence first, and the number of rows"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the output; raises `ConfigurationError`."""
        shapes = [output.shape for output in model.outputs]
        rows = [index for index, shape in enumerate(shapes) if _is_table(shape)]
        if len(shapes) == 2 and len(rows) == 1 and shapes[1 - rows[0]] in ((1,), ()):  # noqa: PLR2004  # rows and their number
            return Layout((rows[0],), None)
        raise ConfigurationError(f"{self.name} has two outputs, [n, {COLUMNS}] and [1]")

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return rtdetr_preprocessing(model)

    def decode(
        self,
        outputs: Sequence[FloatArray],
        *,
        size: Size,
        floor: float,
    ) -> DecodedDetections:  # the boxes are in pixels already
        """Return the detections at or above `floor`."""
        return decode_rows(rows_of(outputs[0], COLUMNS)[:, CORNERS_FIRST], floor)


class PicoDetNms(PpYoloeNms):
    """The same with PicoDet's input."""

    name = "picodet-nms"

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        mean, std = IMAGENET
        return replace(super().preprocessing(model), mean=mean, std=std)


class PpYoloeBoxes:
    """Corners and confidences of each cell of three strides."""

    name = "ppyoloe-boxes"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = 0.7  # what the models' own post-processing uses
    strides: tuple[int, ...] = STRIDES

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            classes = self.layout(model).classes
        except ConfigurationError:
            return None
        return f"corners and confidences of {classes} classes for the cells of {self.strides}"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read boxes and confidences; raises `ConfigurationError`."""
        shapes = [output.shape for output in model.outputs]
        rows = cells_of(model.size, self.strides)
        if len(shapes) == 2 and (1, rows, 4) in shapes:  # noqa: PLR2004  # boxes and confidences
            boxes = shapes.index((1, rows, 4))
            scores = shapes[1 - boxes]
            if len(scores) == 3 and scores[0] == 1 and scores[2] == rows:  # noqa: PLR2004  # axes
                return Layout((boxes, 1 - boxes), scores[1], confidences=(Columns(1),))
        raise ConfigurationError(
            f"{self.name} has two outputs, [1, {rows}, 4] and [1, classes, {rows}]"
        )

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return rtdetr_preprocessing(model)

    def decode(
        self,
        outputs: Sequence[FloatArray],
        *,
        size: Size,
        floor: float,
    ) -> DecodedDetections:  # the boxes are in pixels already
        """Return the detections at or above `floor`; only the best class of each cell."""
        boxes, scores = outputs[0][0], outputs[1][0]
        best = scores.max(axis=0, initial=-np.inf)
        chosen = np.flatnonzero(best >= floor)
        return DecodedDetections.validated(
            boxes[chosen],
            best[chosen],
            scores[:, chosen].argmax(axis=0),
            invalid=bool(np.isnan(best).any()),
        )


class PicoDetBoxes(PpYoloeBoxes):
    """The same with four strides and PicoDet's input."""

    name = "picodet-boxes"
    nms_iou: float | None = 0.6
    strides = PICODET_STRIDES

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        mean, std = IMAGENET
        return replace(super().preprocessing(model), mean=mean, std=std)


def _is_table(shape: tuple[int | None, ...]) -> bool:
    return shape[-1:] == (COLUMNS,) and len(shape) == 2  # noqa: PLR2004  # axes
