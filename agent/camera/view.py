"""A small grey picture of a frame, for those who compare pictures."""

import cv2
import numpy as np

from agent.domain import Grey, Pixels

WIDTH, HEIGHT = 320, 180


def small_grey(pixels: Pixels) -> Grey:
    """Shrink `[height, width, 3]` BGR to grey `[180, 320]`, whatever its shape.

    Averages areas where the frame is larger, so that sensor noise is averaged away too.
    """
    # Shrinking three channels costs less than converting every pixel to grey first.
    small = cv2.resize(pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
