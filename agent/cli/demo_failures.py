"""Counts the distinct failures of a model on a day of the drawn street, whose truth is known.

A failure is an object that the model misses, or a box where nothing of its label is. It is the same
failure until the model has been right about it for half a second; then it is another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.cli.street_day import FPS, StreetObject
from agent.dataset.annotations.boxes import AnnotatedBox
from agent.domain import Box, Detection
from agent.evaluation.box_matching import box_iou, match_boxes

_SAME_S = 0.5  # seconds without it after which a failure is another one
_CELL = 60.0  # pixels; false boxes whose centres are in one cell are at one place
_NEAR_IOU = 0.1  # from which a false box belongs to an object

Failure = tuple[str, str, int | tuple[int, int]]
"""Kind, label, and the object or cell that it is at."""


@dataclass(frozen=True, slots=True)
class DayFailures:
    """The distinct failures of a day, numbered."""

    of_frame: tuple[frozenset[int], ...]  # which of them each frame shows
    count: int

    def found(self, frames: Sequence[int]) -> list[int]:
        """Return how many are known after each of these frames was labelled, in this order."""
        known: set[int] = set()
        counts = []
        for frame in frames:
            known |= self.of_frame[frame]
            counts.append(len(known))
        return counts


def failures_of_day(
    detections: Sequence[Sequence[Detection]],
    objects: Sequence[Sequence[StreetObject]],
    *,
    threshold: float,
) -> DayFailures:
    """Number the failures of a day; both lists have one entry for each frame."""
    latest: dict[Failure, tuple[int, int]] = {}  # the latest frame, and the number
    count = 0
    of_frame = []
    for frame, (found, truth) in enumerate(zip(detections, objects, strict=True)):
        sure = [each for each in found if each.confidence >= threshold]
        here = set[int]()
        for failure in _failures(sure, truth):
            seen, number = latest.get(failure, (-FRAMES_APART - 1, 0))
            if frame - seen > FRAMES_APART:
                number, count = count, count + 1
            latest[failure] = (frame, number)
            here.add(number)
        of_frame.append(frozenset(here))
    return DayFailures(tuple(of_frame), count)


FRAMES_APART = round(_SAME_S * FPS)
"""Frames without a failure after which it is another one."""


def annotated(truth: Sequence[StreetObject]) -> list[AnnotatedBox]:
    """Return drawn objects in the form of boxes that a person gave."""
    return [AnnotatedBox(each.label, Box(*each.box)) for each in truth]


def _failures(sure: Sequence[Detection], truth: Sequence[StreetObject]) -> list[Failure]:
    boxes = annotated(truth)
    reported = [AnnotatedBox(each.label, each.box, each.confidence) for each in sure]
    match = match_boxes(reported, boxes)
    missed: list[Failure] = [
        ("missed", truth[place].label, truth[place].number) for place in sorted(match.missed)
    ]
    return missed + [
        ("false", reported[place].label, _place(reported[place].box, truth))
        for place in sorted(match.wrong)
    ]


def _place(box: Box, truth: Sequence[StreetObject]) -> int | tuple[int, int]:
    """Return the object that a false box is at, or else a cell of the image."""
    overlap, number = max(
        ((box_iou(box, Box(*each.box)), each.number) for each in truth), default=(0.0, 0)
    )
    if overlap > _NEAR_IOU:
        return number
    x, y = (box.x_min + box.x_max) / 2, (box.y_min + box.y_max) / 2
    return int(x / _CELL), int(y / _CELL)
