"""How a model's input holds an image: the order of its axes, and where the sides stand.

Pure.
"""

from dataclasses import dataclass
from enum import Enum

from agent.detector.formats.contract import Preprocessing, Tensor
from agent.detector.letterbox import Padding, Size, smallest_input

COLOURS = 3
TYPES = ("float32", "float16", "uint8")


class Axes(Enum):
    """The order of an input's axes."""

    NCHW = "batch, channels, height, width"
    CHW = "channels, height, width"
    NHWC = "batch, height, width, channels"


@dataclass(frozen=True, slots=True)
class ImageInput:
    """An input that takes an image; where it takes several, the others stay empty."""

    axes: Axes
    dtype: str  # one of `TYPES`
    height: int | None  # None: free
    width: int | None
    batch: int = 1  # images that it takes at once

    @classmethod
    def of(cls, tensor: Tensor) -> "ImageInput | None":
        """Read an input; None where it takes no image of three colours."""
        shape = tensor.shape
        if tensor.dtype not in TYPES or not all(axis is None or axis > 0 for axis in shape):
            return None
        match shape:
            case (batch, 3 | None, height, width) if not (shape[1] is None and width == COLOURS):
                return cls(Axes.NCHW, tensor.dtype, height, width, batch or 1)
            case (batch, height, width, 3):
                return cls(Axes.NHWC, tensor.dtype, height, width, batch or 1)
            case (3, height, width):
                return cls(Axes.CHW, tensor.dtype, height, width)
        return None

    @property
    def fixed(self) -> Size | None:
        """The one size that it takes; None where a side is free."""
        return Size(self.width, self.height) if self.height and self.width else None

    def shape(self, size: Size) -> tuple[int, ...]:
        """Return the shape of an array that holds an image of `size`."""
        match self.axes:
            case Axes.NCHW:
                return (self.batch, COLOURS, size.height, size.width)
            case Axes.CHW:
                return (COLOURS, size.height, size.width)
            case Axes.NHWC:
                return (self.batch, size.height, size.width, COLOURS)

    def size_for(self, frame: Size, wanted: Preprocessing) -> Size:
        """Return the input to use for a frame: its own, or on free axes the smallest that does.

        A model that sees stretched or cropped frames gets all of the size that it was trained at.
        """
        limit = Size(self.width or wanted.size.width, self.height or wanted.size.height)
        if self.fixed or wanted.padding is Padding.STRETCH:
            return limit
        free = smallest_input(frame, limit, stride=wanted.stride)
        return Size(self.width or free.width, self.height or free.height)
