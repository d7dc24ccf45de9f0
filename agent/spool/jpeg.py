"""Pixels to JPEG, once."""

import cv2

from agent.domain import EncodedImage, Pixels


class JpegEncoder:
    """Encodes frames as JPEG, shrunk so that no side is longer than `max_side`.

    `quality` is 1 to 100; `max_side` is in pixels, 0 = as read.
    """

    def __init__(self, *, quality: int, max_side: int = 0) -> None:
        self._parameters = [cv2.IMWRITE_JPEG_QUALITY, quality]
        self._max_side = max_side

    def encode(self, pixels: Pixels) -> EncodedImage:
        """Encode `[height, width, 3]` BGR; the scale tells how boxes must shrink with it."""
        height, width = pixels.shape[:2]
        scale = 1.0
        if 0 < self._max_side < max(height, width):
            scale = self._max_side / max(height, width)
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
            height, width = pixels.shape[:2]
        _, data = cv2.imencode(".jpg", pixels, self._parameters)
        return EncodedImage(data.tobytes(), width, height, scale)
