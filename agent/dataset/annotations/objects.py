"""Objects of a review, in the form of a record's `detections`."""

from collections.abc import Mapping
from typing import Any

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.dataset.annotations.comparison import Comparison, shape_of
from agent.dataset.classes import labels_of_model
from agent.domain import Task
from agent.record.shapes import clipped, corners_of, keypoints_of, polygon_of, task_of, within

_DIGITS = 2  # of positions in pixels, as records have them
_FIELDS = ("label", "class_id", "box", "polygon", "keypoints", "corners")


def objects_of_comparison(record: Mapping[str, Any], found: Comparison) -> list[dict[str, Any]]:
    """Return all objects of an image after its correction.

    An object that nobody changed keeps what the model said of it: tools round, and some have no
    place for an outline. Raises `ValueError` for a box outside of the image.
    """
    kept = [_kept(record, theirs, mine) for theirs, mine in (*found.same, *found.raised)]
    return kept + [object_of(record, each) for each in found.added]


def object_of(record: Mapping[str, Any], box: AnnotatedBox) -> dict[str, Any]:
    """Return an object that a person drew, cut at the edges of the image.

    Raises `ValueError` if nothing of it is inside.
    """
    width, height = record["image"]["width"], record["image"]["height"]
    (left, top), (right, bottom) = within(
        ((box.box.x_min, box.box.y_min), (box.box.x_max, box.box.y_max)), width, height
    )
    sides = [round(side, _DIGITS) for side in (left, top, right, bottom)]
    if sides[2] <= sides[0] or sides[3] <= sides[1]:
        raise ValueError(f"a box of '{box.label}' has no area inside of the image")
    made: dict[str, Any] = {"label": box.label}
    labels = labels_of_model(record)
    if box.label in labels:
        made["class_id"] = labels.index(box.label)
    return {**made, "box": sides, **_shapes(record, box)}


def _kept(
    record: Mapping[str, Any], theirs: AnnotatedBox, mine: Mapping[str, Any]
) -> dict[str, Any]:
    width, height = record["image"]["width"], record["image"]["height"]
    made = {name: mine[name] for name in _FIELDS if mine.get(name) is not None}
    for name, valid in (("polygon", polygon_of), ("corners", corners_of)):
        if name in made and not valid(mine, width, height):
            del made[name]
    if "keypoints" in made and not keypoints_of(mine, width, height):
        del made["keypoints"]
    return {**_shapes(record, theirs), **made}


def _shapes(record: Mapping[str, Any], box: AnnotatedBox) -> dict[str, Any]:
    """Return the polygon, the corners and the keypoints that a source has of an object."""
    width, height = record["image"]["width"], record["image"]["height"]
    outline, made = shape_of(box), dict[str, Any]()
    is_rotated = bool(box.corners) or (task_of(record) is Task.OBB and len(outline) == 4)  # noqa: PLR2004
    if outline and is_rotated:
        made["corners"] = [[round(x, _DIGITS), round(y, _DIGITS)] for x, y in outline]
    elif outline:
        inside = clipped(outline, width, height)
        if inside:
            made["polygon"] = [[round(x, _DIGITS), round(y, _DIGITS)] for x, y in inside]
    if box.keypoints:
        made["keypoints"] = [
            [round(x, _DIGITS), round(y, _DIGITS), round(seen, 4)] for x, y, seen in box.keypoints
        ]
    return made
