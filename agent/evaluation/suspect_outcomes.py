"""Whether the suspects of a reviewed capture were failures.

A suspect is a place where the model was probably wrong; a review tells whether it was. Which side
of its threshold the suspect was on says what was in doubt: above it the detection may be false,
below it, or without a detection, an object may be missed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.dataset.annotations.model_boxes import detected_boxes
from agent.domain import Box
from agent.evaluation.box_matching import MATCH_IOU, FrameMatch, box_iou, match_boxes, share_inside
from agent.evaluation.limits import limits_of
from agent.evaluation.truth import FrameTruth
from agent.selection.feedback import Side

_SAME_PLACE_IOU = 0.9
"""A suspect has the box of its detection; rounding may move it a little."""

_MOST_SIDE = 1e9  # pixels; a box of a record beyond it is none


@dataclass(frozen=True, slots=True)
class SuspectOutcome:
    """A suspect of a record, and what came of it."""

    rule: str
    side: Side
    label: str  # empty for none
    p: float  # as recorded, 0 to 1
    prior: float  # the p before feedback changed it
    is_failure: bool | None
    """None: the frame has a failure, but nobody said where; share it out over its suspects."""
    box: Box | None = None  # pixels of the stored image; None for the whole frame
    track: int | None = None  # number of its object in the life of the process


def suspect_outcomes(record: Mapping[str, Any], truth: FrameTruth) -> list[SuspectOutcome]:
    """Return the outcome of each suspect in a checked record that was reviewed.

    - The whole frame was a failure if anything in it is; of a classifier, if its class is wrong.
    - A detection at or above its threshold was one if no object matches it (IoU of at least 0.5
      and the same label).
    - A detection below it, or a place without one, was one if an object that no reported detection
      matches lies there: with an IoU of at least 0.5, whatever its label; or, for a region without
      a label, with at least half of it inside.
    """
    stated = record.get("suspects")
    suspects = [
        each
        for each in (stated if isinstance(stated, list) else ())
        if isinstance(each, dict) and isinstance(each.get("rule"), str)
    ]
    frame = None
    if suspects and truth.has_failure and truth.objects is not None and "detections" in record:
        frame = _Frame.of(record, truth.objects)
    return [_outcome(suspect, record, truth, frame) for suspect in suspects]


def failed_places(record: Mapping[str, Any], truth: FrameTruth) -> list[tuple[Box, Side]]:
    """Return all that is wrong in a detector's capture: false boxes (above) and missed objects.

    Empty where the objects are unknown.
    """
    if truth.objects is None or "detections" not in record:
        return []
    frame = _Frame.of(record, truth.objects)
    false = [record["detections"][frame.detections[place]]["box"] for place in frame.match.wrong]
    missed = [frame.objects[place].box for place in frame.match.missed]
    return [(Box(*box), Side.ABOVE) for box in false] + [(box, Side.BELOW) for box in missed]


@dataclass(frozen=True, slots=True)
class _Frame:
    """The detections at or above their thresholds, matched with the objects."""

    detections: Sequence[int]  # of `match.right` and `match.wrong`, the places in the record
    objects: Sequence[AnnotatedBox]
    match: FrameMatch

    @classmethod
    def of(cls, record: Mapping[str, Any], objects: Sequence[AnnotatedBox]) -> "_Frame":
        limits = limits_of(record)
        sure = [n for n, each in enumerate(record["detections"]) if limits.is_reached(each)]
        boxes = detected_boxes(record, objects)
        return cls(sure, objects, match_boxes([boxes[number] for number in sure], objects))

    def is_wrong(self, detection: int) -> bool:
        return any(self.detections[place] == detection for place in self.match.wrong)

    def has_missed(self, place: Box, *, is_region: bool) -> bool:
        return any(
            box_iou(self.objects[missed].box, place) >= MATCH_IOU
            or (is_region and share_inside(self.objects[missed].box, place) >= MATCH_IOU)
            for missed in self.match.missed
        )


def side_of(suspect: Mapping[str, Any], record: Mapping[str, Any]) -> Side:
    """Return the side of the threshold on which a suspect of a checked record was."""
    return _place(suspect, record)[0]


def _place(
    suspect: Mapping[str, Any], record: Mapping[str, Any]
) -> tuple[Side, Box | None, int | None]:
    """Return side and box of a suspect, and the place in the record of its own detection."""
    box = _box(suspect)
    if box is None:
        return Side.FRAME, None, None
    detection = _detection(suspect, box, record)
    is_above = detection is not None and limits_of(record).is_reached(
        record["detections"][detection]
    )
    return (Side.ABOVE if is_above else Side.BELOW), box, detection


def _outcome(
    suspect: Mapping[str, Any],
    record: Mapping[str, Any],
    truth: FrameTruth,
    frame: _Frame | None,
) -> SuspectOutcome:
    side, box, detection = _place(suspect, record)
    is_failure: bool | None
    if box is None or not truth.has_failure:
        is_failure = truth.has_failure
    elif frame is None:
        is_failure = None
    elif side is Side.ABOVE:
        is_failure = detection is not None and frame.is_wrong(detection)
    else:
        is_failure = frame.has_missed(box, is_region=not suspect.get("label"))
    p = _probability(suspect.get("p"))
    prior, track = suspect.get("prior"), suspect.get("track")
    return SuspectOutcome(
        str(suspect["rule"]),
        side,
        str(suspect.get("label") or ""),
        p,
        p if prior is None else _probability(prior),
        is_failure,
        box,
        track if isinstance(track, int) else None,
    )


def _detection(suspect: Mapping[str, Any], place: Box, record: Mapping[str, Any]) -> int | None:
    """Return the place in the record of the suspect's own detection; None if it has none."""
    for number, each in enumerate(record.get("detections", ())):
        if each["box"] == suspect["box"] and each["label"] == suspect.get("label"):
            return number
    found = [
        (box_iou(place, Box(*each["box"])), each["confidence"], number)
        for number, each in enumerate(record.get("detections", ()))
        if each["label"] == suspect.get("label")
    ]
    best = max(found, default=(0.0, 0.0, 0))
    return best[2] if best[0] >= _SAME_PLACE_IOU else None


def _box(suspect: Mapping[str, Any]) -> Box | None:
    """Return the box of a suspect; None for the whole frame, or where it is not a box."""
    box = suspect.get("box")
    if not isinstance(box, list) or len(box) != 4:  # noqa: PLR2004
        return None
    if not all(_is_number(side) and abs(side) <= _MOST_SIDE for side in box):
        return None
    return Box(*(float(side) for side in box))


def _probability(value: object) -> float:
    return min(1.0, max(0.0, float(value))) if _is_number(value) else 0.0  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124
