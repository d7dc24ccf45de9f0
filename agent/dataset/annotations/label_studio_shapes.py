"""The objects in an annotation of Label Studio, with their shapes.

Rectangles, also turned ones, polygons and ellipses become boxes with an outline. A keypoint belongs
to the region that it names as its parent. Positions there are in percent of the image.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.dataset.annotations.source import finite
from agent.domain import Box, Polygon
from agent.printable import printable
from agent.record.shapes import Keypoints, bounds, keypoint_count, keypoint_names

NO_OBJECT = frozenset(
    {"keypointlabels", "choices", "relation", "textarea", "rating", "number", "taxonomy"}
)
"""Types of regions that are no objects of their own."""

_ELLIPSE_CORNERS = 36
_AXES = (("x", "width"), ("y", "height"))


def boxes_of(result: Sequence[Any], record: Mapping[str, Any]) -> Iterator[AnnotatedBox]:
    """Yield the objects of an annotation; `record` is that of the image.

    Raises `ValueError`, with the reason, for a region that is not understood; `KeyError` or
    `TypeError` for one that is none.
    """
    width, height = record["image"]["width"], record["image"]["height"]
    points = defaultdict[str, list[Mapping[str, Any]]](list)
    for region in result:
        if region["type"] == "keypointlabels" and isinstance(region.get("parentID"), str):
            points[region["parentID"]].append(region["value"])
    has_points = any(region["type"] == "keypointlabels" for region in result)
    for region in result:
        kind, value = region["type"], region.get("value")
        if kind in NO_OBJECT:
            continue
        outline, is_turned = _outline(kind, value, width, height)
        if region.get("image_rotation"):
            raise ValueError("an image was rotated before it was annotated; rotate it back")
        label = value.get(kind)
        if not isinstance(label, list) or not label:
            raise ValueError(f"a region of the type {printable(kind, 40)} has no label")
        is_rectangle = kind == "rectanglelabels"
        yield AnnotatedBox(
            str(label[0]),
            _box(kind, value, outline, width, height),
            is_bounds=is_turned or not is_rectangle or has_points,
            polygon=() if is_rectangle else outline,
            corners=outline if is_rectangle and is_turned else (),
            keypoints=_keypoints(points.get(str(region.get("id")), ()), record),
        )


def _outline(kind: str, value: Mapping[str, Any], width: int, height: int) -> tuple[Polygon, bool]:
    """Return the corners of a region in pixels, and whether it is turned."""
    if kind == "polygonlabels":
        corners = [(finite(x) * width / 100, finite(y) * height / 100) for x, y in value["points"]]
        return tuple(corners), False
    if kind not in {"rectanglelabels", "ellipselabels"}:
        raise ValueError(
            f"regions of the type {printable(kind, 40)} are not read; draw rectangles or polygons, "
            "or give verdicts"
        )
    x, y = finite(value["x"]) * width / 100, finite(value["y"]) * height / 100
    angle = math.radians(finite(value.get("rotation") or 0))
    cos, sin = math.cos(angle), math.sin(angle)
    if kind == "ellipselabels":
        steps = [2 * math.pi * step / _ELLIPSE_CORNERS for step in range(_ELLIPSE_CORNERS)]
        across, down = _radii(value, width, height)
        places = [(across * math.cos(step), down * math.sin(step)) for step in steps]
    else:
        along, side = finite(value["width"]) * width / 100, finite(value["height"]) * height / 100
        if min(along, side) < 0:
            raise ValueError("a rectangle has a negative width or height; draw it again")
        places = [(0.0, 0.0), (along, 0.0), (along, side), (0.0, side)]
    turned = [(x + a * cos - d * sin, y + a * sin + d * cos) for a, d in places]
    return tuple(turned), abs(sin) > 1e-9  # noqa: PLR2004 (by half a turn it is upright again)


def _box(kind: str, value: Mapping[str, Any], outline: Polygon, width: int, height: int) -> Box:
    """Return the upright box around a region; of an ellipse, not of the outline with corners."""
    if kind != "ellipselabels":
        return Box(*bounds(outline))
    x, y = finite(value["x"]) * width / 100, finite(value["y"]) * height / 100
    across, down = _radii(value, width, height)
    angle = math.radians(finite(value.get("rotation") or 0))
    cos, sin = math.cos(angle), math.sin(angle)
    wide, high = math.hypot(across * cos, down * sin), math.hypot(across * sin, down * cos)
    return Box(x - wide, y - high, x + wide, y + high)


def _radii(value: Mapping[str, Any], width: int, height: int) -> tuple[float, float]:
    return finite(value["radiusX"]) * width / 100, finite(value["radiusY"]) * height / 100


def _keypoints(points: Sequence[Mapping[str, Any]], record: Mapping[str, Any]) -> Keypoints:
    """Return the keypoints of an object in the model's order, 0 0 0 where there is none.

    They are told apart by their labels. None are returned where these do not tell: all have the
    object's own label, and not each keypoint is there.
    """
    size = record["image"]
    count = keypoint_count(record)
    names = keypoint_names(count)
    placed: dict[int, tuple[float, float, float]] = {}
    for number, value in enumerate(points):
        (label,) = value["keypointlabels"][:1] or ("",)
        place = names.index(label) if label in names else number
        if (label not in names and len(points) != count) or place in placed:
            return ()
        x, y = (finite(value[axis]) * size[side] / 100 for axis, side in _AXES)
        placed[place] = x, y, 1.0
    return tuple(placed.get(n, (0.0, 0.0, 0.0)) for n in range(count)) if placed else ()
