"""CenterNet: one output of detections after NMS, in cells of its heat map.

The output is `[n, 6]` or `[1, n, 6]`: x_min, y_min, x_max, y_max in cells of 4 pixels, confidence,
class id. The input is BGR, `(value / 255 - mean) / std` with means .408 .447 .470 and deviations
.289 .274 .278; the frame is centred on black.

Source: `ctdet_decode` in `src/lib/models/decode.py`, and `mean` and `std` of `ctdet` in
`src/lib/opts.py`, of xingyizhou/CenterNet (MIT); Zhou et al., "Objects as Points", 2019.
"""

from collections.abc import Sequence

import numpy as np

from agent.detector.formats.contract import ChannelOrder, ModelSignature, Preprocessing
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.end2end import (
    COLUMNS,
    NORMALIZED_LIMIT,
    End2End,
    decode_rows,
    largest_coordinate,
    trial_rows,
)
from agent.detector.formats.geometry import rows_of
from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray
from agent.errors import ConfigurationError

CELL = 4  # pixels
OVERHANG = 1.25  # factor: boxes may end a little outside of the image
MIN_ROWS = 20  # the graph always returns a fixed number of peaks, from the whole image


class CenterNet(End2End):
    """CenterNet with the peak search in the graph."""

    name = "centernet"

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        try:
            self.layout(model)
        except ConfigurationError:
            return None
        rows = trial_rows(model)
        edge = max(model.size.width, model.size.height) / CELL
        if rows is None or not NORMALIZED_LIMIT < largest_coordinate(rows) <= edge * OVERHANG:
            return None
        if np.count_nonzero(rows[:, 2:4].any(axis=1)) < MIN_ROWS:
            return None  # a few boxes near the corner could also be in pixels
        return f"rows of corners in cells of {CELL} pixels, confidence and class"

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return Preprocessing(
            channel_order=ChannelOrder.BGR,
            mean=(104.04, 113.985, 119.85),
            std=(73.695, 69.87, 70.89),
            padding=Padding.CENTRED,
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
        return decode_rows(rows_of(outputs[0], COLUMNS), floor, scale=CELL)
