"""RT-DETR and its successors, D-FINE and DEIM, which have the same inputs and outputs.

As trained: class logits `[1, queries, classes]` and boxes `[1, queries, 4]`, centre x, centre y,
width, height in normalized coordinates. The confidence is the sigmoid of the logit; there is no
background class, and no NMS is needed. The input is RGB / 255, stretched to a square.

- `rtdetr`: these two outputs, `logits` and `pred_boxes`.
- `rtdetr-joined`: one output `[1, queries, 4 + classes]` after the sigmoid, Ultralytics' older
  exports.
- `rtdetr-rows`: one output `[1, n, 6]` of the best pairs of a query and a class: the box, its
  confidence, its class id: Ultralytics' exports since 2026, with `head: RTDETRDecoder` in the
  metadata.

Exports with the post-processing in the graph are `rtdetr-deployed`, in `torchvision_like.py`.

Source: `RTDetrForObjectDetection` and `RTDetrImageProcessor.post_process_object_detection` of
transformers (Apache-2.0); `forward` and `postprocess` of `RTDETRDecoder` in
`ultralytics/nn/modules/head.py` of ultralytics/ultralytics; Zhao et al., "DETRs
Beat YOLOs", 2023; Peng et al., "D-FINE", 2024.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from agent.detector.formats.contract import (
    ClassNumbering,
    Columns,
    Layout,
    ModelSignature,
    Preprocessing,
)
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.detr_queries import (
    MOST_QUERIES,
    best_pairs,
    boxes_are_normalized,
    last_is_no_object,
    pair_layout,
    unbatched,
)
from agent.detector.formats.end2end import COLUMNS, decode_rows
from agent.detector.formats.geometry import corners, rows_of, sigmoid, to_pixels
from agent.detector.formats.ultralytics import BOX_ROWS, ultralytics_preprocessing
from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

HALF = 0.5
RTDETR_HEAD = "RTDETRDecoder"  # metadata `head` of Ultralytics
RFDETR_NAMES = {"dets", "labels"}


def rtdetr_preprocessing(model: ModelSignature) -> Preprocessing:
    """Return the preprocessing of all of these models."""
    return replace(ultralytics_preprocessing(model), padding=Padding.STRETCH)


def logit(share: float) -> float:
    """Return the logit whose sigmoid is `share`."""
    if share <= 0:
        return -math.inf
    return math.inf if share >= 1 else math.log(share / (1 - share))


def decode_sigmoid(outputs: Sequence[FloatArray], *, size: Size, floor: float) -> DecodedDetections:
    """Return the detections of class logits and boxes in normalized coordinates."""
    scores, boxes = unbatched(outputs)
    logits, pairs = best_pairs(scores, boxes, size=size, limit=logit(floor))
    return DecodedDetections.validated(
        pairs.boxes, sigmoid(logits), pairs.class_ids, invalid=pairs.invalid
    )


class RtDetr:
    """Class logits and boxes, named as in transformers and the models' own repositories."""

    name = "rtdetr"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = None

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            layout = self.layout(model)
        except ConfigurationError:
            return None
        if {model.outputs[index].name for index in layout.outputs} == RFDETR_NAMES:
            return None
        if len(model.outputs) > 2 and "logits" not in {each.name for each in model.outputs}:  # noqa: PLR2004  # a pair
            return None
        scores, boxes = layout.outputs
        if not boxes_are_normalized(model, boxes) or last_is_no_object(model, scores):
            return None
        return f"logits of {layout.classes} classes and normalized boxes, no background"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the outputs; raises `ConfigurationError`."""
        return replace(pair_layout(model, self.name, ClassNumbering.PLAIN), gaps=False)

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return rtdetr_preprocessing(model)

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:
        """Return the detections at or above `floor`."""
        return decode_sigmoid(outputs, size=size, floor=floor)


class RtDetrRows:
    """The best pairs of a query and a class, in one output of six columns."""

    name = "rtdetr-rows"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = None

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            self.layout(model)
        except ConfigurationError:
            return None
        if model.metadata.entries.get("head") == RTDETR_HEAD:
            return f"metadata `head: {RTDETR_HEAD}` and six columns"
        if not model.values or not is_final(model.values[0][0]):
            return None
        boxes = model.values[0][0, :, :BOX_ROWS]
        if not boxes.any() or not ((boxes >= 0) & (boxes <= 1)).all():
            return None
        # Corners are in order; a centre and a size seldom are.
        upright = (boxes[:, 2:] >= boxes[:, :2]).all(axis=1)
        return None if upright.mean() > HALF else "rows of normalized boxes, confidence and class"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how the output fits; raises `ConfigurationError`."""
        shapes = [output.shape for output in model.outputs]
        if len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][::2] == (1, COLUMNS):  # noqa: PLR2004  # axes
            return Layout((0,), None)
        raise ConfigurationError(f"{self.name} has one output [1, n, {COLUMNS}]")

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return rtdetr_preprocessing(model)

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:
        """Return the detections at or above `floor`."""
        rows = rows_of(outputs[0], COLUMNS)
        pixels = corners(to_pixels(rows[:, :BOX_ROWS], size))
        return decode_rows(np.concatenate([pixels, rows[:, BOX_ROWS:]], axis=1), floor)


def is_final(rows: FloatArray) -> bool:
    """Whether `[n, columns]` ends in a confidence and a class id.

    A sigmoid is never exactly 0 or 1 in all rows, so whole numbers are class ids.
    """
    if rows.shape[1] != COLUMNS or not len(rows):
        return False
    confidences, class_ids = rows[:, 4], rows[:, 5]
    within = ((confidences >= 0) & (confidences <= 1)).all()
    return bool(within and (class_ids == np.rint(class_ids)).all())


def _has_class_ids(model: ModelSignature) -> bool:
    """Whether the last of six columns has class ids."""
    if model.metadata.entries.get("head") == RTDETR_HEAD:
        return True
    return bool(model.values) and is_final(model.values[0][0])


class RtDetrJoined:
    """Boxes and confidences in one output."""

    name = "rtdetr-joined"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = None

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            classes = self.layout(model).classes
        except ConfigurationError:
            return None
        if not model.values:
            return None
        boxes, scores = model.values[0][0, :, :BOX_ROWS], model.values[0][0, :, BOX_ROWS:]
        normalized = (boxes >= 0).all() and (boxes <= 1).all() and boxes.any()
        if normalized and (scores >= 0).all() and (scores <= 1).all():
            return f"4 + {classes} columns, boxes and confidences all between 0 and 1"
        return None

    def layout(self, model: ModelSignature) -> Layout:
        """Return how the output fits; raises `ConfigurationError`."""
        shapes = [output.shape for output in model.outputs]
        if len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][0] == 1:  # noqa: PLR2004  # axes
            queries, columns = shapes[0][1:]
            few = queries is not None and queries <= MOST_QUERIES
            if few and columns is not None and columns > BOX_ROWS:
                if columns == COLUMNS and _has_class_ids(model):
                    raise ConfigurationError(
                        f"{self.name} has confidences in all columns after the box, but this "
                        "model's last column has class ids"
                    )
                confidences = Columns(0, begin=BOX_ROWS)
                return Layout((0,), columns - BOX_ROWS, confidences=(confidences,))
        raise ConfigurationError(
            f"{self.name} has one output [1, queries, 4 + classes], at most {MOST_QUERIES} queries"
        )

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return rtdetr_preprocessing(model)

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:
        """Return the detections at or above `floor`; only the best class of each query."""
        boxes, scores = outputs[0][0, :, :BOX_ROWS], outputs[0][0, :, BOX_ROWS:]
        best = scores.max(axis=1, initial=-np.inf)
        queries = np.flatnonzero(best >= floor)
        return DecodedDetections.validated(
            corners(to_pixels(boxes[queries], size)),
            best[queries],
            scores[queries].argmax(axis=1),
            invalid=bool(np.isnan(best).any()),
        )
