"""YuNet: faces, with four outputs per stride.

For each stride 8, 16, 32 over n = (height / stride) * (width / stride) cells, row by row:

- class and objectness `[1, n, 1]` each, after the sigmoid; the confidence is the square root of
  their product;
- a box `[1, n, 4]`: centre x and y in strides from the cell's top left corner, the logarithms of
  width and height in strides;
- five keypoints `[1, n, 10]`, which are not read.

The input is BGR, 0 to 255; the frame is at the top left, padded with black.

Source: `FaceDetectorYNImpl::postProcess` in `modules/objdetect/src/face_detect.cpp` of
opencv/opencv (Apache-2.0), for `face_detection_yunet` of opencv/opencv_zoo (MIT); Wu et al.,
"YuNet", 2023. Versions before 2023 have other outputs.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from agent.detector.formats.contract import (
    NO_CHANGE,
    ChannelOrder,
    Columns,
    Layout,
    ModelSignature,
    Preprocessing,
)
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.geometry import STRIDES, cells, corners
from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

WIDTHS = (1, 1, 4, 10)  # class and objectness, box, keypoints
DEFAULT_SIZE = Size(640, 640)


class YuNet:
    """Faces of three strides."""

    name = "yunet"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = 0.3  # what the model's demo uses

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            self.layout(model)
        except ConfigurationError:
            return None
        return f"class, objectness, box and five keypoints of a face for each stride {STRIDES}"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the outputs: per stride class, objectness, box.

        Raises:
            ConfigurationError: There are not these four outputs for each stride.
        """
        shapes = [output.shape for output in model.outputs]
        found: list[int] = []
        for stride in STRIDES:
            leading = (1, cells(model.size, stride))
            rows = [index for index, shape in enumerate(shapes) if shape[:-1] == leading]
            rows.sort(key=lambda index: shapes[index][-1] or 0)
            if tuple(shapes[index][-1] for index in rows) == WIDTHS:
                found += rows[:3]
        if len(found) == len(STRIDES) * 3 and len(shapes) == len(STRIDES) * len(WIDTHS):
            confidences = [Columns(index) for index in range(len(found)) if index % 3 < 2]  # noqa: PLR2004  # class and objectness
            return Layout(tuple(found), 1, confidences=tuple(confidences))
        raise ConfigurationError(
            f"yunet has four outputs, [1, n, 1] twice, [1, n, 4] and [1, n, 10], per stride "
            f"{STRIDES}"
        )

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        mean, std = NO_CHANGE
        return Preprocessing(
            channel_order=ChannelOrder.BGR,
            mean=mean,
            std=std,
            padding=Padding.BOTTOM_RIGHT,
            pad_value=0,
            stride=model.metadata.stride or max(STRIDES),
            size=model.metadata.size or DEFAULT_SIZE,
        )

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:
        """Return the detections at or above `floor`."""
        boxes, confidences = [], []
        for index, stride in enumerate(STRIDES):
            faces, objects, places = (each[0] for each in outputs[3 * index :][:3])
            if len(places) != cells(size, stride):
                return DecodedDetections.empty(invalid=True)
            with np.errstate(invalid="ignore", over="ignore"):
                product = np.clip(faces[:, 0], 0, 1) * np.clip(objects[:, 0], 0, 1)
            chosen = np.flatnonzero(~(np.sqrt(product) < floor))
            row, column = np.divmod(chosen, math.ceil(size.width / stride))
            origins = np.stack([column, row], axis=1).astype(np.float32)
            with np.errstate(invalid="ignore", over="ignore"):
                centres = (places[chosen, :2] + origins) * np.float32(stride)
                sides = np.exp(places[chosen, 2:]) * np.float32(stride)
            boxes.append(corners(np.concatenate([centres, sides], axis=1)))
            confidences.append(np.sqrt(product[chosen]))
        best = np.concatenate(confidences)
        return DecodedDetections.validated(
            np.concatenate(boxes),
            best,
            np.zeros(len(best), np.intp),
            invalid=bool(np.isnan(best).any()),
        )
