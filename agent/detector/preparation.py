"""A frame becomes the model's input, in buffers that one thread uses again and again.

The padding and every value's arithmetic are the same for each frame of one size: the padding is
written once, and the arithmetic is a table of 256 entries per channel. A frame of 1280x720 for
an input of 640 takes 0.9 ms so, where resize, border, transpose and scale take 9.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.detector.formats.contract import Colours, Preparation
from agent.detector.letterbox import Letterbox
from agent.domain import FloatArray, Pixels

# OpenCV has no tables of halves; it may as well move their bits as 16-bit integers.
MOVED_AS: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.int16),
}

REMEMBERED = 4  # frame sizes: the cameras of a device take turns on each thread


class InputBuffer:
    """The input tensor of one thread.

    The array that `fill` returns is valid until the next call of `fill`.
    """

    def __init__(self, preparation: Preparation, dtype: str) -> None:
        """Make it for one preparation and an input of "float32" or "float16"."""
        self._preparation = preparation
        self._dtype = np.dtype(dtype)
        self._tables = _tables(preparation, self._dtype)
        self._made: dict[Letterbox, _Arrays] = {}

    def fill(self, pixels: Pixels, letterbox: Letterbox) -> FloatArray | NDArray[np.float16]:
        """Return the frame as `[1, 3, height, width]` of the model's type.

        Args:
            pixels: The frame.
            letterbox: Where it goes; its `frame` is the size of `pixels`.
        """
        made = self._made.get(letterbox)
        if made is None:
            if len(self._made) == REMEMBERED:
                del self._made[next(iter(self._made))]
            made = self._made[letterbox] = self._arrays(letterbox)
        resized = (letterbox.resized.width, letterbox.resized.height)
        cv2.resize(pixels, resized, dst=made.resized, interpolation=cv2.INTER_LINEAR)
        cv2.split(made.resized, made.planes)
        for plane, table, window in zip(made.planes, self._tables, made.windows, strict=True):
            cv2.LUT(plane, table, dst=window)
        return made.tensor

    def _arrays(self, letterbox: Letterbox) -> "_Arrays":
        """Make the buffers of one letterbox, the padding filled in."""
        height, width = letterbox.resized.height, letterbox.resized.width
        moved = MOVED_AS[self._dtype.name]
        tensor = np.empty((1, 3, letterbox.input.height, letterbox.input.width), moved)
        rows = slice(letterbox.top, letterbox.top + height)
        columns = slice(letterbox.left, letterbox.left + width)
        # The planes come in the frame's order, the windows are in the model's.
        order = (0, 1, 2) if self._preparation.colours is Colours.BGR else (2, 1, 0)
        windows = []
        for table, channel in zip(self._tables, order, strict=True):
            tensor[0, channel] = table[self._preparation.pad_value]
            windows.append(tensor[0, channel, rows, columns])
        return _Arrays(
            np.empty((height, width, 3), np.uint8),
            tuple(np.empty((3, height, width), np.uint8)),
            tensor.view(self._dtype),
            tuple(windows),
        )


@dataclass(frozen=True, slots=True)
class _Arrays:
    """The buffers of one letterbox."""

    resized: Pixels  # the frame at its size in the input
    planes: tuple[NDArray[np.uint8], ...]  # its channels
    tensor: FloatArray | NDArray[np.float16]  # [1, 3, height, width]
    windows: tuple[NDArray[np.generic], ...]  # where in `tensor` each plane goes


def _tables(preparation: Preparation, dtype: np.dtype[np.generic]) -> list[NDArray[np.generic]]:
    """Return `(value - mean) / std` of 0 to 255 for blue, green and red, as bits to be moved."""
    values = np.arange(256, dtype=np.float32)
    tables = [
        ((values - np.float32(mean)) / np.float32(std)).astype(dtype).view(MOVED_AS[dtype.name])
        for mean, std in zip(preparation.mean, preparation.std, strict=True)
    ]
    return tables if preparation.colours is Colours.BGR else tables[::-1]
