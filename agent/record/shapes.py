"""Polygons, keypoints and rotated boxes of a detection, made fit for an image.

Records come from files and from other programs, so nothing here raises: a shape that is not one
is left out, and the detection's box stays. All positions are in pixels of the stored image.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from itertools import pairwise
from typing import Any

from agent.domain import OBJECT_TASKS, Polygon, Task

Keypoints = tuple[tuple[float, float, float], ...]
"""x, y and confidence of each keypoint; its number in the tuple is its name."""

KEYPOINTS_MAX = 1000
"""Keypoints of one object; a record with more is not one of a pose model."""

COCO_KEYPOINTS = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder"),
    *("right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip"),
    *("right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
)
"""The 17 keypoints of a person in COCO, in COCO's order: pose models are trained on them."""

COCO_SKELETON = (
    *((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8)),
    *((7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
)
"""Which of them are joined in a drawing, from 0."""

_SEEN = 0.5
"""Confidence of a keypoint that is visible. Ultralytics sets a keypoint below it to 0, 0."""

_GUESSED = 0.25
"""Confidence of a keypoint that is worth a look. Ultralytics draws none below it."""

_CORNERS = 4
_POSITION_MAX = 1e9  # pixels; the square of a larger position loses its last digits
_AREA_MIN = 0.01  # square pixels; what is smaller is a line


class Visibility(IntEnum):
    """COCO's third number of a keypoint."""

    NOT_LABELLED = 0
    HIDDEN = 1  # labelled, but not visible
    VISIBLE = 2


def visibility(confidence: float) -> Visibility:
    """Return what a keypoint's confidence says, 0 to 1: visible, a guess, or nothing."""
    if confidence >= _SEEN:
        return Visibility.VISIBLE
    return Visibility.HIDDEN if confidence >= _GUESSED else Visibility.NOT_LABELLED


def confidence_of(seen: Visibility) -> float:
    """Return the least confidence that `visibility` reads so; 1 for a visible keypoint."""
    return {Visibility.VISIBLE: 1.0, Visibility.HIDDEN: _GUESSED}.get(seen, 0.0)


def task_of(record: Mapping[str, Any]) -> Task:
    """Return the task of a record's model; `detect` for a record that does not state it."""
    model = record.get("model")
    stated = model.get("task") if isinstance(model, dict) else None
    return next((task for task in Task if task == stated and task in OBJECT_TASKS), Task.DETECT)


def keypoint_count(record: Mapping[str, Any]) -> int:
    """Return the keypoints of each object of a pose model; 0 where nothing says it."""
    model, found = record.get("model"), record.get("detections")
    stated = model.get("keypoints") if isinstance(model, dict) else None
    if isinstance(stated, int) and not isinstance(stated, bool) and 0 < stated <= KEYPOINTS_MAX:
        return stated
    detections = found if isinstance(found, list) else ()
    lists = [each.get("keypoints") for each in detections if isinstance(each, dict)]
    lengths = [len(each) for each in lists if isinstance(each, list)]
    return max((each for each in lengths if each <= KEYPOINTS_MAX), default=0)


def keypoint_names(count: int) -> list[str]:
    """Return a name for each of `count` keypoints: COCO's where there are as many as COCO has."""
    if count == len(COCO_KEYPOINTS):
        return list(COCO_KEYPOINTS)
    return [f"keypoint {number}" for number in range(1, count + 1)]


def polygon_of(detection: Mapping[str, Any], width: int, height: int) -> Polygon:
    """Return a detection's polygon, cut at the edges of the image; empty without a valid one."""
    return clipped(_points(detection.get("polygon")), width, height)


def corners_of(detection: Mapping[str, Any], width: int, height: int) -> Polygon:
    """Return the four corners of a rotated box, clockwise, as reported; empty without valid ones.

    A corner may lie outside of the image, where the box does; a box that is all outside is empty.
    """
    corners = _points(detection.get("corners"))
    if len(corners) != _CORNERS or not clipped(corners, width, height):
        return ()
    return corners if _signed_area(corners) > 0 else (corners[0], *corners[:0:-1])


def keypoints_of(detection: Mapping[str, Any], width: int, height: int) -> Keypoints:
    """Return a detection's keypoints, moved into the image; empty without valid ones."""
    found = detection.get("keypoints")
    if not isinstance(found, list) or len(found) > KEYPOINTS_MAX:
        return ()
    numbers = [_numbers(point, 3) for point in found]
    if not all(numbers):
        return ()
    return tuple(
        (_within(x, width), _within(y, height), _within(confidence, 1))
        for x, y, confidence in numbers
    )


def within(points: Polygon, width: float, height: float) -> Polygon:
    """Return points, each moved into the image by the shortest way."""
    return tuple((_within(x, width), _within(y, height)) for x, y in points)


def clipped(polygon: Polygon, width: float, height: float) -> Polygon:
    """Return the part of a polygon inside of the image; empty if nothing is.

    Where a hollow polygon leaves the image in several places, its parts are joined along the edge
    (Sutherland and Hodgman 1974).
    """
    points = list(polygon)
    for across, down, least in ((1, 0, 0), (-1, 0, -width), (0, 1, 0), (0, -1, -height)):
        points = list(_cut(points, across, down, least))
    inside = within(_without_repeats(points), width, height)
    return inside if len(inside) > 2 and area(inside) >= _AREA_MIN else ()  # noqa: PLR2004


def bounds(points: Sequence[tuple[float, float]]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of at least one point."""
    across, down = [x for x, _ in points], [y for _, y in points]
    return min(across), min(down), max(across), max(down)


def area(polygon: Sequence[tuple[float, float]]) -> float:
    """Return the area inside of a polygon, in square pixels."""
    return abs(_signed_area(polygon))


def _signed_area(polygon: Sequence[tuple[float, float]]) -> float:
    """Return the area, above 0 if the corners go clockwise on the screen."""
    joined = pairwise((*polygon, *polygon[:1]))
    return math.fsum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in joined) / 2


def _cut(
    points: Sequence[tuple[float, float]], across: int, down: int, least: float
) -> Iterator[tuple[float, float]]:
    """Return the polygon where `across * x + down * y` is at least `least`."""
    for (x1, y1), (x2, y2) in pairwise((*points[-1:], *points)):
        before, after = (across * x + down * y - least for x, y in ((x1, y1), (x2, y2)))
        if (before < 0) != (after < 0):
            share = before / (before - after)
            yield x1 + (x2 - x1) * share, y1 + (y2 - y1) * share
        if after >= 0:
            yield x2, y2


def _without_repeats(points: Sequence[tuple[float, float]]) -> Polygon:
    return tuple(b for a, b in pairwise((*points[-1:], *points)) if a != b)


def _points(value: object) -> Polygon:
    if not isinstance(value, list):
        return ()
    found = [_numbers(point, 2) for point in value]
    return tuple((each[0], each[1]) for each in found) if all(found) else ()


def _numbers(value: object, count: int) -> tuple[float, ...]:
    """Return `count` finite numbers of a list; none if it is anything else."""
    if not isinstance(value, list) or len(value) != count:
        return ()
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in value):
        return ()
    fits = all(abs(each) <= _POSITION_MAX for each in value)  # false for NaN too
    return tuple(map(float, value)) if fits else ()


def _within(value: float, largest: float) -> float:
    return min(max(value, 0.0), float(largest))
