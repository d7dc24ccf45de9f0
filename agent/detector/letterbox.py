"""The geometry between a frame and the model's input: resized by one factor, padded to fit.

Pure arithmetic. Nothing is cropped, and the aspect ratio changes only for models that were trained
with stretched frames: other models miss distorted objects.
"""

import math
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from agent.domain import FloatArray


class Padding(Enum):
    """Where the padding goes."""

    BOTTOM_RIGHT = (
        "bottom right"  # right and bottom; the frame starts at the input's top left corner
    )
    CENTRED = "centred"  # half on each side; an odd pixel goes to the right or bottom
    STRETCH = "stretch"  # no padding: the frame is stretched to the whole input


@dataclass(frozen=True, slots=True)
class Size:
    """An image's size in pixels, both at least 1."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class Letterbox:
    """The place of a frame in an input, for one frame size and one input size."""

    frame: Size
    input: Size
    resized: Size  # the frame's size in the input; at most `input`
    left: int  # pixels of padding
    top: int  # pixels of padding
    origin: tuple[int, int] = (0, 0)
    """x and y of `frame` in the image that was read, pixels; not 0 if the image was cropped."""

    @classmethod
    def fit(cls, frame: Size, into: Size, *, padding: Padding) -> "Letterbox":
        """Place the whole frame as large as possible; small frames are enlarged."""
        resized = into if padding is Padding.STRETCH else _fitted(frame, into)
        left = top = 0
        if padding is Padding.CENTRED:
            left, top = (into.width - resized.width) // 2, (into.height - resized.height) // 2
        return cls(frame, into, resized, left, top)

    def to_frame(self, boxes: FloatArray) -> FloatArray:
        """Convert boxes of the input to boxes of the frame, clipped to the frame's edges.

        Args:
            boxes: `[n, 4]`, x_min, y_min, x_max, y_max in pixels of the input, finite.

        Returns:
            `[n, 4]` in pixels of the image, within the frame: `[0, width]` and `[0, height]` from
            `origin` on. A box that is completely in the padding has no area.
        """
        import numpy as np  # not at the top: the settings import `Size` without numpy

        offset, ratio, shown, edge, origin = _corners(self)
        # Clip before the multiplication, so that very large values do not overflow.
        placed: FloatArray = np.minimum(np.maximum(boxes - offset, np.float32(0)), shown) * ratio
        return np.minimum(placed, edge) + origin

    @property
    def ratios(self) -> tuple[float, float]:
        """Pixels of the frame for each pixel of the input, across and down.

        One for each axis, because sizes are rounded: 1000 x 1 becomes 640 x 1, not 640 x 0.64.
        """
        return self.frame.width / self.resized.width, self.frame.height / self.resized.height

    def points_to_frame(self, points: FloatArray) -> FloatArray:
        """Convert points `[..., 2]` of the input to points of the frame; they may be outside."""
        import numpy as np  # not at the top, as above

        placed = (points - np.array([self.left, self.top], np.float32)) * np.array(self.ratios)
        return np.asarray(placed + np.array(self.origin), np.float32)


@lru_cache(64)  # the same for each frame of a camera
def _corners(place: Letterbox) -> tuple[FloatArray, ...]:
    """Return what `Letterbox.to_frame` needs for both corners of a box, `[4]` each.

    The padding, the ratios, the sizes of the frame in the input and by itself, and its origin.
    """
    import numpy as np  # not at the top, as above

    return tuple(
        np.array(pair * 2, np.float32)
        for pair in (
            (place.left, place.top),
            place.ratios,
            (place.resized.width, place.resized.height),
            (place.frame.width, place.frame.height),
            place.origin,
        )
    )


def smallest_input(frame: Size, limit: Size, *, stride: int) -> Size:
    """Return the smallest input that holds the frame, for a model with dynamic axes.

    The frame is resized as for `limit`, so that objects have the same size as in training. Only the
    padding becomes smaller, at most one stride.

    Args:
        frame: The frame's size.
        limit: The largest input, in pixels: the input size in training.
        stride: Width and height are multiples of it, in pixels.
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
    # `value` has rounding errors: 640.0000001 is 640.
    return math.ceil(value / step - 1e-6) * step
