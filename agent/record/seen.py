"""What the model saw in a frame, in a few words."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.printable import printable

SHOWN = 4
"""Detections or classes that are named."""

_LABEL_LENGTH = 40  # characters


def is_sure(detection: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether a detection or a class reaches its threshold."""
    thresholds = record["thresholds"]
    threshold = thresholds["labels"].get(detection["label"], thresholds["default"])
    return bool(detection["confidence"] >= threshold)


def seen_words(record: Mapping[str, Any]) -> str:
    """Return what the model reported at or above the thresholds, or the best classes."""
    if "classes" in record:
        found: Sequence[Mapping[str, Any]] = record["classes"]
    else:
        found = [each for each in record["detections"] if is_sure(each, record)]
    if not found:
        return "no detections"
    words = ", ".join(
        f"{printable(each['label'], _LABEL_LENGTH)} {each['confidence']:.2f}"
        for each in found[:SHOWN]
    )
    return f"{words}, {len(found) - SHOWN} more" if len(found) > SHOWN else words
