"""NanoDet-Plus and NanoDet with all strides in one output: the exporter's current form.

The output is `[1, n, classes + 4 * bins]`, n = the cells of all strides, row by row: confidences
after the sigmoid, then for left, top, right, bottom the logits of a distribution over the distances
0, 1, ..., bins - 1 strides from an origin in each cell. The input is normalized as for NanoDet.

- `nanodet-plus`: strides 8, 16, 32, 64, 8 bins, origin at the cell's top left corner; the frame is
  stretched.
- `nanodet-m`: strides 8, 16, 32, 8 bins, origin at the cell's centre; the frame is at the top left,
  padded with black.
- `nanodet-g`: the same with 11 bins.

Older exports of the last two have a pair of outputs for each stride: `nanodet.py`.

Source: `NanoDetPlusHead._forward_onnx` and `get_single_level_center_priors` in
`nanodet/model/head/nanodet_plus_head.py`, `GFLHead._forward_onnx` and
`get_single_level_center_point` in `gfl_head.py`, and `reg_max`, `keep_ratio` and `normalize` in
`config/nanodet-plus-m_416.yml` and `config/nanodet-g.yml` of RangiLyu/nanodet (Apache-2.0).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from agent.detector.formats.contract import Columns, Layout, ModelSignature, Preprocessing
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.geometry import STRIDES, cells, cells_of
from agent.detector.formats.nanodet import Grid, NanoDet, decoded_grids
from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError


class NanoDetPlus:
    """Confidences and box sides of each cell, in one table."""

    name = "nanodet-plus"
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = 0.6
    strides: tuple[int, ...] = (8, 16, 32, 64)
    bins = 8
    centre = 0.0  # origin of the distances, in strides from the cell's top left corner
    padding = Padding.STRETCH

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            classes = self.layout(model).classes
        except ConfigurationError:
            return None
        if not model.values:
            return None
        rows = model.values[0][0]
        scores, first_side = rows[:, : -self._sides], rows[:, -self._sides :][:, : self.bins]
        if not _are_probabilities(scores) or _are_probabilities(first_side):
            return None
        sides = f"{classes} classes and 4 sides of {self.bins} bins"
        return f"a row for each cell of strides {self.strides}, {sides}"

    def layout(self, model: ModelSignature) -> Layout:
        """Return how the output fits; raises `ConfigurationError`."""
        shapes = [output.shape for output in model.outputs]
        if len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][0] == 1:  # noqa: PLR2004  # axes
            rows, columns = shapes[0][1:]
            fits = rows == cells_of(model.size, self.strides)
            if fits and columns is not None and columns > self._sides:
                classes = columns - self._sides
                return Layout((0,), classes, confidences=(Columns(0, end=classes),))
        raise ConfigurationError(
            f"{self.name} has one output [1, n, classes + {self._sides}], a row for each cell of "
            f"strides {self.strides}"
        )

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return replace(NanoDet().preprocessing(model), padding=self.padding)

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> DecodedDetections:
        """Return the detections at or above `floor`; only the best class of each cell."""
        rows = outputs[0][0]
        if len(rows) != cells_of(size, self.strides):
            return DecodedDetections.empty(invalid=True)
        ends = np.cumsum([cells(size, stride) for stride in self.strides])
        grids = [
            Grid(
                level[:, : -self._sides],
                level[:, -self._sides :],
                stride,
                -(-size.width // stride),
            )
            for level, stride in zip(np.split(rows, ends[:-1]), self.strides, strict=True)
        ]
        return decoded_grids(grids, centre=self.centre, floor=floor)

    @property
    def _sides(self) -> int:
        """The number of columns of the four sides."""
        return 4 * self.bins


class NanoDetM(NanoDetPlus):
    """Three strides, distances from the centres of the cells."""

    name = "nanodet-m"
    strides = STRIDES
    centre = 0.5
    padding = Padding.BOTTOM_RIGHT


class NanoDetG(NanoDetM):
    """The same with more bins."""

    name = "nanodet-g"
    bins = 11


def _are_probabilities(columns: FloatArray) -> bool:
    return bool(((columns >= 0) & (columns <= 1)).all())
