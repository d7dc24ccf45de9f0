"""Encodes frames as JPEG."""

import cv2

from agent.domain import EncodedImage, Observation

LONGEST_SIDE = 65500  # pixels, the limit of libjpeg; images in a folder may be larger


class JpegEncoder:
    """Encodes frames as JPEG, shrunk so that no side is longer than `max_side`.

    `quality` is 1 to 100; `max_side` is in pixels, 0 = no limit.
    """

    def __init__(self, *, quality: int, max_side: int = 0) -> None:
        self._parameters = [cv2.IMWRITE_JPEG_QUALITY, quality]
        self._max_side = min(max_side or LONGEST_SIDE, LONGEST_SIDE)

    def encode(self, observation: Observation) -> EncodedImage:
        """Encode the frame of an observation."""
        pixels = observation.frame.pixels
        height, width = pixels.shape[:2]
        if self._max_side < max(height, width):
            scale = self._max_side / max(height, width)
            width, height = max(1, round(width * scale)), max(1, round(height * scale))
            pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        _, data = cv2.imencode(".jpg", pixels, self._parameters)
        return EncodedImage(data.tobytes(), width, height)
