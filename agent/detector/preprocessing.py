"""Converts a frame to the model's input, in buffers that a thread uses again.

For all frames of one size, the padding is written once, and normalization is a lookup table of 256
entries per channel. A frame of 1280x720 for an input of 640 takes 0.9 ms; resize, border, transpose
and scale would take 9 ms.
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

InputTensor = NDArray[Any]
"""A tensor of float32, float16 or uint8."""

# `cv2.LUT` has no float16 tables; the bits of float16 values are copied as 16-bit integers.
LUT_TYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.int16),
    "uint8": np.dtype(np.uint8),
}

CACHED_LETTERBOXES = 4  # one per frame size; each thread gets the frames of several cameras
AVERAGE_FROM = 2  # factor of shrinking from which bilinear sampling skips pixels


class InputBuffer:
    """The input tensor of one thread.

    The array that `fill` returns is valid until the next call of `fill`.
    """

    def __init__(self, preprocessing: Preprocessing, image_input: ImageInput) -> None:
        """Make the buffer for one preprocessing and one model's input.

        An integer input gets 0 to 255: such a model normalizes in its graph.
        """
        self._preprocessing = preprocessing
        self._input = image_input
        self._dtype = np.dtype(image_input.dtype)
        tables = _tables(preprocessing, self._dtype)
        self._pad = [table[preprocessing.pad_value] for table in tables]
        self._all_channels = np.stack(tables, axis=1)[None]
        # Frames are BGR.
        self._planes = tables if preprocessing.channel_order is ChannelOrder.BGR else tables[::-1]
        self._arrays_by_letterbox: dict[Letterbox, _Arrays] = {}

    def fill(self, pixels: Pixels, letterbox: Letterbox) -> InputTensor:
        """Return the frame as an array of the model's shape and type.

        Args:
            pixels: The frame.
            letterbox: Where it goes; its `frame` is the size of `pixels`.
        """
        arrays = self._arrays_by_letterbox.get(letterbox)
        if arrays is None:
            if len(self._arrays_by_letterbox) == CACHED_LETTERBOXES:
                del self._arrays_by_letterbox[next(iter(self._arrays_by_letterbox))]
            arrays = self._arrays_by_letterbox[letterbox] = self._arrays(letterbox)
        resized = (letterbox.resized.width, letterbox.resized.height)
        cv2.resize(pixels, resized, dst=arrays.resized, interpolation=self._sampling(letterbox))
        if self._input.axes is Axes.NHWC:
            if self._preprocessing.channel_order is ChannelOrder.RGB:
                cv2.cvtColor(arrays.resized, cv2.COLOR_BGR2RGB, dst=arrays.resized)
            cv2.LUT(arrays.resized, self._all_channels, dst=arrays.windows[0])
            return arrays.tensor
        cv2.split(arrays.resized, arrays.planes)
        for plane, table, window in zip(arrays.planes, self._planes, arrays.windows, strict=True):
            cv2.LUT(plane, table, dst=window)
        return arrays.tensor

    def _sampling(self, letterbox: Letterbox) -> int:
        """Return area averaging for classifiers that shrink the frame, otherwise bilinear.

        Detectors are trained with bilinear resizing.
        """
        shrinks = letterbox.frame.width >= AVERAGE_FROM * letterbox.resized.width
        averaged = self._preprocessing.crop is not None and shrinks
        return cv2.INTER_AREA if averaged else cv2.INTER_LINEAR

    def _arrays(self, letterbox: Letterbox) -> "_Arrays":
        """Make the buffers of one letterbox, with the padding filled in."""
        height, width = letterbox.resized.height, letterbox.resized.width
        tensor = np.zeros(self._input.shape(letterbox.input), LUT_TYPES[self._dtype.name])
        rows = slice(letterbox.top, letterbox.top + height)
        columns = slice(letterbox.left, letterbox.left + width)
        windows: list[NDArray[Any]] = []
        if self._input.axes is Axes.NHWC:
            tensor[0] = self._pad
            windows.append(tensor[0, rows, columns])
        else:
            channels = tensor.reshape(-1, *tensor.shape[-2:])[:3]
            for channel, value in zip(channels, self._pad, strict=True):
                channel[...] = value
                windows.append(channel[rows, columns])
            if self._preprocessing.channel_order is ChannelOrder.RGB:
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
    tensor: InputTensor
    windows: tuple[NDArray[Any], ...]  # views of `tensor`: the place of each plane, or of all


def centre_crop(pixels: Pixels, *, width: int, height: int, share: float) -> Pixels:
    """Return the centre crop of a frame with the aspect ratio of an input, as a view.

    Args:
        pixels: The frame.
        width: Width of the input; only the ratio to `height` matters.
        height: Height of the input.
        share: Size of the crop relative to the largest possible one, per side, 0 to 1.
    """
    rows, columns = pixels.shape[:2]
    scale = min(rows / height, columns / width) * share
    kept_rows = min(rows, max(1, round(height * scale)))
    kept_columns = min(columns, max(1, round(width * scale)))
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    return pixels[top : top + kept_rows, left : left + kept_columns]


def _tables(preprocessing: Preprocessing, dtype: np.dtype[Any]) -> list[NDArray[Any]]:
    """Return the lookup table of 0 to 255 for each channel of the model, as `LUT_TYPES`."""
    values = np.arange(256, dtype=np.float32)
    if dtype == np.uint8:
        return [values.astype(np.uint8)] * 3
    return [
        ((values - np.float32(mean)) / np.float32(std)).astype(dtype).view(LUT_TYPES[dtype.name])
        for mean, std in zip(preprocessing.mean, preprocessing.std, strict=True)
    ]
