"""Builders of frames, detections, records and captures: one of each thing, for all tests.

What has the same number belongs together: `new_capture(3)`, `entry(3)` and `stored_capture(3)`
have the id `capture_id(3)`.
"""

import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np

from agent.domain import (
    Box,
    Capture,
    Detection,
    Frame,
    Lane,
    Observation,
    Pixels,
    Polygon,
    RuleHit,
    SpoolEntry,
    StoredCapture,
    Verdict,
    VerdictKind,
)
from agent.record.verdicts import verdict_line
from agent.spool.types import NewCapture
from tests.fakes.clock import WALL

FIRST_CAPTURE_MS = 1_700_000_000_000
"""Time in the ids of captures: of number 0, in milliseconds since 1970 UTC."""

CAR = {"label": "car", "class_id": 2, "confidence": 0.9, "box": [10.0, 20.0, 110.0, 70.0]}
"""A detection as it is in a record."""

SUSPECT = {"rule": "low_confidence", "label": "car", "track": 3, "box": CAR["box"], "p": 0.5}
"""A suspect as it is in a record."""

RANDOM_SLOT = {"slot_start": 0.0, "slot_seconds": 60.0, "weight": 60.0}
"""The field `sampling` of a random capture."""


class Outline:
    """A mask that counts how often its outline is computed."""

    asked = 0

    def polygon(self) -> Polygon:
        self.asked += 1
        return ((1.0, 1.0), (5.0, 1.0), (5.0, 3.0))


def capture_id(number: int, tag: int | None = None) -> str:
    """Return the UUID (version 7) of a capture.

    Captures are one millisecond apart. `tag` is the 48-bit random tag; by default each number has
    another one, spread evenly.
    """
    if tag is None:
        tag = number * 0x9E37_79B9_7F4A % 2**48
    bits = (FIRST_CAPTURE_MS + number) << 80 | 7 << 76 | (number & 0xFFF) << 64 | 2 << 62
    text = f"{bits | (number & 0x3FFF) << 48 | tag:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def said(number: int, kind: VerdictKind = VerdictKind.WRONG, **more: Any) -> dict[str, Any]:
    """Return a verdict on the capture of this number, as it is in a record."""
    return verdict_line(Verdict(kind, "gate", WALL, WALL + 3, capture_id(number), **more))


def frame(
    at: float | None = None,
    *,
    camera: str = "gate",
    sequence: int = 0,
    stream: str = "boot",
    pixels: Pixels | None = None,
) -> Frame:
    """Return a frame of one camera.

    Args:
        at: monotonic time, in seconds; the sequence by default.
        camera: name of the camera.
        sequence: number of the frame.
        stream: what the time belongs to.
        pixels: by default 4 x 6 pixels whose values are the sequence.
    """
    time = float(sequence) if at is None else at
    if pixels is None:
        pixels = np.full((4, 6, 3), sequence % 256, np.uint8)
    return Frame(
        camera=camera,
        sequence=sequence,
        pixels=pixels,
        at=time,
        captured_at=WALL + time,
        monotonic_ns=int(time * 1e9),
        stream=stream,
    )


def observed_pixels(pixels: Pixels, *detections: Detection) -> Observation:
    """Return a frame of these pixels and what the model sees in it."""
    return Observation(frame(pixels=pixels), detections)


def detection(confidence: float, label: str = "car") -> Detection:
    return Detection(label, 0, confidence, Box(0.0, 0.0, 2.0, 2.0))


def observation(at: float, *confidences: float) -> Observation:
    return Observation(frame(at), tuple(detection(each) for each in confidences))


def capture(
    number: int = 0,
    *,
    lane: Lane = Lane.SCORE,
    value: float = 0.5,
    replaces: str | None = None,
) -> Capture:
    """Return a capture with its frame, as the selection makes it."""
    seen = Observation(frame(sequence=number), (detection(0.4),))
    rules = (RuleHit("low_confidence", 0.5),) if lane is Lane.SCORE else ()
    return Capture(seen, lane, rules, value, id=capture_id(number), replaces=replaces)


def record_of(number: int, image: bytes, **changes: Any) -> dict[str, Any]:
    """Return the record of a capture with `image`; `changes` replace fields."""
    return {
        "schema": 2,
        "id": capture_id(number),
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
        "suspects": [SUSPECT],
        "value": 0.75,
        "sampling": None,
        **changes,
    }


def clip_field(*images: bytes) -> dict[str, Any]:
    """Return the field `clip` of a record whose clip has these images, 0.2 s apart."""
    data = b"".join(images)
    last = len(images) - 1
    return {
        "media_type": "image/jpeg",
        "width": 64,
        "height": 36,
        "lead": round(0.2 * last, 3),
        "tail": 0.0,
        "dropped": 0,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "frames": [
            {"at": round(0.2 * (place - last), 3), "bytes": len(image)}
            for place, image in enumerate(images)
        ],
    }


def new_capture(
    number: int,
    *,
    lane: Lane = Lane.SCORE,
    value: float = 0.5,
    size: int = 3000,
    tag: int | None = None,
    hint: str = "",
    clip: tuple[bytes, ...] = (),
) -> NewCapture:
    """Return a capture to put into a spool; `size` is the length of its image in bytes.

    `clip` are the images of its clip.
    """
    identity = capture_id(number, tag)
    image = bytes([number % 256]) * size
    sampling = RANDOM_SLOT if lane is Lane.RANDOM else None
    record = record_of(number, image, id=identity, lane=lane.value, value=value, sampling=sampling)
    if clip:
        record["clip"] = clip_field(*clip)
    return NewCapture(identity, lane, value, record, image, hint, clip=b"".join(clip))


def entry(
    number: int,
    *,
    lane: Lane = Lane.SCORE,
    value: float = 0.5,
    size: int = 3000,
    tag: int | None = None,
) -> SpoolEntry:
    """Return the entry that a spool has of a capture."""
    return SpoolEntry(capture_id(number, tag), lane, value, number, size)


def stored_capture(number: int, image: bytes | None = None, **changes: Any) -> StoredCapture:
    """Return a capture as a spool returns it; `changes` replace fields of its record."""
    data = image if image is not None else b"\xff\xd8 image %d \xff\xd9" % number
    return _stored(record_of(number, data, **changes), data)


def with_clip(number: int, *images: bytes) -> StoredCapture:
    """Return a capture with a clip of these images, as a spool returns it."""
    made = stored_capture(number, clip=clip_field(*images))
    return replace(made, clip=b"".join(images))


def classified(number: int, *classes: tuple[str, float]) -> StoredCapture:
    """Return a capture of a classifier: label and confidence of its best classes."""
    named = [
        {"label": label, "class_id": place, "confidence": confidence}
        for place, (label, confidence) in enumerate(classes)
    ]
    made = stored_capture(number, classes=named)
    record = {name: value for name, value in made.record.items() if name != "detections"}
    return _stored(record, made.image)


def of_first_schema(number: int) -> StoredCapture:
    """Return a capture whose record an older version made: schema 1, without suspects."""
    made = stored_capture(number, schema=1)
    record = {name: value for name, value in made.record.items() if name != "suspects"}
    return _stored(record, made.image)


def _stored(record: dict[str, Any], image: bytes) -> StoredCapture:
    return StoredCapture(record["id"], json.dumps(record).encode(), record, image)
