"""The objects of a variant, from those of its parent: exact, and none that has no label.

What a window cuts is decided by the share of an object that stays. From `KEPT_MIN` on a person
would still draw a box around it, so it keeps its label. Less than that, but not nothing, would be
visible without a label or labelled without being recognizable: there is no such variant. An object
that is all outside has no label any more.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent.dataset.synthesis.affine import Affine, Motion, Sides, area, clip
from agent.domain import Polygon
from agent.record import shapes
from agent.record.summary import sides

KEPT_MIN = 0.5
"""Share of an object's area that must stay in the image for its label to stay."""

SIDE_MIN = 4.0
"""Pixels of the shorter side of an object in a variant: smaller ones cannot be learnt."""

MARGIN = 2.0
"""Pixels by which people draw boxes too small: an object is outside when it is this far outside."""

_DIGITS = 4  # of a pixel
_FACES = ("left", "right")


class CutObjectError(Exception):
    """An object would stay visible without a label that fits it."""


def moved(
    objects: Iterable[Mapping[str, Any]], motion: Motion, width: int, height: int
) -> list[dict[str, Any]]:
    """Return the objects that a variant of `width` x `height` pixels shows, as `detections`.

    Parent and variant have the same size. Raises `CutObjectError` where no variant may be made,
    `ValueError` for a box that is not valid.
    """
    found = (_moved(each, motion, width, height) for each in objects)
    return [each for each in found if each is not None]


def moved_masks(
    masks: Iterable[Mapping[str, Any]], motion: Motion, width: int, height: int
) -> list[dict[str, Any]]:
    """Return the hidden parts of a parent's image where its variant has them."""
    found = (_moved_mask(mask, motion, width, height) for mask in masks)
    return [each for each in found if "polygon" in each or "box" in each]


def _moved_mask(mask: Mapping[str, Any], motion: Motion, width: int, height: int) -> dict[str, Any]:
    about: dict[str, Any] = {
        name: mask[name] for name in ("label",) if isinstance(mask.get(name), str)
    }
    inside = _mapped(shapes.polygon_of(mask, width, height), motion.affine)
    if outline := _cut(inside, motion.window):
        about["polygon"] = _lists(outline)
    with contextlib.suppress(ValueError):  # of a mask without a box, or with none that is valid
        box = clip(motion.affine.box(sides(mask)), motion.window)
        if box is not None:
            about["box"] = _rounded(box)
    return about


def mirrored_keypoints(count: int) -> list[int] | None:
    """Return for each keypoint the number of its counterpart; None where they are not known."""
    if count != len(shapes.COCO_KEYPOINTS):
        return None
    numbers = {name: number for number, name in enumerate(shapes.COCO_KEYPOINTS)}
    left, right = _FACES
    swapped = [
        name.replace(left, right) if name.startswith(left) else name.replace(right, left)
        for name in shapes.COCO_KEYPOINTS
    ]
    return [numbers[name] for name in swapped]


def _moved(
    each: Mapping[str, Any], motion: Motion, width: int, height: int
) -> dict[str, Any] | None:
    affine, window = motion.affine, motion.window
    begin = clip(Affine().box(sides(each)), (0.0, 0.0, float(width), float(height)))
    if begin is None:  # of no area, or all outside of the parent
        raise CutObjectError
    whole = affine.box(begin)
    box = clip(whole, window)
    if box is None:
        _require_outside(whole, window)
        return None
    outline = _mapped(shapes.polygon_of(each, width, height), affine)
    kept = _cut(outline, window)
    share = area(box) / area(whole)
    if outline:
        share = min(share, shapes.area(kept) / shapes.area(outline))
    if share < KEPT_MIN or min(box[2] - box[0], box[3] - box[1]) < SIDE_MIN:
        raise CutObjectError
    made = {name: each[name] for name in ("label", "class_id") if each.get(name) is not None}
    made |= {"confidence": 1.0, "box": _rounded(box)}
    if kept:
        made["polygon"] = _lists(kept)
    if points := shapes.keypoints_of(each, width, height):
        made["keypoints"] = _keypoints(points, motion)
    if corners := shapes.corners_of(each, width, height):
        made["corners"] = _lists(_mapped(corners, affine))
    if each.get("iscrowd"):
        made["iscrowd"] = True
    return made


def _require_outside(whole: Sides, window: Sides) -> None:
    """Raise `CutObjectError` for a box that only just missed the window."""
    left, top, right, bottom = whole
    grown = (left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN)
    if clip(grown, window) is not None:
        raise CutObjectError


def _keypoints(points: Sequence[Sequence[float]], motion: Motion) -> list[list[float]]:
    """Return the keypoints; one outside of the window is not labelled, as COCO writes it."""
    if motion.affine.is_mirrored:
        order = mirrored_keypoints(len(points))
        if order is None:
            raise CutObjectError
        points = [points[number] for number in order]
    left, top, right, bottom = motion.window
    made = []
    for x, y, confidence in points:
        to_x, to_y = motion.affine.point(x, y)
        is_shown = left <= to_x <= right and top <= to_y <= bottom and confidence > 0
        place = [round(to_x, _DIGITS), round(to_y, _DIGITS), confidence]
        made.append(place if is_shown else [0.0, 0.0, 0.0])
    return made


def _cut(outline: Polygon, window: Sides) -> Polygon:
    """Return the part of a polygon inside of a window."""
    left, top, right, bottom = window
    begin = tuple((x - left, y - top) for x, y in outline)
    # The sides of the window are not always whole pixels: after two operations they are fractions.
    inside = shapes.clipped(begin, right - left, bottom - top)
    return tuple((x + left, y + top) for x, y in inside)


def _mapped(points: Polygon, affine: Affine) -> Polygon:
    return tuple(affine.point(x, y) for x, y in points)


def _lists(points: Polygon) -> list[list[float]]:
    return [[round(x, _DIGITS), round(y, _DIGITS)] for x, y in points]


def _rounded(box: Sides) -> list[float]:
    return [round(side, _DIGITS) for side in box]
