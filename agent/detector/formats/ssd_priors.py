"""SSD with its prior boxes in the graph, without NMS: a row for each prior box.

Outputs `scores` `[1, n, classes]`, the softmax over all classes, the first of which is the
background, and `boxes` `[1, n, 4]`: x_min, y_min, x_max, y_max in normalized coordinates. Exports
with the softmax left out have logits: the softmax is applied if the rows do not add up to 1. The
input is RGB, (value - 127) / 128, stretched.

Source: `SSD.forward` with `is_test` in `vision/ssd/ssd.py` and `image_mean`, `image_std` in
`vision/ssd/config` of qfgaohao/pytorch-ssd (MIT), which dusty-nv/jetson-inference (MIT) exports;
Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB (MIT) has the same outputs and values; Liu et
al., "SSD", 2016.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from agent.detector.formats.contract import ClassNumbering, Layout, ModelSignature, Preprocessing
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.detr_queries import pair_of_outputs, unbatched
from agent.detector.formats.geometry import add_up_to_one, softmax, to_pixels
from agent.detector.formats.rtdetr import rtdetr_preprocessing
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

MOST = 0.99  # share of rows
NORMALIZED_LIMIT = 2.0  # normalized coordinates of a box that overhangs are below it


class SsdPriors:
    """Class probabilities with the background first, and corners, of each prior box."""

    name = "ssd-priors"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = 0.45  # what the projects' own predictors use

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            layout = self.layout(model)
        except ConfigurationError:
            return None
        scores, boxes = layout.outputs
        if not model.values:
            return None
        corners, rows = model.values[boxes][0], model.values[scores][0]
        # Boxes of the outermost cells end far outside of the image.
        if (np.abs(corners) <= NORMALIZED_LIMIT).mean() < MOST:
            return None
        upright = (corners[:, 2:] >= corners[:, :2]).all(axis=1)
        background = rows.argmax(axis=1) == 0
        if upright.mean() < MOST or background.mean() < 0.5:  # noqa: PLR2004  # most of the image
            return None
        kind = "probabilities" if add_up_to_one(rows) else "logits"
        return f"{kind} of {layout.classes} classes, background first, and normalized corners"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the outputs; raises `ConfigurationError`."""
        outputs = pair_of_outputs(model, f"{self.name} has two outputs, [1, n, 1 + classes]")
        classes = model.outputs[outputs[0]].shape[2]
        if classes is None or classes < 2:  # noqa: PLR2004  # background and one more
            raise ConfigurationError(f"{self.name} has the background and at least one class")
        return Layout(outputs, classes, ClassNumbering.FROM_ONE)

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        wanted = rtdetr_preprocessing(model)
        size = model.metadata.size or Size(300, 300)
        return replace(wanted, mean=(127.0,) * 3, std=(128.0,) * 3, size=size)

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:
        """Return the detections at or above `floor`; only the best class of each prior box."""
        scores, boxes = unbatched(outputs)
        probabilities = scores if add_up_to_one(scores) else softmax(scores)
        objects = probabilities[:, 1:]
        best = objects.max(axis=1, initial=-np.inf)
        rows = np.flatnonzero(best >= floor)
        return DecodedDetections.validated(
            to_pixels(boxes[rows], size),
            best[rows],
            objects[rows].argmax(axis=1) + 1,
            invalid=bool(np.isnan(best).any()),
        )
