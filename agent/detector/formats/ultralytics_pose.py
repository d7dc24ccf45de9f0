"""Pose models of Ultralytics: a detector's output with keypoints behind the classes.

- `ultralytics-pose` (v8, 11, 26 without NMS in the graph): `[1, 4 + classes + k * d, n]`.
- `end2end-pose` (26, or any with NMS in the graph): `[1, n, 6 + k * d]`, corners in pixels of the
  input, confidence, class id.

Each of the k keypoints is x, y in pixels of the input and, if d is 3, the probability that it is
visible. The metadata has `kpt_shape`, `[k, d]`. Input as that of the detectors.

Source: `Pose` and `Pose26` in `ultralytics/nn/modules/head.py`, `NMSModel`, and `metadata` in
`engine/exporter.py` of ultralytics/ultralytics.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from agent.detector.formats.contract import Columns, Layout, ModelSignature, Preprocessing
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.end2end import COLUMNS, USUAL_ROWS, decode_rows
from agent.detector.formats.geometry import corners
from agent.detector.formats.ultralytics import (
    BOX_ROWS,
    best_classes,
    is_over_cells,
    ultralytics_preprocessing,
)
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError
from agent.printable import printable

TABLE_AXES = 3
NUMBERS = (2, 3)  # of each keypoint: x, y; and maybe its visibility
MOST_KEYPOINTS = 1000


@dataclass(frozen=True, slots=True)
class KeypointShape:
    """The keypoints of each object."""

    count: int
    numbers: int  # 2 or 3 of each

    @property
    def columns(self) -> int:
        """Numbers of each object."""
        return self.count * self.numbers

    def split(self, values: FloatArray) -> FloatArray:
        """Return `[n, columns]` as `[n, count, 3]`; the confidence is 1 if there is none."""
        points = values.reshape(-1, self.count, self.numbers)
        if self.numbers == NUMBERS[1]:
            return points
        return np.concatenate([points, np.ones_like(points[:, :, :1])], axis=2)


UNKNOWN = KeypointShape(0, 2)


class KeypointsUnknown(ConfigurationError):
    """A table that may be a pose model's, but nothing says how many keypoints it has."""

    def __init__(self, how_to_fix: str) -> None:
        """Say what is missing, and then how to fix it."""
        super().__init__(f"a pose model without its number of keypoints: {how_to_fix}")


class _Pose:
    """What both formats share."""

    name: str
    task: Literal[Task.POSE] = Task.POSE

    def __init__(self, shape: KeypointShape = UNKNOWN) -> None:
        """Use the keypoints that `for_model` found."""
        self.shape = shape
        self.keypoint_count = shape.count

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return ultralytics_preprocessing(model)

    def _known(self) -> KeypointShape:
        if self.shape is UNKNOWN:
            raise ConfigurationError("a pose model without its number of keypoints")
        return self.shape

    def _table(self, model: ModelSignature) -> tuple[int, int]:
        """Return the second and third axis of the only output; raises `ConfigurationError`."""
        shapes = [output.shape for output in model.outputs]
        if len(shapes) == 1 and len(shapes[0]) == TABLE_AXES and shapes[0][0] == 1:
            return shapes[0][1] or 0, shapes[0][2] or 0
        raise ConfigurationError(f"{self.name} has one output with three axes, the first of them 1")


class UltralyticsPose(_Pose):
    """YOLOv8 and its successors, exported without NMS in the graph."""

    name = "ultralytics-pose"
    nms_iou: float | None = 0.7  # what these models' own validation uses

    def for_model(self, model: ModelSignature, labels: Sequence[str] | None) -> Self:
        """Return the format with the model's number of keypoints; see `PoseFormat`."""
        rows, columns = self._table(model)
        declared = declared_shape(model)
        known = model.metadata.labels
        if declared is not None:
            expected = BOX_ROWS + len(known) + declared.columns if known else 0
            if rows <= BOX_ROWS + declared.columns or (known and rows != expected):
                raise ConfigurationError(
                    f"{self.name}: by its metadata (`kpt_shape` {declared.count} x "
                    f"{declared.numbers}, {len(known or ())} labels in `names`) its output has 4 + "
                    f"{len(known) if known else 'classes'} + {declared.columns} rows, but it is "
                    f"[1, {rows}, {columns}]; export it again"
                )
            return type(self)(declared)
        if not labels:
            raise KeypointsUnknown(
                f"{_WITHOUT}; or name its labels in AGENT_MODEL_LABELS: then the number "
                "follows from the rows of its output"
            )
        rest = rows - BOX_ROWS - len(labels)
        values = model.values[0][0, BOX_ROWS + len(labels) :].T if model.values else None
        return type(self)(_derived(rest, values, f"{rows} rows and {len(labels)} labels"))

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            classes = self.layout(model).classes
        except ConfigurationError:
            return None
        declared = model.metadata.task is not None and declared_shape(model) is not None
        if declared or is_over_cells(model, model.outputs[0].shape[2]):
            return (
                f"rows of 4 + {classes} + {self.shape.columns}: {self.shape.count} keypoints of "
                f"{self.shape.numbers} numbers"
            )
        return None

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the output; raises `ConfigurationError`."""
        rows, _ = self._table(model)
        shape = self._known()
        classes = rows - BOX_ROWS - shape.columns
        if classes < 1:
            raise ConfigurationError(
                f"{self.name} has one output [1, 4 + classes + {shape.columns}, n]"
            )
        confidences = Columns(0, axis=1, begin=BOX_ROWS, end=BOX_ROWS + classes)
        return Layout((0,), classes, confidences=(confidences,))

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:  # the boxes are in pixels already
        """Return the detections at or above `floor`; only the best class of each cell."""
        rows = outputs[0][0]
        found = best_classes(rows[BOX_ROWS : len(rows) - self.shape.columns], floor)
        return DecodedDetections.validated(
            corners(rows[:BOX_ROWS, found.cells].T),
            found.confidences,
            found.class_ids,
            invalid=found.invalid,
            rows=found.cells,
        )

    def keypoints(self, outputs: Sequence[FloatArray], rows: NDArray[np.intp]) -> FloatArray:
        """Return the keypoints of these cells; see `PoseFormat`."""
        return self.shape.split(outputs[0][0, -self.shape.columns :, rows])


class End2EndPose(_Pose):
    """Final detections with keypoints."""

    name = "end2end-pose"
    nms_iou: float | None = None

    def for_model(self, model: ModelSignature, labels: Sequence[str] | None) -> Self:
        """Return the format with the model's number of keypoints; labels do not matter here."""
        rows, columns = self._table(model)
        declared = declared_shape(model)
        if declared is not None:
            if columns != COLUMNS + declared.columns:
                raise ConfigurationError(
                    f"{self.name}: by its metadata (`kpt_shape` {declared.count} x "
                    f"{declared.numbers}) its output has {COLUMNS} + {declared.columns} columns, "
                    f"but it is [1, {rows}, {columns}]; export it again"
                )
            return type(self)(declared)
        if is_over_cells(model, columns):
            raise ConfigurationError(f"{self.name} has one output [1, n, 6 + keypoints]")
        values = model.values[0][0, :, COLUMNS:] if model.values else None
        return type(self)(_derived(columns - COLUMNS, values, f"{columns} columns"))

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            self.layout(model)
        except ConfigurationError:
            return None
        if model.metadata.task is None and model.outputs[0].shape[1] not in USUAL_ROWS:
            return None
        return f"final detections with {self.shape.count} keypoints of {self.shape.numbers} numbers"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the output; raises `ConfigurationError`."""
        _, columns = self._table(model)
        expected = COLUMNS + self._known().columns
        if columns != expected:
            raise ConfigurationError(f"{self.name} has one output [1, n, {expected}]")
        return Layout((0,), None, confidences=(Columns(0, begin=4, end=5),))

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:  # the boxes are in pixels already
        """Return the detections at or above `floor`."""
        return decode_rows(outputs[0][0], floor)

    def keypoints(self, outputs: Sequence[FloatArray], rows: NDArray[np.intp]) -> FloatArray:
        """Return the keypoints of these rows; see `PoseFormat`."""
        return self.shape.split(outputs[0][0, rows, COLUMNS:])


_SHAPE = re.compile(r"[\[(]\s*([0-9]{1,4})\s*,\s*([23])\s*,?\s*[\])]")
_WITHOUT = (
    "its metadata has no `kpt_shape`, for example [17, 3]; export it again with its metadata, "
    "which Ultralytics writes"
)


def declared_shape(model: ModelSignature) -> KeypointShape | None:
    """Return what the metadata says; None if it says nothing; raises `ConfigurationError`."""
    text = model.metadata.entries.get("kpt_shape", "").strip()
    if not text:
        return None
    found = _SHAPE.fullmatch(text)
    shape = KeypointShape(int(found[1]), int(found[2])) if found else UNKNOWN
    if 0 < shape.count <= MOST_KEYPOINTS:
        return shape
    raise ConfigurationError(
        f"`kpt_shape` in its metadata must be the number of keypoints and 2 or 3, for example "
        f"[17, 3], not {printable(text, 40)}; export it again"
    )


def _derived(rest: int, values: FloatArray | None, known: str) -> KeypointShape:
    """Return the only shape that fits a number of columns.

    Args:
        rest: The columns that are neither box nor class.
        values: `[n, rest]` of the trial run, which may decide between 2 and 3 numbers, or None.
        known: What `rest` was computed from, for the message.
    """
    fitting = [
        KeypointShape(rest // numbers, numbers)
        for numbers in NUMBERS
        if rest % numbers == 0 and 0 < rest // numbers <= MOST_KEYPOINTS
    ]
    used = None if values is None else values[values.any(axis=1)]  # other rows are padding
    if len(fitting) > 1 and used is not None and len(used):
        last = used[:, NUMBERS[1] - 1 :: NUMBERS[1]]
        # Visibilities are probabilities, coordinates in pixels are not.
        fitting = [fitting[1] if bool(((last >= 0) & (last <= 1)).all()) else fitting[0]]
    if len(fitting) == 1:
        return fitting[0]
    could = " or ".join(f"{each.count} of {each.numbers} numbers" for each in fitting)
    raise KeypointsUnknown(
        f"{_WITHOUT}; {known} leave {rest} numbers "
        f"for keypoints, which {f'could be {could}' if could else 'fit no number of them'}"
    )
