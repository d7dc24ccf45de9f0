"""A small grey image of a frame, for the rules and stages that compare images."""

import cv2
import numpy as np

from agent.domain import Grey, Pixels

WIDTH, HEIGHT = 320, 180


def small_grey(pixels: Pixels) -> Grey:
    """Resize `[height, width, 3]` BGR of any shape to grey `[180, 320]`.

    Larger frames are averaged over areas, which also reduces sensor noise.
    """
    height, width = pixels.shape[:2]
    if height % 2 == 0 and width % 2 == 0 and height >= 2 * HEIGHT and width >= 2 * WIDTH:
        # OpenCV averages 2 x 2 pixels fast; then only a quarter of the pixels becomes grey.
        pixels = cv2.resize(pixels, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
