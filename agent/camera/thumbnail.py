"""A small grey image of a frame, for those who compare images."""

import cv2
import numpy as np

from agent.domain import Grey, Pixels

WIDTH, HEIGHT = 320, 180


def small_grey(pixels: Pixels) -> Grey:
    """Shrink `[height, width, 3]` BGR to grey `[180, 320]`, whatever its shape.

    Averages areas where the frame is larger, so that sensor noise is averaged away too.
    """
    height, width = pixels.shape[:2]
    if height % 2 == 0 and width % 2 == 0 and height >= 2 * HEIGHT and width >= 2 * WIDTH:
        # Means of 2 x 2 pixels have a fast path; then there is a quarter left to make grey.
        pixels = cv2.resize(pixels, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
