"""What a review says of one capture: whether the model failed, and which objects are there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.dataset.annotations.model_boxes import detected_boxes
from agent.dataset.reviews import Review, objects_of
from agent.domain import Box
from agent.evaluation.box_matching import match_boxes
from agent.evaluation.limits import limits_of
from agent.record.shapes import bounds, corners_of, polygon_of
from agent.record.summary import sides


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """What a review says of one capture."""

    has_failure: bool
    objects: Sequence[AnnotatedBox] | None = None  # None: unknown, or the model is a classifier
    classes: Sequence[str] | None = None  # of a classifier's capture; None: unknown
    is_confirmed: bool = False  # a person said "right": the objects are the model's own boxes
    right: int = 0  # reported boxes that are right, at the thresholds in use
    wrong: int = 0  # and wrong


@dataclass(frozen=True, slots=True)
class ReviewedFrame:
    """A capture with what a person said of it."""

    id: str
    record: Mapping[str, Any]
    truth: FrameTruth
    weight: float = 1.0  # seconds that it stands for


def truth_of_review(record: Mapping[str, Any], review: Review) -> FrameTruth | None:
    """Return what a review says of a checked record; None if the image cannot be judged.

    Boxes and classes that a person gave decide whether the frame has a failure, not the word
    beside them: a box that was moved by a pixel is right.
    """
    if not review.is_usable:
        return None
    if "classes" in record:
        return _truth_of_classes(record, review)
    if review.is_right and review.boxes is None:
        return truth_of_right(record)
    objects = objects_of(record, review).objects
    if objects is None:
        return FrameTruth(has_failure=True)
    image = record["image"]
    return truth_of_boxes(
        record, [_annotated(each, image["width"], image["height"]) for each in objects]
    )


def truth_of_boxes(record: Mapping[str, Any], objects: Sequence[AnnotatedBox]) -> FrameTruth:
    """Return the truth of a detector's record whose objects a person gave."""
    found = match_boxes(reported_boxes(record, objects), objects)
    return FrameTruth(
        has_failure=not found.is_perfect,
        objects=objects,
        right=len(found.right),
        wrong=len(found.wrong),
    )


def truth_of_right(record: Mapping[str, Any]) -> FrameTruth:
    """Return the truth of a record of which a person said that the model is right."""
    if "classes" in record:
        best = [str(each["label"]) for each in record["classes"][:1]]
        return FrameTruth(has_failure=False, classes=best)
    objects = reported_boxes(record)
    return FrameTruth(has_failure=False, objects=objects, is_confirmed=True, right=len(objects))


def reported_boxes(
    record: Mapping[str, Any], objects: Sequence[AnnotatedBox] = ()
) -> list[AnnotatedBox]:
    """Return what the application acted on: detections at or above their threshold.

    Boxes without an area are left out: no label is written for them either.
    """
    boxes, limits = detected_boxes(record, objects), limits_of(record)
    return [
        box
        for box, each in zip(boxes, record.get("detections", ()), strict=True)
        if limits.is_reached(each) and has_area(box)
    ]


def has_area(each: AnnotatedBox) -> bool:
    """Whether a box contains a point."""
    return each.box.x_max > each.box.x_min and each.box.y_max > each.box.y_min


def _truth_of_classes(record: Mapping[str, Any], review: Review) -> FrameTruth:
    best = record["classes"][:1]
    if review.labels is not None:
        is_right = bool(best) and best[0]["label"] in review.labels
        return FrameTruth(has_failure=not is_right, classes=review.labels)
    if review.is_right:
        return truth_of_right(record)
    return FrameTruth(has_failure=True)


def _annotated(each: Mapping[str, Any], width: int, height: int) -> AnnotatedBox:
    outline = polygon_of(each, width, height) or corners_of(each, width, height)
    place = bounds(outline) if outline else sides(each)
    return AnnotatedBox(
        each["label"],
        Box(*place),
        is_crowd=bool(each.get("iscrowd")),
        is_bounds=bool(outline or each.get("keypoints")),
    )
