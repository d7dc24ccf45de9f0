"""What the model saw in a frame, and what people said of it, in a few words."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.printable import printable
from agent.record.verdicts import own_verdicts

SHOWN = 4
"""Detections or classes that are named."""

_LABEL_LENGTH = 40  # characters
_SAID_LENGTH = 80


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


def said_words(record: Mapping[str, Any]) -> str:
    """Return the verdicts on a capture and its note, such as `wrong by ann: no car`; else empty."""
    said = []
    for line in own_verdicts(record):
        by = f" by {line['by']}" if line.get("by") else ""
        why = f": {line['note']}" if line.get("note") else ""
        said.append(f"{line['verdict']}{by}{why}")
    note = record.get("note")
    if note and not any(note == line.get("note") for line in own_verdicts(record)):
        said.append(f"note: {note}")
    return printable("; ".join(said).replace("\n", " "), _SAID_LENGTH)
