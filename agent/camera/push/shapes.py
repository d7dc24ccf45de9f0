"""Boxes, polygons, keypoints and rotated boxes of pushed predictions, in pixels of the image."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.camera.push.values import InvalidValue, confidence, number, sequence
from agent.domain import Box, Keypoint, Polygon

MOST_POINTS = 1000
"""Corners of a polygon, or keypoints of an object."""

_SIDES, _CORNERS = 4, 4
_LEAST_CORNERS = 3
_LEAST_SIDE = 0.01  # pixels, as for the boxes of the agent's model


@dataclass(frozen=True, slots=True)
class Outline:
    """The mask of an object, of which the application sent the outline."""

    corners: Polygon

    def polygon(self) -> Polygon:
        """See `Mask`."""
        return self.corners


def box(value: object, where: str, size: tuple[int, int]) -> Box:
    """Return a box `[x_min, y_min, x_max, y_max]`, clipped into an image of width and height."""
    sides = sequence(value, where, least=_SIDES, most=_SIDES)
    x_min, y_min, x_max, y_max = (number(each, where) for each in sides)
    shown = f"[{x_min:g}, {y_min:g}, {x_max:g}, {y_max:g}]"
    if x_min >= x_max or y_min >= y_max:
        raise InvalidValue(
            f"{where} {shown} is inverted or empty: write x_min, y_min, x_max, y_max in pixels"
        )
    _check_pixels(((x_min, y_min), (x_max, y_max)), f"{where} {shown}", size)
    return _clipped(Box(x_min, y_min, x_max, y_max), where, size)


def polygon(value: object, where: str, size: tuple[int, int]) -> Polygon:
    """Return a polygon `[[x, y], ...]` of three corners or more, clipped into the image."""
    width, height = size
    points = _points(value, where, least=_LEAST_CORNERS)
    _check_pixels(points, where, size)
    return tuple(
        (min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))) for x, y in points
    )


def corners(value: object, where: str, size: tuple[int, int]) -> Polygon:
    """Return the four corners of a rotated box; they may be outside of the image."""
    points = _points(value, where, least=_CORNERS, most=_CORNERS)
    _check_pixels(points, where, size)
    return points


def around(points: Polygon, where: str, size: tuple[int, int]) -> Box:
    """Return the upright box around points, clipped into the image."""
    across, down = [x for x, _ in points], [y for _, y in points]
    return _clipped(Box(min(across), min(down), max(across), max(down)), where, size)


def keypoints(value: object, where: str, size: tuple[int, int]) -> tuple[Keypoint, ...]:
    """Return keypoints `[[x, y], ...]` or `[[x, y, confidence], ...]`."""
    found = tuple(
        _keypoint(point, f"{where}[{n}]")
        for n, point in enumerate(sequence(value, where, least=1, most=MOST_POINTS))
    )
    _check_pixels([(point.x, point.y) for point in found], where, size)
    return found


def check_touches(points: Polygon, box: Box, where: str) -> None:
    """Raise `InvalidValue` for a polygon or rotated box that lies beside its upright box."""
    if not points:
        return
    across, down = [x for x, _ in points], [y for _, y in points]
    if (
        min(across) > box.x_max
        or max(across) < box.x_min
        or min(down) > box.y_max
        or max(down) < box.y_min
    ):
        raise InvalidValue(
            f"{where} has a box of another place than its outline: write the box around the "
            "outline, or leave the box out"
        )


def _check_pixels(points: Sequence[tuple[float, float]], where: str, size: tuple[int, int]) -> None:
    """Raise `InvalidValue` for points in shares of the image; all at 0 are of nothing seen."""
    numbers = [number for point in points for number in point]
    if min(numbers) >= 0 and 0 < max(numbers) <= 1 < min(size):
        width, height = size
        raise InvalidValue(
            f"{where} seems to be in shares of the image: write pixels of its {width}x{height}"
        )


def _keypoint(value: object, where: str) -> Keypoint:
    x, y, *rest = sequence(value, where, least=2, most=3)
    seen = confidence(rest[0], where) if rest else 1.0
    return Keypoint(number(x, where), number(y, where), seen)


def _points(value: object, where: str, *, least: int, most: int = MOST_POINTS) -> Polygon:
    return tuple(
        _point(point, f"{where}[{n}]")
        for n, point in enumerate(sequence(value, where, least=least, most=most))
    )


def _point(value: object, where: str) -> tuple[float, float]:
    x, y = sequence(value, where, least=2, most=2)
    return number(x, where), number(y, where)


def _clipped(found: Box, where: str, size: Sequence[int]) -> Box:
    width, height = map(float, size)
    inside = Box(
        min(max(found.x_min, 0.0), width),
        min(max(found.y_min, 0.0), height),
        min(max(found.x_max, 0.0), width),
        min(max(found.y_max, 0.0), height),
    )
    if min(inside.x_max - inside.x_min, inside.y_max - inside.y_min) < _LEAST_SIDE:
        raise InvalidValue(
            f"{where} has no area inside the image of {width:.0f}x{height:.0f}: write pixels of "
            "the image that was sent"
        )
    return inside
