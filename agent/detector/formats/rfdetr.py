"""RF-DETR: class logits and boxes of queries, sigmoid, one class more than labels.

Outputs `dets` `[1, queries, 4]`, centre x, centre y, width, height in normalized coordinates, and
`labels` `[1, queries, classes + 1]`, logits. In a custom model the last class is never trained and
has no meaning. The model trained on COCO has 91 classes with the data set's own ids, 1 to 90 with
gaps. The input is RGB, normalized as for ImageNet, stretched to a square.

Source: `rfdetr/models/lwdetr.py` (head, PostProcess) and `rfdetr/deploy/export.py` of
roboflow/rf-detr (Apache-2.0), and `RfDetrForObjectDetection` of transformers (Apache-2.0).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from agent.detector.formats.contract import (
    IMAGENET,
    ClassNumbering,
    Layout,
    ModelSignature,
    Preprocessing,
)
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.detr_queries import pair_layout
from agent.detector.formats.rtdetr import RFDETR_NAMES, decode_sigmoid, rtdetr_preprocessing
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError


class RfDetr:
    """RF-DETR from its own exporter."""

    name = "rfdetr"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = None

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            layout = self.layout(model)
        except ConfigurationError:
            return None
        if {model.outputs[index].name for index in layout.outputs} != RFDETR_NAMES:
            return None
        return f"outputs dets and labels, {layout.classes} classes with a spare one"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the outputs; raises `ConfigurationError`."""
        return pair_layout(model, self.name, ClassNumbering.BACKGROUND_LAST)

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        mean, std = IMAGENET
        return replace(rtdetr_preprocessing(model), mean=mean, std=std)

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:
        """Return the detections at or above `floor`."""
        return decode_sigmoid(outputs, size=size, floor=floor)
