"""Captures as the spool hands them out, and clocks, for the tests of this folder."""

import hashlib
import json
from typing import Any
from uuid import UUID

from agent.domain import StoredCapture

CAR = {"label": "car", "class_id": 2, "confidence": 0.9, "box": [10.0, 20.0, 110.0, 70.0]}


def identity(number: int) -> str:
    return str(UUID(int=0x0190_0000_0000_7000_8000_0000_0000_0000 + number))


def record_of(number: int, image: bytes, **changes: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "id": identity(number),
        "device": "test",
        "camera": "gate",
        "captured_at": "2026-05-28T20:26:40.000Z",
        "image": {
            "width": 200,
            "height": 100,
            "media_type": "image/jpeg",
            "bytes": len(image),
            "sha256": hashlib.sha256(image).hexdigest(),
        },
        "thresholds": {"default": 0.5, "labels": {"person": 0.8}, "floor": 0.05},
        "model": {"name": "nanodet-g-416", "sha256": "ab", "task": "detect", "provider": "cpu"},
        "detections": [CAR],
        "lane": "score",
        "rules": [{"name": "low_confidence", "score": 0.5}, {"name": "flicker", "score": 0.2}],
        "value": 0.75,
        "sampling": None,
        **changes,
    }


def classified(number: int, *classes: tuple[str, float]) -> StoredCapture:
    """A capture of a classifier: label and confidence of its best classes."""
    named = [
        {"label": label, "class_id": place, "confidence": sure}
        for place, (label, sure) in enumerate(classes)
    ]
    made = capture(number, classes=named)
    record = {name: value for name, value in made.record.items() if name != "detections"}
    return StoredCapture(made.id, json.dumps(record).encode(), record, made.image)


def capture(number: int, image: bytes | None = None, **changes: Any) -> StoredCapture:
    data = image if image is not None else b"\xff\xd8 image %d \xff\xd9" % number
    record = record_of(number, data, **changes)
    return StoredCapture(record["id"], json.dumps(record).encode(), record, data)
