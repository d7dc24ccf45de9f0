"""YOLOv10 and exports with NMS in the graph: one output of final detections.

The output is `[1, n, 6]`, n usually 300: x_min, y_min, x_max, y_max in pixels of the input,
confidence, class id. Unused rows have a confidence near 0. The input is RGB / 255, centred on
grey 114.

Source: `Detect.postprocess` in `ultralytics/nn/modules/head.py` and `NMSModel.forward` in
`engine/exporter.py` of ultralytics/ultralytics; Wang et al., "YOLOv10", 2024, for the head that
needs no NMS.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agent.detector.formats.contract import Layout, ModelSignature, Preprocessing
from agent.detector.formats.decoded import MOST_CLASSES, DecodedDetections
from agent.detector.formats.geometry import rows_of, scaled
from agent.detector.formats.ultralytics import ultralytics_preprocessing
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

COLUMNS = 6
USUAL_ROWS = (100, 300)
NORMALIZED_LIMIT = 2.0  # normalized coordinates are below it


class End2End:
    """Final detections: corners in pixels, confidence, class id."""

    name = "end2end"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = None

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            self.layout(model)
        except ConfigurationError:
            return None
        rows = trial_rows(model)
        declared = model.metadata.labels is not None and model.metadata.task == Task.DETECT
        if rows is None or (largest_coordinate(rows) <= NORMALIZED_LIMIT and not declared):
            # The trial run detected nothing: only the shape can decide.
            empty = rows is not None and not rows.any()
            usual = model.outputs[0].shape[-2] in USUAL_ROWS
            return "six columns, a usual number of rows" if empty and usual else None
        if (
            largest_coordinate(rows) <= max(model.size.width, model.size.height) / 4
            and not declared
        ):
            return None  # in cells of 4 pixels: CenterNet's
        return "rows of corners in pixels, confidence and class"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how the output fits; raises `ConfigurationError`."""
        if model.metadata.task not in (None, Task.DETECT):
            raise ConfigurationError(
                f"{self.name} reads detectors; this model's task is {model.metadata.task}"
            )
        if len(model.outputs) == 1 and model.outputs[0].shape[-1:] == (COLUMNS,):
            shape = model.outputs[0].shape
            if len(shape) == 2 or (len(shape) == 3 and shape[0] == 1):  # noqa: PLR2004  # axes
                return Layout((0,), None)
        raise ConfigurationError(f"{self.name} has one output [1, n, {COLUMNS}] or [n, {COLUMNS}]")

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return ultralytics_preprocessing(model)

    def decode(
        self,
        outputs: Sequence[FloatArray],
        *,
        size: Size,
        floor: float,
    ) -> DecodedDetections:  # the boxes are in pixels already
        """Return the detections at or above `floor`."""
        return decode_rows(rows_of(outputs[0], COLUMNS), floor)


def decode_rows(rows: FloatArray, floor: float, *, scale: float = 1.0) -> DecodedDetections:
    """Return the detections of `[n, 6 or more]`: corners, confidence, class id, others.

    Args:
        rows: The model's output.
        floor: Lowest confidence, 0 to 1.
        scale: Pixels of the input for each unit of the corners.
    """
    found = whole_classes(rows, floor)
    return DecodedDetections.validated(
        scaled(rows[found.rows, :4], np.float32(scale)),
        rows[found.rows, 4],
        found.class_ids,
        invalid=found.invalid,
        rows=found.rows,
    )


@dataclass(frozen=True, slots=True)
class WholeClasses:
    """The rows of final detections that reach the floor and have a class."""

    rows: NDArray[np.intp]  # [n]
    class_ids: NDArray[np.intp]  # [n]
    invalid: bool  # a confidence is NaN, or a class id is not a whole number


def whole_classes(rows: FloatArray, floor: float) -> WholeClasses:
    """Return which of the rows `[n, 6 or more]` with confidence and class id are detections."""
    chosen = np.flatnonzero(rows[:, 4] >= floor)
    numbers = rows[chosen, 5]
    with np.errstate(invalid="ignore"):  # infinity minus infinity is not below a hundredth
        whole = (np.abs(numbers - np.rint(numbers)) < 0.01) & (numbers > -1)  # noqa: PLR2004  # rounding
        whole &= numbers < MOST_CLASSES
    return WholeClasses(
        chosen[whole],
        np.rint(numbers[whole]).astype(np.intp),
        bool(np.isnan(rows[:, 4]).any()) or not bool(whole.all()),
    )


def trial_rows(model: ModelSignature) -> FloatArray | None:
    """Return the rows of the trial run if they can be corners, confidence, class; else None."""
    if not model.values:
        return None
    rows = model.values[0].reshape(-1, COLUMNS)
    confidences, numbers = rows[:, 4], rows[:, 5]
    if not len(rows):
        return rows
    upright = (rows[:, 2:4] >= rows[:, :2] - np.float32(1)).mean()
    reads = (
        np.isfinite(rows).all()
        and ((confidences >= 0) & (confidences <= 1)).all()
        and (numbers == np.rint(numbers)).all()
        and (numbers >= -1).all()
        and upright >= 0.9  # noqa: PLR2004  # most
    )
    return rows if reads else None


def largest_coordinate(rows: FloatArray) -> float:
    """Return the largest coordinate of `[n, 6]`."""
    return float(np.abs(rows[:, :4]).max(initial=0))
