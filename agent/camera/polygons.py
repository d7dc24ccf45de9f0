"""Polygons in plain numbers: hull, area, whether edges cross, and the part inside a rectangle.

Pure, and without numpy: the settings are parsed with it, and `status` reads them too.
"""

from collections.abc import Sequence
from itertools import pairwise

from agent.domain import Polygon

_Point = tuple[float, float]


def area(corners: Sequence[_Point]) -> float:
    """Return the area that a polygon without crossing edges encloses; 0 below three corners."""
    if not corners:
        return 0.0
    closed = [*corners, corners[0]]
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(closed))) / 2


def hull(corners: Sequence[_Point]) -> Polygon:
    """Return the convex hull, without corners on its edges (Andrew's monotone chain)."""
    ordered = sorted(set(corners))
    if len(ordered) <= 2:  # noqa: PLR2004 (a line has no inside)
        return tuple(ordered)
    return (*_half(ordered), *_half(ordered[::-1]))


def _half(ordered: Sequence[_Point]) -> list[_Point]:
    """Return one side of the hull, without its last corner, which begins the other side."""
    side: list[_Point] = []
    for point in ordered:
        while len(side) > 1 and _turn(side[-2], side[-1], point) <= 0:
            side.pop()
        side.append(point)
    return side[:-1]


def crosses_itself(corners: Sequence[_Point]) -> bool:
    """Return whether two edges that are not neighbours meet."""
    edges = list(pairwise([*corners, corners[0]]))
    last = len(edges) - 1
    return any(
        _meet(*edges[a], *edges[b])
        for a in range(len(edges))
        for b in range(a + 2, len(edges))
        if (a, b) != (0, last)
    )


def clipped(corners: Sequence[_Point], width: float, height: float) -> Polygon:
    """Return the part in [0, width] x [0, height]; empty if they share no area.

    Sutherland and Hodgman, 1974: the parts of a concave polygon stay joined along the border.
    """
    left = list(corners)
    for axis, limit, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        left = _half_plane(left, axis, limit, sign)
    return tuple(left) if area(left) > 0 else ()


def _half_plane(corners: list[_Point], axis: int, limit: float, sign: int) -> list[_Point]:
    """Return the part whose coordinate is at least `limit`; at most, for a `sign` of -1."""
    kept: list[_Point] = []
    for before, corner in zip([*corners[-1:], *corners[:-1]], corners, strict=True):
        from_, to = sign * (before[axis] - limit), sign * (corner[axis] - limit)
        if (from_ < 0) != (to < 0):
            share = from_ / (from_ - to)
            kept.append(
                (
                    before[0] + share * (corner[0] - before[0]),
                    before[1] + share * (corner[1] - before[1]),
                )
            )
        if to >= 0:
            kept.append(corner)
    return kept


def _turn(a: _Point, b: _Point, c: _Point) -> float:
    """Return above 0 if a, b, c turn in one direction, below 0 in the other, 0 on a line."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _meet(a: _Point, b: _Point, c: _Point, d: _Point) -> bool:
    """Return whether the segments from a to b and from c to d share a point."""
    turns = (_turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b))
    if _opposite(turns[0], turns[1]) and _opposite(turns[2], turns[3]):
        return True
    segments = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(
        turn == 0 and _between(start, end, point)
        for turn, (start, end, point) in zip(turns, segments, strict=True)
    )


def _opposite(one: float, other: float) -> bool:
    return (one > 0 > other) or (one < 0 < other)


def _between(start: _Point, end: _Point, point: _Point) -> bool:
    """Return whether a point on the line through a segment is on the segment."""
    return all(
        min(start[axis], end[axis]) <= point[axis] <= max(start[axis], end[axis]) for axis in (0, 1)
    )
