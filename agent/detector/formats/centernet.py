"""CenterNet: one output of finished detections in cells of its heat map.

The output is `[n, 6]` or `[1, n, 6]`: x_min, y_min, x_max, y_max in cells of 4 pixels, confidence,
class number. The input is BGR over 255, minus .408 .447 .470, over .289 .274 .278; the frame sits
in the middle of black.

Source: `ctdet_decode` in `src/lib/models/decode.py`, and `mean` and `std` of `ctdet` in
`src/lib/opts.py`, of xingyizhou/CenterNet (MIT); Zhou et al., "Objects as Points", 2019.
"""

from collections.abc import Sequence

import numpy as np

from agent.detector.formats.contract import ChannelOrder, ModelSignature, Preprocessing
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.end2end import (
    COLUMNS,
    LARGEST_SHARE,
    End2End,
    decode_finished,
    finished_rows,
    reach,
)
from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray
from agent.errors import ConfigurationError

CELL = 4  # pixels
BEYOND = 1.25  # boxes may end a little outside of the image
ENOUGH = 20  # rows; its peaks are always as many as were asked for, and all over the image


class CenterNet(End2End):
    """CenterNet with its peaks found in the graph."""

    name = "centernet"

    def recognise(self, model: ModelSignature) -> str | None:
        """Say why this model is certainly of this family, or None."""
        try:
            self.layout(model)
        except ConfigurationError:
            return None
        rows = finished_rows(model)
        edge = max(model.size.width, model.size.height) / CELL
        if rows is None or not LARGEST_SHARE < reach(rows) <= edge * BEYOND:
            return None
        if np.count_nonzero(rows[:, 2:4].any(axis=1)) < ENOUGH:
            return None  # a few boxes near the corner could as well be pixels
        return f"rows of corners in cells of {CELL} pixels, confidence and class"

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return Preprocessing(
            colours=ChannelOrder.BGR,
            mean=(104.04, 113.985, 119.85),
            std=(73.695, 69.87, 70.89),
            padding=Padding.AROUND,
            pad_value=0,
            stride=model.metadata.stride or 32,
            size=model.metadata.size or Size(512, 512),
        )

    def decode(
        self,
        outputs: Sequence[FloatArray],
        *,
        size: Size,
        floor: float,
    ) -> DecodedDetections:  # cells are 4 pixels in every input
        """Return the detections at or above `floor`."""
        return decode_finished(outputs[0].reshape(-1, COLUMNS), floor, scale=CELL)
