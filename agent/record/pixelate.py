"""Pixelates places of an image, so that nobody recognizes what is there."""

from collections.abc import Collection
from math import ceil, floor

import cv2

from agent.domain import HiddenPart, Pixels

BLOCKS = 6
"""Blocks along the longer side of a place, at most.

People recognize familiar faces at 7 x 10 blocks (Yip and Sinha, Perception 31, 2002)."""

_LEAST_BLOCK = 4.0  # pixels


def pixelated(pixels: Pixels, parts: Collection[HiddenPart]) -> Pixels:
    """Return a copy in which each block of these boxes has one colour, the mean of its pixels."""
    changed = pixels.copy()
    for part in parts:
        if part.box is None:
            continue
        top, bottom = floor(part.box.y_min), ceil(part.box.y_max)
        left, right = floor(part.box.x_min), ceil(part.box.x_max)
        place = changed[top:bottom, left:right]
        if not place.size:
            continue
        height, width = place.shape[:2]
        block = max(_LEAST_BLOCK, max(height, width) / BLOCKS)
        blocks = (max(1, floor(width / block)), max(1, floor(height / block)))
        small = cv2.resize(place, blocks, interpolation=cv2.INTER_AREA)
        place[:] = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return changed
