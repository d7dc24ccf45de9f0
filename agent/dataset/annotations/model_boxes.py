"""The model's own boxes of a capture, and whether a person changed them."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.domain import Box
from agent.record.shapes import bounds, within
from agent.record.summary import confident, labelled_box, sides

_SAME = 0.01  # of the side of the image; tools round the numbers of a box


def is_untouched(record: Mapping[str, Any], boxes: Sequence[AnnotatedBox]) -> bool:
    """Whether the boxes are those that the model reported at or above its thresholds.

    Of outlines and rotated boxes: whether they, or their bounds, are.
    """
    return _are_same(record, _reported(record), boxes) or (
        any(box.is_bounds for box in boxes) and _are_same(record, _reported_bounds(record), boxes)
    )


def _are_same(
    record: Mapping[str, Any], reported: Sequence[AnnotatedBox], boxes: Sequence[AnnotatedBox]
) -> bool:
    width, height = record["image"]["width"], record["image"]["height"]
    return len(reported) == len(boxes) and all(
        mine.label == theirs.label and _is_same_place(mine.box, theirs.box, width, height)
        for mine, theirs in zip(
            sorted(reported, key=_place), sorted(boxes, key=_place), strict=True
        )
    )


def compared_boxes(record: Mapping[str, Any], truth: Sequence[AnnotatedBox]) -> list[AnnotatedBox]:
    """Return what the application acted on: detections at or above their threshold.

    Where people drew outlines, it is the bounds of the model's outlines: its boxes can be larger.
    """
    is_by_bounds = any(each.is_bounds for each in truth)
    return _reported_bounds(record) if is_by_bounds else _reported(record)


def detected_boxes(record: Mapping[str, Any], truth: Sequence[AnnotatedBox]) -> list[AnnotatedBox]:
    """Return all detections of a checked record, down to its floor and in its order.

    Where people drew outlines, it is the bounds of the model's outlines, as in `compared_boxes`.
    """
    is_by_bounds = any(each.is_bounds for each in truth)
    width, height = record["image"]["width"], record["image"]["height"]
    found = []
    for each in record.get("detections", ()):
        place = each["box"]  # four numbers: the record is checked
        box = labelled_box(each, width, height) if is_by_bounds else None
        if box is not None:
            place = bounds(box.polygon or within(box.corners, width, height) or box.rectangle)
        found.append(AnnotatedBox(each["label"], Box(*place), each["confidence"]))
    return found


def _reported(record: Mapping[str, Any]) -> list[AnnotatedBox]:
    return [
        AnnotatedBox(each["label"], Box(*sides(each)), each["confidence"])
        for each in confident(record)
    ]


def _reported_bounds(record: Mapping[str, Any]) -> list[AnnotatedBox]:
    width, height = record["image"]["width"], record["image"]["height"]
    found = []
    for each in confident(record):
        box = labelled_box(each, width, height)
        if box is not None:
            outline = box.polygon or within(box.corners, width, height) or box.rectangle
            found.append(AnnotatedBox(box.label, Box(*bounds(outline)), box.confidence))
    return found


def _place(each: AnnotatedBox) -> tuple[str, int, int, int, int]:
    box = each.box
    corners = (box.x_min, box.y_min, box.x_max, box.y_max)
    left, top, right, bottom = (round(side) for side in corners)
    return each.label, left, top, right, bottom


def _is_same_place(mine: Box, theirs: Box, width: int, height: int) -> bool:
    """Whether two boxes differ by rounding alone; the model's may be cut at the edges."""
    cut = Box(
        min(max(mine.x_min, 0.0), width),
        min(max(mine.y_min, 0.0), height),
        min(max(mine.x_max, 0.0), width),
        min(max(mine.y_max, 0.0), height),
    )
    return (
        max(abs(cut.x_min - theirs.x_min), abs(cut.x_max - theirs.x_max)) <= _SAME * width
        and max(abs(cut.y_min - theirs.y_min), abs(cut.y_max - theirs.y_max)) <= _SAME * height
    )
