"""The outline of a mask as a polygon in pixels of the frame. Pure."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.domain import Box, FloatArray, Polygon

MOST_POINTS = 500
"""Corners of a polygon. A finer outline is simplified more."""

COARSEST, FINEST, USUAL = 1024, 4, 256
"""The raster on which an outline is found: up to 4 pixels for each of the frame where that makes at
most 256 on the longer side, so that the edges of small objects are exact; at most 1024."""

TOLERANCE = 1.0
"""Pixels of the frame by which a polygon may differ from the outline."""

SMALL = 64
"""Pixels of the frame: smaller objects have a smaller tolerance, in proportion."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where a part of a map lies in the frame: both are linear in the other."""

    left: float  # x in the frame, pixels, of the left edge of the first column
    top: float
    column: float  # pixels of the frame for each column
    row: float


def outline(values: FloatArray, grid: Grid, box: Box) -> Polygon:
    """Return the polygon around the numbers above 0, inside of the box."""
    across, down = box.x_max - box.x_min, box.y_max - box.y_min
    longest = max(across, down)
    step = longest / min(max(longest, min(longest * FINEST, USUAL)), COARSEST)
    width, height = max(1, round(across / step)), max(1, round(down / step))
    wide, high = across / width, down / height  # pixels of the frame for each of the raster
    # The centre of a raster's pixel i is at (i + 0.5) * wide + x_min of the frame, and that of a
    # map's column k at (k + 0.5) * column + left.
    place = np.array(
        [
            [wide / grid.column, 0, _shift(box.x_min, wide, grid.left, grid.column)],
            [0, high / grid.row, _shift(box.y_min, high, grid.top, grid.row)],
        ]
    )
    raster = cv2.warpAffine(
        values,
        place,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    tolerance = min(TOLERANCE, longest / SMALL) / step
    points = _largest_part(np.asarray(raster > 0, np.uint8), tolerance)
    return tuple(
        (min(box.x_min + x * wide, box.x_max), min(box.y_min + y * high, box.y_max))
        for x, y in points
    )


def _shift(low: float, step: float, start: float, column: float) -> float:
    return (low + step / 2 - start) / column - 0.5


def _largest_part(mask: NDArray[np.uint8], tolerance: float) -> list[tuple[float, float]]:
    """Return the simplified outline of the part with the largest area; empty if there is none.

    The outline goes along the edges of the pixels, `[0, width]` and `[0, height]`.
    """
    height, width = mask.shape
    # OpenCV's contours go through the centres of pixels. Here those are the corners of the mask's
    # pixels: a corner is inside if one of its four pixels is.
    edges = np.zeros((height + 1, width + 1), np.uint8)
    for down in (0, 1):
        for across in (0, 1):
            edges[down : down + height, across : across + width] |= mask
    found, _ = cv2.findContours(edges, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return []
    largest = max(found, key=cv2.contourArea)
    points = cv2.approxPolyDP(largest, tolerance, closed=True)
    while len(points) > MOST_POINTS:
        tolerance *= 2
        points = cv2.approxPolyDP(largest, tolerance, closed=True)
    if len(points) < 3:  # noqa: PLR2004  # a line: the part is thinner than the tolerance
        left, top, wide, high = cv2.boundingRect(largest)
        right, bottom = left + wide - 1, top + high - 1
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    return [(float(x), float(y)) for x, y in points.reshape(-1, 2)]
