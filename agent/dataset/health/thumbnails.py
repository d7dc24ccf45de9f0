"""Makes the small images of a health report."""

import cv2

from agent.domain import Pixels

WIDTH, HEIGHT = 320, 240  # pixels, at most
_QUALITY = 74  # of the JPEG


def thumbnail(pixels: Pixels) -> bytes:
    """Return a JPEG of BGR pixels, reduced to at most 320 x 240."""
    height, width = pixels.shape[:2]
    factor = min(WIDTH / width, HEIGHT / height, 1.0)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if factor < 1 else pixels
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()
