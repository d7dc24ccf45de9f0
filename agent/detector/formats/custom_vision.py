"""Azure Custom Vision's object detectors: detections after NMS, class ids from 0.

Outputs `detected_boxes` `[1, n, 4]` or `[n, 4]`, x_min, y_min, x_max, y_max in normalized
coordinates, `detected_classes` and `detected_scores`. The metadata describes the input:
`Image.BitmapPixelFormat` Bgr8 or Rgb8, `Image.NominalPixelRange` NominalRange_0_255,
Normalized_0_1 or Normalized_1_1; without them it is BGR, 0 to 255, as the service exports it. The
frame is stretched.

Source: `samples/python/onnx` of Azure-Samples/customvision-export-samples (MIT), the README that
the service adds to its exports, and MetadataProps.md of onnx/onnx (Apache-2.0) for the metadata.
"""

from dataclasses import replace

from agent.detector.formats.boxes_classes_scores import (
    CUSTOM_VISION,
    ONNX_MODELS,
    TENSORFLOW,
    named_by,
)
from agent.detector.formats.contract import (
    NO_CHANGE,
    TO_ONE,
    ChannelOrder,
    ClassNumbering,
    ModelSignature,
    Preprocessing,
)
from agent.detector.formats.ssd import Ssd
from agent.errors import ConfigurationError

RANGES = {
    "NominalRange_0_255": NO_CHANGE,
    "Normalized_0_1": TO_ONE,
    "Normalized_1_1": ((127.5,) * 3, (127.5,) * 3),
}
"""Mean and standard deviation by the value of `Image.NominalPixelRange`."""


class CustomVision(Ssd):
    """Normalized boxes, x before y, class ids from 0."""

    name = "custom-vision"
    numbering = ClassNumbering.PLAIN

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        if named_by(model, CUSTOM_VISION):
            try:
                self.layout(model)
            except ConfigurationError:
                return None
            return "output names of Azure Custom Vision"
        others = named_by(model, ONNX_MODELS) or named_by(model, TENSORFLOW)
        return None if others else self.by_numbers(model)

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        entries = model.metadata.entries
        rgb = entries.get("Image.BitmapPixelFormat") == "Rgb8"
        mean, std = RANGES.get(entries.get("Image.NominalPixelRange", ""), NO_CHANGE)
        return replace(
            super().preprocessing(model),
            channel_order=ChannelOrder.RGB if rgb else ChannelOrder.BGR,
            mean=mean,
            std=std,
        )
