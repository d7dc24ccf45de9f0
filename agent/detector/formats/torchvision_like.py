"""Detections after NMS in three outputs, boxes as corners in pixels of the input.

- `torchvision`: boxes `[n, 4]`, labels `[n]`, scores `[n]`, no batch axis: Faster R-CNN, SSD,
  RetinaNet, FCOS. Class ids start at 1, 0 is background, for COCO 1 to 90 with gaps. Input
  RGB / 255; resizing and normalization are in the graph.
- `rtdetr-deployed`: `labels` `[1, n]`, `boxes` `[1, n, 4]`, `scores` `[1, n]`, boxes in pixels of
  the size in the second input, `orig_target_sizes`: RT-DETR, D-FINE and DEIM exported by their own
  repositories. Class ids start at 0. Input RGB / 255, stretched.

Source: `GeneralizedRCNN.forward` and `SSD.postprocess_detections` in torchvision.models.detection
(BSD-3-Clause); `rtdetr_pytorch/tools/export_onnx.py` of lyuwenyu/RT-DETR and `tools/export_onnx.py`
of Peterande/D-FINE (Apache-2.0), whose outputs are `labels`, `boxes` and `scores`.
"""

from collections.abc import Sequence
from dataclasses import replace

from agent.detector.formats.boxes_classes_scores import (
    BoxesClassesScores,
    decode_boxes_classes_scores,
)
from agent.detector.formats.contract import ClassNumbering, ModelSignature, Preprocessing, Tensor
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.rtdetr import rtdetr_preprocessing
from agent.detector.formats.ultralytics import ultralytics_preprocessing
from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray
from agent.errors import ConfigurationError


class TorchVision(BoxesClassesScores):
    """The outputs of torchvision's detectors in evaluation mode."""

    name = "torchvision"
    numbering = ClassNumbering.FROM_ONE
    gaps = True

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            boxes = self.layout(model).outputs[0]
        except ConfigurationError:
            return None
        if model.has_size_input or len(model.outputs[boxes].shape) != 2:  # noqa: PLR2004  # no batch
            return None
        if mask_output(model.outputs, boxes) is not None or keypoint_outputs(model.outputs, boxes):
            return None  # it reads only the boxes of a model that has more
        return "boxes, labels from 1 and scores without a batch axis"

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return replace(
            ultralytics_preprocessing(model),
            padding=Padding.BOTTOM_RIGHT,
            stride=model.metadata.stride or 1,
            size=model.metadata.size or Size(1333, 800),
        )

    def decode(
        self,
        outputs: Sequence[FloatArray],
        *,
        size: Size,
        floor: float,
    ) -> DecodedDetections:  # the boxes are in pixels already
        """Return the detections at or above `floor`."""
        return decode_boxes_classes_scores(outputs, floor)


def mask_output(outputs: Sequence[Tensor], boxes: int) -> int | None:
    """Return which output has masks `[n, 1, height, width]` of the boxes; None if none has."""
    count = outputs[boxes].shape[0]
    for index, output in enumerate(outputs):
        if len(output.shape) == 4 and output.shape[:2] == (count, 1):  # noqa: PLR2004  # axes
            return index
    return None


def keypoint_outputs(outputs: Sequence[Tensor], boxes: int) -> tuple[int, ...]:
    """Return which outputs have keypoints `[n, k, 3]` and their scores `[n, k]`, if there are."""
    count = outputs[boxes].shape[0]
    for index, output in enumerate(outputs):
        shape = output.shape
        if len(shape) == 3 and shape[0] == count and shape[2] == 3 and shape[1]:  # noqa: PLR2004  # axes, numbers
            scores = [
                other
                for other, each in enumerate(outputs)
                if each.shape == shape[:2] and other != boxes
            ]
            return (index, *scores[:1])
    return ()


class RtDetrDeployed(BoxesClassesScores):
    """RT-DETR and similar models with their post-processing in the graph."""

    name = "rtdetr-deployed"

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            self.layout(model)
        except ConfigurationError:
            return None
        return (
            "boxes, labels and scores in pixels of the second input"
            if model.has_size_input
            else None
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
        """Return the detections at or above `floor`."""
        return decode_boxes_classes_scores(outputs, floor)
