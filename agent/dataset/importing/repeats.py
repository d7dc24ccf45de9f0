"""Whether a review of a capture says what is known already."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.dataset.annotations.comparison import compare
from agent.dataset.importing.said import Said
from agent.dataset.reviews import Line, Objects, given_objects

_SHAPES = ("polygon", "keypoints", "corners")
_NEAR = 0.5  # pixels; less than a person can mean


def says_the_same(line: Line, other: Line) -> bool:
    """Whether a line adds nothing to another one.

    A verdict without boxes adds nothing to the same verdict with boxes.
    """
    if line["verdict"] != other.get("verdict"):
        return False
    if line.get("note") and line["note"] != other.get("note"):
        return False
    if line.get("boxes") is not None:
        has_boxes = other.get("boxes") is not None
        return has_boxes and _same(given_objects(line), given_objects(other))
    labels = line.get("labels")
    return labels is None or sorted(labels) == sorted(other.get("labels") or ())


def shows_the_truth(said: Said, record: Mapping[str, Any], truth: Objects, grain: float) -> bool:
    """Whether the objects or classes that a tool shows are those of the standing review.

    A verdict or a note that comes with them is more than they are. `grain` is as in `compare`.
    """
    if said.verdict is not None or said.note:
        return False
    if "classes" in record:
        known = truth.classes
        return known is not None and sorted(known) == sorted(said.labels or ())
    if said.boxes is None or truth.objects is None:
        return False
    drawn = [replace(each, is_crowd=False) for each in said.boxes]
    detections = [{**each, "confidence": 1.0} for each in truth.objects]
    found = compare({**record, "thresholds": {}, "detections": detections}, drawn, grain)
    return not found.added and not found.removed


def _same(boxes: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> bool:
    if len(boxes) != len(others):
        return False
    free = list(others)
    for box in boxes:
        match = next((each for each in free if _is_same(box, each)), None)
        if match is None:
            return False
        free.remove(match)
    return True


def _is_same(box: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (
        box["label"] == other["label"]
        and bool(box.get("iscrowd")) == bool(other.get("iscrowd"))
        and all(abs(a - b) <= _NEAR for a, b in zip(box["box"], other["box"], strict=True))
        and all((box.get(name) or None) == (other.get(name) or None) for name in _SHAPES)
    )
