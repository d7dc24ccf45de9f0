"""OpenCV functions of all sources: its log, silenced once, and frames as BGR of 8 bits."""

import functools
import os
from typing import Any

import cv2
import numpy as np

from agent.domain import Pixels

_COLOURS_WITH_ALPHA = 4


@functools.cache
def prepare() -> None:
    """Silence OpenCV's log, unless the operator chose its level in the environment."""
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def grab(capture: Any) -> bool:
    """Advance to the next frame; False if there is none."""
    try:
        return bool(capture.grab())
    except cv2.error:
        return False


def retrieve(capture: Any) -> Any | None:
    """Return the grabbed frame in the backend's format, or None if it cannot be decoded."""
    try:
        decoded, pixels = capture.retrieve()
    except cv2.error:
        return None
    return pixels if decoded and pixels is not None and pixels.size else None


def as_bgr(pixels: Any) -> Pixels:
    """Convert a backend's frame to BGR `[height, width, 3]`, 0 to 255.

    Accepts `[height, width]` or 1, 3 or 4 channels of 8 or 16 bits; of 16 bits the upper 8 remain.
    """
    bgr: Pixels = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    if bgr.ndim == 2 or bgr.shape[2] == 1:  # noqa: PLR2004  rows and columns: grey
        bgr = cv2.cvtColor(bgr, cv2.COLOR_GRAY2BGR)
    elif bgr.shape[2] == _COLOURS_WITH_ALPHA:
        bgr = cv2.cvtColor(bgr, cv2.COLOR_BGRA2BGR)
    return bgr
