"""Finished detections in three outputs, boxes as corners in pixels of the input.

- `torchvision`: boxes `[n, 4]`, labels `[n]`, scores `[n]`, no axis for a batch: Faster R-CNN, SSD,
  RetinaNet, FCOS. Labels count from 1, 0 is background, for COCO 1 to 90 with gaps. Input RGB over
  255; resizing and normalising are in the graph.
- `rtdetr-deployed`: `labels` `[1, n]`, `boxes` `[1, n, 4]`, `scores` `[1, n]` in pixels of the size
  given as second input, `orig_target_sizes`: RT-DETR, D-FINE and DEIM as their own repositories
  export them. Labels count from 0. Input RGB over 255, stretched.

Source: `GeneralizedRCNN.forward` and `SSD.postprocess_detections` in torchvision.models.detection
(BSD-3-Clause); `rtdetr_pytorch/tools/export_onnx.py` of lyuwenyu/RT-DETR and `tools/export_onnx.py`
of Peterande/D-FINE (Apache-2.0), whose outputs are `labels`, `boxes` and `scores`.
"""

from collections.abc import Sequence
from dataclasses import replace

from agent.detector.formats.boxes_classes_scores import Triples, decode_triples
from agent.detector.formats.contract import ClassNumbering, ModelSignature, Preprocessing
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.rtdetr import rtdetr_preprocessing
from agent.detector.formats.ultralytics import ultralytics_preprocessing
from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray
from agent.errors import ConfigurationError


class TorchVision(Triples):
    """What torchvision's detectors give in evaluation."""

    name = "torchvision"
    numbering = ClassNumbering.FROM_ONE
    gaps = True

    def recognise(self, model: ModelSignature) -> str | None:
        """Say why this model is certainly of this family, or None."""
        try:
            boxes = self.layout(model).outputs[0]
        except ConfigurationError:
            return None
        if model.sized or len(model.outputs[boxes].shape) != 2:  # noqa: PLR2004  # no batch
            return None
        return "boxes, labels and scores without an axis for a batch"

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return replace(
            ultralytics_preprocessing(model),
            padding=Padding.AFTER,
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
        return decode_triples(outputs, floor)


class RtDetrDeployed(Triples):
    """RT-DETR and its kin with their post-processing in the graph."""

    name = "rtdetr-deployed"

    def recognise(self, model: ModelSignature) -> str | None:
        """Say why this model is certainly of this family, or None."""
        try:
            self.layout(model)
        except ConfigurationError:
            return None
        return "boxes, labels and scores in pixels of the second input" if model.sized else None

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
        return decode_triples(outputs, floor)
