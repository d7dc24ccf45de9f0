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

from agent.detector.formats.contract import ChannelOrder, Preprocessing
from agent.detector.image_input import Axes, ImageInput
from agent.detector.letterbox import Letterbox
from agent.domain import Pixels

Prepared = NDArray[Any]
"""A tensor of float32, float16 or uint8."""

# OpenCV has no tables of halves; it may as well move their bits as 16-bit integers.
MOVED_AS: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.int16),
    "uint8": np.dtype(np.uint8),
}

REMEMBERED = 4  # frame sizes: the cameras of a device take turns on each thread
MUCH_SMALLER = 2  # from here on, pixels between the samples must count too


class InputBuffer:
    """The input tensor of one thread.

    The array that `fill` returns is valid until the next call of `fill`.
    """

    def __init__(self, preprocessing: Preprocessing, picture: ImageInput) -> None:
        """Make it for one preprocessing and one model's input.

        Whole numbers are 0 to 255: a model that takes them does the arithmetic itself.
        """
        self._preprocessing = preprocessing
        self._picture = picture
        self._dtype = np.dtype(picture.dtype)
        tables = _tables(preprocessing, self._dtype)
        self._pad = [table[preprocessing.pad_value] for table in tables]
        self._all_channels = np.stack(tables, axis=1)[None]
        # The planes of a frame come blue first.
        self._planes = tables if preprocessing.colours is ChannelOrder.BGR else tables[::-1]
        self._made: dict[Letterbox, _Arrays] = {}

    def fill(self, pixels: Pixels, letterbox: Letterbox) -> Prepared:
        """Return the frame as an array of the model's shape and type.

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
        cv2.resize(pixels, resized, dst=made.resized, interpolation=self._sampling(letterbox))
        if self._picture.axes is Axes.NHWC:
            if self._preprocessing.colours is ChannelOrder.RGB:
                cv2.cvtColor(made.resized, cv2.COLOR_BGR2RGB, dst=made.resized)
            cv2.LUT(made.resized, self._all_channels, dst=made.windows[0])
            return made.tensor
        cv2.split(made.resized, made.planes)
        for plane, table, window in zip(made.planes, self._planes, made.windows, strict=True):
            cv2.LUT(plane, table, dst=window)
        return made.tensor

    def _sampling(self, letterbox: Letterbox) -> int:
        """Classifiers look at a small image of the whole: there it must be a true average.

        Detectors were trained, and are used everywhere, on frames sampled between four pixels.
        """
        shrinks = letterbox.frame.width >= MUCH_SMALLER * letterbox.resized.width
        averaged = self._preprocessing.crop is not None and shrinks
        return cv2.INTER_AREA if averaged else cv2.INTER_LINEAR

    def _arrays(self, letterbox: Letterbox) -> "_Arrays":
        """Make the buffers of one letterbox, the padding filled in."""
        height, width = letterbox.resized.height, letterbox.resized.width
        tensor = np.zeros(self._picture.shape(letterbox.input), MOVED_AS[self._dtype.name])
        rows = slice(letterbox.top, letterbox.top + height)
        columns = slice(letterbox.left, letterbox.left + width)
        windows: list[NDArray[Any]] = []
        if self._picture.axes is Axes.NHWC:
            tensor[0] = self._pad
            windows.append(tensor[0, rows, columns])
        else:
            channels = tensor.reshape(-1, *tensor.shape[-2:])[:3]
            for channel, value in zip(channels, self._pad, strict=True):
                channel[...] = value
                windows.append(channel[rows, columns])
            if self._preprocessing.colours is ChannelOrder.RGB:
                windows.reverse()
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
    tensor: Prepared
    windows: tuple[NDArray[Any], ...]  # where in `tensor` each plane, or all of them, goes


def center_crop(pixels: Pixels, *, width: int, height: int, share: float) -> Pixels:
    """Return the middle of a frame in the proportions of an input, as a view.

    Args:
        pixels: The frame.
        width: Of the input; only the proportion to `height` matters.
        height: Of the input.
        share: Of the largest such rectangle in the frame, each side.
    """
    rows, columns = pixels.shape[:2]
    scale = min(rows / height, columns / width) * share
    kept_rows = min(rows, max(1, round(height * scale)))
    kept_columns = min(columns, max(1, round(width * scale)))
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    return pixels[top : top + kept_rows, left : left + kept_columns]


def _tables(preprocessing: Preprocessing, dtype: np.dtype[Any]) -> list[NDArray[Any]]:
    """Return what each of 0 to 255 becomes, as bits to be moved; for each channel of the model."""
    values = np.arange(256, dtype=np.float32)
    if dtype == np.uint8:
        return [values.astype(np.uint8)] * 3
    return [
        ((values - np.float32(mean)) / np.float32(std)).astype(dtype).view(MOVED_AS[dtype.name])
        for mean, std in zip(preprocessing.mean, preprocessing.std, strict=True)
    ]
