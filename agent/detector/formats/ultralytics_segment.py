"""Segmentation models of Ultralytics: a detector's output with mask coefficients, and prototypes.

- `ultralytics-segment` (v8, 11, 12, 26 without NMS in the graph): `[1, 4 + classes + m, n]`.
- `end2end-segment` (26, or any with NMS in the graph): `[1, n, 6 + m]`, corners in pixels of the
  input, confidence, class id, coefficients.
- `yolov5-segment`: `[1, n, 5 + classes + m]` with an objectness.

The second output is `[1, m, height, width]`, the m prototypes, usually 32, over the whole input. A
mask is the sum of the prototypes times the row's m coefficients; it is the object where it is above
0 (the sigmoid above 0.5) and inside of the box. Input as that of the detectors.

Source: `Segment` and `Proto` in `ultralytics/nn/modules/head.py` and `block.py`, `NMSModel` in
`nn/modules/head.py` or `engine/exporter.py`, `process_mask` in `utils/ops.py` of
ultralytics/ultralytics; `Segment` in `models/yolo.py` of ultralytics/yolov5; Bolya et al.,
"YOLACT", arXiv 1904.02689.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agent.detector.formats.contract import (
    Columns,
    Layout,
    ModelSignature,
    Preprocessing,
    PrototypeMasks,
)
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.end2end import COLUMNS, decode_rows
from agent.detector.formats.geometry import corners
from agent.detector.formats.ultralytics import (
    BOX_ROWS,
    best_classes,
    is_over_cells,
    ultralytics_preprocessing,
)
from agent.detector.formats.yolov5 import ANCHORS, BOX_COLUMNS, likely_classes
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

MAP_AXES, TABLE_AXES = 4, 3


class _Segment:
    """What these formats share."""

    name: str
    task: Literal[Task.SEGMENT] = Task.SEGMENT

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return ultralytics_preprocessing(model)

    def _tables(self, model: ModelSignature) -> tuple[int, int]:
        """Return which output is the table, and which the prototypes."""
        shapes = [output.shape for output in model.outputs]
        tables = [n for n, each in enumerate(shapes) if len(each) == TABLE_AXES and each[0] == 1]
        maps = [n for n, each in enumerate(shapes) if len(each) == MAP_AXES and each[0] == 1]
        if len(shapes) == 2 and len(tables) == len(maps) == 1 and all(shapes[maps[0]]):  # noqa: PLR2004  # outputs
            return tables[0], maps[0]
        raise ConfigurationError(
            f"{self.name} has two outputs: a table with three axes, and the prototypes of masks "
            "[1, m, height, width]"
        )


class UltralyticsSegment(_Segment):
    """YOLOv8 and its successors, exported without NMS in the graph."""

    name = "ultralytics-segment"
    nms_iou: float | None = 0.7  # what these models' own validation uses

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            layout = self.layout(model)
        except ConfigurationError:
            return None
        declared = model.metadata.task is not None and model.metadata.labels is not None
        if declared or is_over_cells(model, model.outputs[layout.outputs[0]].shape[2]):
            masks = model.outputs[layout.outputs[1]].shape[1]
            return f"rows of 4 + {layout.classes} + {masks}, and {masks} prototypes of masks"
        return None

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the outputs; raises `ConfigurationError`."""
        table, maps = self._tables(model)
        _, rows, cells = model.outputs[table].shape
        masks = model.outputs[maps].shape[1] or 0
        classes = (rows or 0) - BOX_ROWS - masks
        if classes < 1 or cells == COLUMNS + masks:
            raise ConfigurationError(
                f"{self.name} with {masks} prototypes has an output [1, 4 + classes + {masks}, n]"
            )
        confidences = Columns(0, axis=1, begin=BOX_ROWS, end=BOX_ROWS + classes)
        return Layout((table, maps), classes, confidences=(confidences,))

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:  # the boxes are in pixels already
        """Return the detections at or above `floor`; only the best class of each cell."""
        rows = outputs[0][0]
        found = best_classes(rows[BOX_ROWS : len(rows) - outputs[1].shape[1]], floor)
        return DecodedDetections.validated(
            corners(rows[:BOX_ROWS, found.cells].T),
            found.confidences,
            found.class_ids,
            invalid=found.invalid,
            rows=found.cells,
        )

    def masks(
        self, outputs: Sequence[FloatArray], rows: NDArray[np.intp], size: Size
    ) -> PrototypeMasks:  # the prototypes are over the input, whatever its size
        """Return the coefficients of these cells, and the prototypes."""
        prototypes = outputs[1][0]
        return PrototypeMasks(outputs[0][0, -len(prototypes) :, rows], prototypes)


class End2EndSegment(_Segment):
    """Final detections with mask coefficients."""

    name = "end2end-segment"
    nms_iou: float | None = None

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            layout = self.layout(model)
        except ConfigurationError:
            return None
        masks = model.outputs[layout.outputs[1]].shape[1]
        return f"final detections with {masks} coefficients, and {masks} prototypes of masks"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the outputs; raises `ConfigurationError`."""
        table, maps = self._tables(model)
        masks = model.outputs[maps].shape[1] or 0
        if model.outputs[table].shape[2] != COLUMNS + masks:
            raise ConfigurationError(
                f"{self.name} with {masks} prototypes has an output [1, n, {COLUMNS + masks}]"
            )
        return Layout((table, maps), None)

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:  # the boxes are in pixels already
        """Return the detections at or above `floor`."""
        return decode_rows(outputs[0][0], floor)

    def masks(
        self, outputs: Sequence[FloatArray], rows: NDArray[np.intp], size: Size
    ) -> PrototypeMasks:  # the prototypes are over the input, whatever its size
        """Return the coefficients of these rows, and the prototypes."""
        return PrototypeMasks(outputs[0][0, rows, COLUMNS:], outputs[1][0])


class YoloV5Segment(_Segment):
    """YOLOv5 for segmentation, exported without NMS."""

    name = "yolov5-segment"
    nms_iou: float | None = 0.6  # what these models' own validation uses

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            layout = self.layout(model)
        except ConfigurationError:
            return None
        rows = model.outputs[layout.outputs[0]].shape[1] or 0
        if rows % ANCHORS == 0 and is_over_cells(model, rows // ANCHORS):
            masks = model.outputs[layout.outputs[1]].shape[1]
            return f"columns of 5 + {layout.classes} + {masks}, and {masks} prototypes of masks"
        return None

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the outputs; raises `ConfigurationError`."""
        table, maps = self._tables(model)
        masks = model.outputs[maps].shape[1] or 0
        classes = (model.outputs[table].shape[2] or 0) - BOX_COLUMNS - masks
        if classes < 1:
            raise ConfigurationError(
                f"{self.name} with {masks} prototypes has an output [1, n, 5 + classes + {masks}]"
            )
        confidences = Columns(0, begin=BOX_COLUMNS - 1, end=BOX_COLUMNS + classes)
        return Layout((table, maps), classes, confidences=(confidences,))

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:  # the boxes are in pixels already
        """Return the detections at or above `floor`; only the best class of each row."""
        table = outputs[0][0]
        found = likely_classes(table[:, : table.shape[1] - outputs[1].shape[1]], floor)
        return DecodedDetections.validated(
            corners(table[found.cells, :4]),
            found.confidences,
            found.class_ids,
            invalid=found.invalid,
            rows=found.cells,
        )

    def masks(
        self, outputs: Sequence[FloatArray], rows: NDArray[np.intp], size: Size
    ) -> PrototypeMasks:  # the prototypes are over the input, whatever its size
        """Return the coefficients of these rows, and the prototypes."""
        prototypes = outputs[1][0]
        return PrototypeMasks(outputs[0][0, rows, -len(prototypes) :], prototypes)
