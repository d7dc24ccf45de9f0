"""The geometry between a frame and the model's input: resized by one factor, padded to fit.

Pure arithmetic. Nothing is cropped, and no shape is distorted but for models that were trained so:
one that learned upright people finds few squeezed ones.
"""

import math
from dataclasses import dataclass
from enum import Enum

from agent.domain import FloatArray


class Padding(Enum):
    """Where the room goes that the resized frame leaves."""

    AFTER = "after"  # right and bottom; the frame starts at the input's top left corner
    AROUND = "around"  # half on each side; an odd pixel goes to the right or bottom
    STRETCH = "stretch"  # nowhere: the frame is resized to fill the input, its shape distorted


@dataclass(frozen=True, slots=True)
class Size:
    """An image's size in pixels, both at least 1."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Letterbox:
    """One frame size placed in one input size."""

    frame: Size
    input: Size
    resized: Size  # the frame as it stands in the input; at most `input`
    left: int  # pixels of padding before it
    top: int

    @classmethod
    def fit(cls, frame: Size, into: Size, *, padding: Padding) -> "Letterbox":
        """Place the whole frame, as large as it fits; small frames are enlarged."""
        resized = into if padding is Padding.STRETCH else _fitted(frame, into)
        left = top = 0
        if padding is Padding.AROUND:
            left, top = (into.width - resized.width) // 2, (into.height - resized.height) // 2
        return cls(frame, into, resized, left, top)

    def to_frame(self, boxes: FloatArray) -> FloatArray:
        """Return boxes of the input as boxes of the frame, clipped to the frame's edges.

        Args:
            boxes: `[n, 4]`, x_min, y_min, x_max, y_max in pixels of the input, finite.

        Returns:
            `[n, 4]` in pixels of the frame, each within `[0, width]` and `[0, height]`. A box
            that lies in the padding alone has no area left.
        """
        # Each axis by its own ratio: whole pixels round 1000 x 1 to 640 x 1, not to 640 x 0.64.
        across = self.frame.width / self.resized.width
        down = self.frame.height / self.resized.height
        import numpy as np  # here, so that the settings can use `Size` without it

        offset = np.array([self.left, self.top, self.left, self.top], np.float32)
        ratio = np.array([across, down, across, down], np.float32)
        shown = np.array([self.resized.width, self.resized.height] * 2, np.float32)
        edge = np.array([self.frame.width, self.frame.height] * 2, np.float32)
        # Clipped before it is enlarged: a wild number must not overflow.
        placed: FloatArray = np.clip(boxes - offset, np.float32(0), shown) * ratio
        return np.minimum(placed, edge)


def smallest_input(frame: Size, limit: Size, *, stride: int) -> Size:
    """Return the smallest input that holds the frame, for a model whose axes are free.

    The frame is resized as for `limit`, so that objects keep the size which the model was
    trained for; only the padding shrinks, to one stride at most.

    Args:
        frame: The frame's size.
        limit: The largest input, in pixels; what the model was trained at.
        stride: What width and height must be multiples of.
    """
    limit = Size(_floor_to(limit.width, stride), _floor_to(limit.height, stride))
    scale = min(limit.width / frame.width, limit.height / frame.height)
    return Size(_ceil_to(frame.width * scale, stride), _ceil_to(frame.height * scale, stride))


def _fitted(frame: Size, into: Size) -> Size:
    """Scale `frame` by one factor to the largest whole pixels within `into`."""
    scale = min(into.width / frame.width, into.height / frame.height)
    return Size(
        min(into.width, max(1, round(frame.width * scale))),
        min(into.height, max(1, round(frame.height * scale))),
    )


def _floor_to(value: int, step: int) -> int:
    return max(1, value // step) * step


def _ceil_to(value: float, step: int) -> int:
    # 640.0000001 is 640: the product of a side and a ratio of sides.
    return math.ceil(value / step - 1e-6) * step
