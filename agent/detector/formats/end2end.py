"""YOLOv10 and exports with suppression in the graph: one output of finished detections.

The output is `[1, n, 6]`, n usually 300: x_min, y_min, x_max, y_max in pixels of the input,
confidence, class number. Rows that hold nothing have a confidence near 0. The input is RGB over
255, in the middle of grey 114.

Source: `Detect.postprocess` in `ultralytics/nn/modules/head.py` and `NMSModel.forward` in
`engine/exporter.py` of ultralytics/ultralytics; Wang et al., "YOLOv10", 2024, for the head that
needs no suppression.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from agent.detector.formats.contract import Layout, ModelSignature, Preprocessing
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.geometry import scaled
from agent.detector.formats.ultralytics import ultralytics_preprocessing
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

COLUMNS = 6
USUAL_ROWS = (100, 300)
LARGEST_SHARE = 2.0  # boxes in shares of the input stay below it


class End2End:
    """Detections that are ready: corners in pixels, confidence, class."""

    name = "end2end"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = None

    def recognise(self, model: ModelSignature) -> str | None:
        """Say why this model is certainly of this family, or None."""
        try:
            self.layout(model)
        except ConfigurationError:
            return None
        rows = finished_rows(model)
        told = model.metadata.labels is not None and model.metadata.task == Task.DETECT
        if rows is None or (reach(rows) <= LARGEST_SHARE and not told):
            # Nothing was seen in the trial: only what else is typical can tell.
            empty = rows is not None and not rows.any()
            usual = model.outputs[0].shape[-2] in USUAL_ROWS
            return "six columns, as many rows as is usual" if empty and usual else None
        if reach(rows) <= max(model.size.width, model.size.height) / 4 and not told:
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
        return decode_finished(outputs[0].reshape(-1, COLUMNS), floor)


def decode_finished(rows: FloatArray, floor: float, *, scale: float = 1.0) -> DecodedDetections:
    """Return the detections of `[n, 6]`: corners, confidence, class number.

    Args:
        rows: As the model gave them.
        floor: 0 to 1.
        scale: Pixels of the input for each unit of the corners.
    """
    chosen = rows[rows[:, 4] >= floor]
    numbers = chosen[:, 5]
    with np.errstate(invalid="ignore"):  # infinity minus infinity is not below a hundredth
        whole = (np.abs(numbers - np.rint(numbers)) < 0.01) & (numbers > -1)  # noqa: PLR2004  # rounding
    counted = chosen[whole]
    return DecodedDetections.sound(
        scaled(counted[:, :4], np.float32(scale)),
        counted[:, 4],
        np.rint(counted[:, 5]).astype(np.intp),
        invalid=bool(np.isnan(rows[:, 4]).any()) or not bool(whole.all()),
    )


def finished_rows(model: ModelSignature) -> FloatArray | None:
    """Return the rows of the trial run if they read as corners, confidence, class; else None."""
    if not model.values:
        return None
    rows = model.values[0].reshape(-1, COLUMNS)
    confidences, numbers = rows[:, 4], rows[:, 5]
    if not len(rows):
        return rows
    upright = (rows[:, 2:4] >= rows[:, :2] - 1).mean()
    reads = (
        np.isfinite(rows).all()
        and ((confidences >= 0) & (confidences <= 1)).all()
        and (numbers == np.rint(numbers)).all()
        and (numbers >= -1).all()
        and upright >= 0.9  # noqa: PLR2004  # most
    )
    return rows if reads else None


def reach(rows: FloatArray) -> float:
    """Return the largest coordinate of `[n, 6]`."""
    return float(np.abs(rows[:, :4]).max(initial=0))
