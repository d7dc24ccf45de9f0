"""The pixels of a polygon: all that it touches, as rectangles that are painted fast."""

from collections.abc import Iterable
from itertools import pairwise
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from agent.domain import Box, Polygon

Rows = tuple[slice, slice]
"""A rectangle of pixels: its rows and its columns."""


def touched(polygons: Iterable[Polygon], width: int, height: int) -> NDArray[np.bool_]:
    """Return the pixels that share area with a polygon, as `[height, width]`.

    These are the pixels whose centre lies inside, and those that an edge passes through: no part of
    the region is seen in a pixel at its border. A pixel is the square from its number to the next.
    Polygons lie within the frame, and their edges do not cross.
    """
    found = np.zeros((height, width), np.bool_)
    for polygon in polygons:
        edges = np.array([polygon, polygon[1:] + polygon[:1]], np.float64)  # [2, n, 2]
        _fill(found, edges)
        for start, end in zip(edges[0], edges[1], strict=True):
            _trace(found, start, end)
    return found


def _fill(found: NDArray[np.bool_], edges: NDArray[np.float64]) -> None:
    """Set the pixels whose centre is inside, row by row, by the even-odd rule."""
    (x_from, y_from), (x_to, y_to) = edges[0].T, edges[1].T
    top, bottom = floor(edges[..., 1].min()), ceil(edges[..., 1].max())
    for row in range(max(0, top), min(found.shape[0], bottom)):
        centre = row + 0.5
        crossed = (y_from <= centre) != (y_to <= centre)
        share = (centre - y_from[crossed]) / (y_to[crossed] - y_from[crossed])
        at = np.sort(x_from[crossed] + share * (x_to[crossed] - x_from[crossed]))
        for left, right in at.reshape(-1, 2):
            found[row, max(0, ceil(left - 0.5)) : max(0, floor(right - 0.5) + 1)] = True


def _trace(found: NDArray[np.bool_], start: NDArray[np.float64], end: NDArray[np.float64]) -> None:
    """Set the pixels through whose inside an edge passes."""
    (x_top, y_top), (x_bottom, y_bottom) = (start, end) if start[1] <= end[1] else (end, start)
    if y_top == y_bottom:
        if y_top != floor(y_top) and 0 <= y_top < found.shape[0]:
            _set(found, floor(y_top), x_top, x_bottom)
        return
    for row in range(max(0, floor(y_top)), min(found.shape[0], ceil(y_bottom))):
        shares = [
            (min(max(y, y_top), y_bottom) - y_top) / (y_bottom - y_top) for y in (row, row + 1)
        ]
        at = [x_top + share * (x_bottom - x_top) for share in shares]
        _set(found, row, at[0], at[1])


def _set(found: NDArray[np.bool_], row: int, one: float, other: float) -> None:
    left, right = min(one, other), max(one, other)
    found[row, max(0, floor(left)) : max(0, ceil(right))] = True


def rectangles(area: NDArray[np.bool_]) -> list[Rows]:
    """Return rectangles that cover exactly these pixels, without overlap."""
    if not area.any():
        return []
    changes = np.flatnonzero((area[1:] != area[:-1]).any(axis=1)) + 1
    borders = [0, *map(int, changes), len(area)]
    found: list[Rows] = []
    for top, bottom in pairwise(borders):
        row = np.concatenate([[False], area[top], [False]])
        ends = np.flatnonzero(row[1:] != row[:-1])
        found += [
            (slice(top, bottom), slice(int(left), int(right)))
            for left, right in ends.reshape(-1, 2)
        ]
    return found


def covered_share(areas: Iterable[Rows], box: Box) -> float:
    """Return the share of a box that lies in rectangles which do not overlap, 0 to 1."""
    covered = 0.0
    for rows, columns in areas:
        down = min(box.y_max, rows.stop) - max(box.y_min, rows.start)
        across = min(box.x_max, columns.stop) - max(box.x_min, columns.start)
        covered += max(0.0, down) * max(0.0, across)
    return covered / ((box.x_max - box.x_min) * (box.y_max - box.y_min))
