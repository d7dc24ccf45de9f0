"""DETR, YOLOS and Table Transformer: class logits with a last class "no object", softmax.

Outputs `logits` `[1, queries, classes + 1]` and `pred_boxes` `[1, queries, 4]`: centre x, centre
y, width, height in normalized coordinates. A query's confidence is the softmax of its best class,
computed over all classes including the last one. The input is RGB, normalized as for ImageNet,
stretched.

Source: `DetrForObjectDetection`, `YolosForObjectDetection` and their image processors'
`post_process_object_detection` in transformers (Apache-2.0); Carion et al., "End-to-End Object
Detection with Transformers", 2020.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from agent.detector.formats.contract import (
    IMAGENET,
    ClassNumbering,
    Layout,
    ModelSignature,
    Preprocessing,
)
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.detr_queries import (
    boxes_are_normalized,
    last_is_no_object,
    pair_layout,
    unbatched,
)
from agent.detector.formats.geometry import corners, softmax, to_pixels
from agent.detector.formats.rtdetr import rtdetr_preprocessing
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError


class Detr:
    """Queries with a "no object" class."""

    name = "detr"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = None

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            layout = self.layout(model)
        except ConfigurationError:
            return None
        scores, boxes = layout.outputs
        if not boxes_are_normalized(model, boxes) or not last_is_no_object(model, scores):
            return None
        return f"logits of {layout.classes} classes, the last of which means no object"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the outputs; raises `ConfigurationError`."""
        layout = pair_layout(model, self.name, ClassNumbering.BACKGROUND_LAST)
        if layout.classes is None or layout.classes < 2:  # noqa: PLR2004  # one and "no object"
            raise ConfigurationError("detr has one class more than labels: at least two classes")
        return layout

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        mean, std = IMAGENET
        wanted = rtdetr_preprocessing(model)
        return replace(wanted, mean=mean, std=std, size=model.metadata.size or Size(800, 800))

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:
        """Return the detections at or above `floor`; one class per query, the best."""
        logits, boxes = unbatched(outputs)
        probabilities = softmax(logits)[:, :-1]
        best = probabilities.max(axis=1, initial=-np.inf)
        queries = np.flatnonzero(best >= floor)
        return DecodedDetections.validated(
            corners(to_pixels(boxes[queries], size)),
            best[queries],
            probabilities[queries].argmax(axis=1),
            invalid=bool(np.isnan(best).any()),
        )
