"""Whether two reviews of one capture say the same."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.dataset.reviews import Line

_SHAPES = ("polygon", "keypoints", "corners")
_NEAR = 0.5  # pixels; less than a person can mean


def says_the_same(line: Line, other: Line) -> bool:
    """Whether a line adds nothing to another one.

    A verdict without boxes adds nothing to the same verdict with boxes.
    """
    if line["verdict"] != other.get("verdict"):
        return False
    if line.get("labels") is not None and sorted(line["labels"]) != sorted(
        other.get("labels") or ()
    ):
        return False
    if line.get("note") and line["note"] != other.get("note"):
        return False
    boxes = line.get("boxes")
    return boxes is None or (other.get("boxes") is not None and _same(boxes, other["boxes"]))


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
