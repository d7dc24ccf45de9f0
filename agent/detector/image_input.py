"""The layout of a model's image input: order of its axes, type and size. Pure."""

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
    """An input that takes an image; in a batch, only the first image is used."""

    axes: Axes
    dtype: str  # one of `TYPES`
    height: int | None  # pixels; None: dynamic
    width: int | None
    batch: int = 1  # images per run

    @classmethod
    def from_tensor(cls, tensor: Tensor) -> "ImageInput | None":
        """Return the input's layout; None if it does not take an image with three channels."""
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
        """The fixed size; None if a side is dynamic."""
        return Size(self.width, self.height) if self.height and self.width else None

    def shape(self, size: Size) -> tuple[int, ...]:
        """Return the shape of the input array for an image of `size`."""
        match self.axes:
            case Axes.NCHW:
                return (self.batch, COLOURS, size.height, size.width)
            case Axes.CHW:
                return (COLOURS, size.height, size.width)
            case Axes.NHWC:
                return (self.batch, size.height, size.width, COLOURS)

    def size_for(self, frame: Size, wanted: Preprocessing) -> Size:
        """Return the input size for a frame: the fixed one, or the smallest that fits the frame.

        For stretched or cropped frames, dynamic axes always get the full size of the training.
        """
        limit = Size(self.width or wanted.size.width, self.height or wanted.size.height)
        if self.fixed or wanted.padding is Padding.STRETCH:
            return limit
        free = smallest_input(frame, limit, stride=wanted.stride)
        return Size(self.width or free.width, self.height or free.height)
