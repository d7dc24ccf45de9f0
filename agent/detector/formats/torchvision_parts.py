"""Mask R-CNN and Keypoint R-CNN of torchvision: its detector's outputs and one or two more.

- `torchvision-masks`: masks `[n, 1, height, width]`, probabilities over the whole input; or
  `[n, 1, 28, 28]` over each box, if the export leaves out the step that pastes them.
- `torchvision-keypoints`: keypoints `[n, k, 3]`: x, y in pixels of the input, and a 1; usually
  their scores `[n, k]`, which are heights in a heat map: above 0 the point is rather there.

Source: `RoIHeads.forward`, `keypointrcnn_inference`, `heatmaps_to_keypoints` and
`paste_masks_in_image` in torchvision.models.detection.roi_heads (BSD-3-Clause).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from agent.detector.formats.boxes_classes_scores import decode_boxes_classes_scores
from agent.detector.formats.contract import ImageMasks, Layout, ModelSignature, Preprocessing
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.geometry import sigmoid
from agent.detector.formats.torchvision_like import TorchVision, keypoint_outputs, mask_output
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

BOXES = 3  # outputs of the detector: boxes, labels, scores
_DETECTOR = TorchVision()


class TorchVisionMasks:
    """Mask R-CNN in evaluation mode."""

    name = "torchvision-masks"
    task: Literal[Task.SEGMENT] = Task.SEGMENT
    nms_iou: float | None = None

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        return _reason(self, model, "masks")

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the outputs; raises `ConfigurationError`."""
        layout = _DETECTOR.layout(model)
        masks = mask_output(model.outputs, layout.outputs[0])
        if masks is None:
            raise ConfigurationError(f"{self.name} has masks [n, 1, height, width]")
        return replace(layout, outputs=(*layout.outputs[:BOXES], masks))

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return _DETECTOR.preprocessing(model)

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:  # the boxes are in pixels already
        """Return the detections at or above `floor`."""
        return decode_boxes_classes_scores(outputs[:BOXES], floor)

    def masks(
        self, outputs: Sequence[FloatArray], rows: NDArray[np.intp], size: Size
    ) -> ImageMasks:
        """Return the masks of these rows; those of the input's size are over the input."""
        masks = outputs[BOXES][:, 0]
        return ImageMasks(masks, rows, masks.shape[1:] != (size.height, size.width))


class TorchVisionKeypoints:
    """Keypoint R-CNN in evaluation mode."""

    name = "torchvision-keypoints"
    task: Literal[Task.POSE] = Task.POSE
    nms_iou: float | None = None

    def __init__(self, keypoint_count: int = 0) -> None:
        """Use the number of keypoints that `for_model` found."""
        self.keypoint_count = keypoint_count

    def for_model(self, model: ModelSignature, labels: Sequence[str] | None) -> Self:
        """Return the format with the model's number of keypoints, which the shapes tell."""
        points = self.layout(model).outputs[BOXES]
        return type(self)(model.outputs[points].shape[1] or 0)

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        return _reason(self, model, f"{self.keypoint_count} keypoints")

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the outputs; raises `ConfigurationError`."""
        layout = _DETECTOR.layout(model)
        points = keypoint_outputs(model.outputs, layout.outputs[0])
        if not points:
            raise ConfigurationError(f"{self.name} has keypoints [n, k, 3]")
        return replace(layout, outputs=(*layout.outputs[:BOXES], *points))

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return _DETECTOR.preprocessing(model)

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:  # the boxes are in pixels already
        """Return the detections at or above `floor`."""
        return decode_boxes_classes_scores(outputs[:BOXES], floor)

    def keypoints(self, outputs: Sequence[FloatArray], rows: NDArray[np.intp]) -> FloatArray:
        """Return the keypoints of these rows; a score's confidence is its logistic function."""
        points = outputs[BOXES][rows]
        if len(outputs) == BOXES + 1:
            return points
        confidences = sigmoid(outputs[BOXES + 1][rows])
        return np.concatenate([points[:, :, :2], confidences[:, :, None]], axis=2)


def _reason(
    known: TorchVisionMasks | TorchVisionKeypoints, model: ModelSignature, what: str
) -> str | None:
    try:
        boxes = known.layout(model).outputs[0]
    except ConfigurationError:
        return None
    if model.has_size_input or len(model.outputs[boxes].shape) != 2:  # noqa: PLR2004  # no batch
        return None
    return f"boxes, labels from 1, scores and {what} without a batch axis"
