"""Stored images made smaller, for pages that carry their images with them."""

import base64
from pathlib import Path

import cv2

from agent.camera.images.file import read_image

_WIDTH = 480  # pixels
_QUALITY = 72  # of its JPEG


def small_image_url(path: Path) -> str:
    """Return an image, at most 480 pixels wide, as a data URL.

    Raises `UnusableImage` for a file that is no image, `OSError` for one that cannot be read.
    """
    pixels = read_image(path)
    height, width = pixels.shape[:2]
    if width > _WIDTH:
        size = (_WIDTH, max(1, round(height * _WIDTH / width)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
