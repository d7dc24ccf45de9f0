"""SSD: finished detections in three outputs, boxes as shares of the input, numbers from one.

- `ssd`: boxes `[1, n, 4]` as x_min, y_min, x_max, y_max; numbers without gaps, 0 is background.
  Input RGB, normalised as for ImageNet, stretched.
- `tf-ssd`: models of the TensorFlow Object Detection API: `detection_boxes` `[1, n, 4]` as y_min,
  x_min, y_max, x_max, `detection_classes`, `detection_scores`, `num_detections`; numbers are those
  of the label map, for COCO 1 to 90 with gaps. Input RGB, 0 to 255, height and width before the
  channels, stretched.

Source: the model cards of SSD in onnx/models (Apache-2.0); `exporter.py` and
`core/post_processing.py` of tensorflow/models, research/object_detection (Apache-2.0).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from agent.detector.formats.boxes_classes_scores import BOX, Triples, decode_triples
from agent.detector.formats.contract import (
    IMAGENET,
    NO_CHANGE,
    ClassNumbering,
    ModelSignature,
    Preprocessing,
)
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.geometry import to_pixels
from agent.detector.formats.rtdetr import rtdetr_preprocessing
from agent.detector.letterbox import Size
from agent.domain import FloatArray
from agent.errors import ConfigurationError

SHARES = 1.5  # boxes as shares of the input hardly go beyond 1


class Ssd(Triples):
    """Boxes as shares, x before y."""

    name = "ssd"
    numbering = ClassNumbering.FROM_ONE

    def recognise(self, model: ModelSignature) -> str | None:
        """Say why this model is certainly of this family, or None."""
        try:
            boxes = self.layout(model).outputs[0]
        except ConfigurationError:
            return None
        if model.sized or not model.values:
            return None
        largest = np.abs(model.values[boxes]).max(initial=0)
        if not 0 < largest <= SHARES:
            return None
        return "boxes as shares of the input, class numbers and confidences"

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        mean, std = IMAGENET
        wanted = rtdetr_preprocessing(model)
        return replace(wanted, mean=mean, std=std, size=model.metadata.size or Size(300, 300))

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:
        """Return the detections at or above `floor`."""
        return decode_triples([to_pixels(outputs[0].reshape(-1, BOX), size), *outputs[1:]], floor)


class TensorFlowSsd(Ssd):
    """Boxes as shares, y before x."""

    name = "tf-ssd"
    gaps = True

    def recognise(self, model: ModelSignature) -> str | None:
        """Say why this model is certainly of this family, or None."""
        try:
            boxes = self.layout(model).outputs[0]
        except ConfigurationError:
            return None
        if not model.outputs[boxes].name.startswith("detection_boxes"):
            return None
        return "outputs named as the TensorFlow Object Detection API does"

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        mean, std = NO_CHANGE
        return replace(super().preprocessing(model), mean=mean, std=std)

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:
        """Return the detections at or above `floor`."""
        swapped = outputs[0].reshape(-1, BOX)[:, [1, 0, 3, 2]]
        return super().decode([swapped, *outputs[1:]], size=size, floor=floor)
