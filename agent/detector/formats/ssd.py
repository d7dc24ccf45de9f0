"""SSD: detections after NMS in three outputs, normalized coordinates, class ids from one.

- `ssd`: boxes `[1, n, 4]` as x_min, y_min, x_max, y_max; class ids without gaps, 0 is background.
  Input RGB, normalized as for ImageNet, stretched.
- `tf-ssd`: models of the TensorFlow Object Detection API: `detection_boxes` `[1, n, 4]` as y_min,
  x_min, y_max, x_max, `detection_classes`, `detection_scores`, `num_detections`; class ids are
  those of the label map, for COCO 1 to 90 with gaps. Input RGB, 0 to 255, channels last, stretched.

Source: the model cards of SSD in onnx/models (Apache-2.0); `exporter.py` and
`core/post_processing.py` of tensorflow/models, research/object_detection (Apache-2.0).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from agent.detector.formats.boxes_classes_scores import (
    BOX,
    CUSTOM_VISION,
    ONNX_MODELS,
    TENSORFLOW,
    BoxesClassesScores,
    decode_boxes_classes_scores,
    named_by,
)
from agent.detector.formats.contract import (
    IMAGENET,
    NO_CHANGE,
    ClassNumbering,
    ModelSignature,
    Preprocessing,
)
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.geometry import rows_of, to_pixels
from agent.detector.formats.rtdetr import rtdetr_preprocessing
from agent.detector.letterbox import Size
from agent.domain import FloatArray
from agent.errors import ConfigurationError

COLOURS = 3
NORMALIZED_LIMIT = 1.5  # normalized coordinates are seldom above 1


class Ssd(BoxesClassesScores):
    """Normalized boxes, x before y."""

    name = "ssd"
    numbering = ClassNumbering.FROM_ONE

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None.

        Nothing but the names says whether class ids start at 0 or at 1: with other names,
        `custom-vision` fits too.
        """
        others = named_by(model, CUSTOM_VISION) or named_by(model, TENSORFLOW)
        return None if others else self.by_numbers(model)

    def by_numbers(self, model: ModelSignature) -> str | None:
        """Return the reason if the boxes of the trial run are normalized."""
        try:
            boxes = self.layout(model).outputs[0]
        except ConfigurationError:
            return None
        if model.has_size_input or not model.values:
            return None
        largest = np.abs(model.values[boxes]).max(initial=0)
        if not 0 < largest <= NORMALIZED_LIMIT:
            return None
        first = "1" if self.numbering is ClassNumbering.FROM_ONE else "0"
        return f"boxes in normalized coordinates, class ids from {first} and confidences"

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        mean, std = IMAGENET
        wanted = rtdetr_preprocessing(model)
        return replace(wanted, mean=mean, std=std, size=model.metadata.size or Size(300, 300))

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:
        """Return the detections at or above `floor`."""
        return decode_boxes_classes_scores(
            [to_pixels(rows_of(outputs[0], BOX), size), *outputs[1:]], floor
        )


class TensorFlowSsd(Ssd):
    """Normalized boxes, y before x."""

    name = "tf-ssd"
    gaps = True

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        if named_by(model, TENSORFLOW):
            try:
                self.layout(model)
            except ConfigurationError:
                return None
            return "output names of the TensorFlow Object Detection API"
        others = named_by(model, CUSTOM_VISION) or named_by(model, ONNX_MODELS)
        channels_last = model.input.shape[-1:] == (COLOURS,)
        return self.by_numbers(model) if channels_last and not others else None

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        mean, std = NO_CHANGE
        return replace(super().preprocessing(model), mean=mean, std=std)

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:
        """Return the detections at or above `floor`."""
        swapped = rows_of(outputs[0], BOX)[:, [1, 0, 3, 2]]
        return super().decode([swapped, *outputs[1:]], size=size, floor=floor)
