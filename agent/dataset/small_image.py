"""Stored images made smaller, for pages that carry their images with them."""

import base64
from pathlib import Path

import cv2
import numpy as np

from agent.camera.images.file import decode_image, read_image
from agent.domain import Pixels

_WIDTH = 480  # pixels
_QUALITY = 72  # of its JPEG


def small_image_url(path: Path) -> str:
    """Return an image, at most 480 pixels wide, as a data URL.

    Raises `UnusableImage` for a file that is no image, `OSError` for one that cannot be read.
    """
    return _url(read_image(path))


def small_url_of(image: bytes, *, width: int = _WIDTH) -> str:
    """Return the bytes of an image, at most so many pixels wide, as a data URL.

    Raises `UnusableImage` for what is no image.
    """
    return _url(decode_image(image), width)


def _url(pixels: Pixels, width: int = _WIDTH) -> str:
    tall, wide = pixels.shape[:2]
    if wide > width:
        size = (width, max(1, round(tall * width / wide)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
