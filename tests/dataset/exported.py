"""Dataset folders to export: captures at known times, with images of their own."""

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np

from agent.dataset.folder import Dataset
from agent.dataset.reviewed import ReviewedDataset
from agent.dataset.reviews import review_line
from agent.domain import Lane, StoredCapture, VerdictKind
from agent.files import Disk
from agent.record.timestamp import timestamp
from tests.fakes.captures import CAR, RANDOM_SLOT, capture_id, classified, stored_capture
from tests.fakes.clock import WALL

LABELS = ["person", "bus", "car"]

TRIANGLE = {**CAR, "polygon": [[10, 20], [110, 20], [60, 70]]}
DIAMOND = {**CAR, "box": [10, 10, 90, 90], "corners": [[50, 10], [90, 50], [50, 90], [10, 50]]}
POSE = {**CAR, "keypoints": [[20 + n, 30 + n, 0.3 * (n % 3)] for n in range(17)]}


def jpeg(number: int) -> bytes:
    """A real image of 200 x 100 pixels that differs from those of other numbers."""
    pixels = np.full((100, 200, 3), number % 200, np.uint8)
    cv2.putText(pixels, str(number), (20, 60), cv2.FONT_HERSHEY_PLAIN, 3, (255, 255, 255))
    return bytes(cv2.imencode(".jpg", pixels)[1].tobytes())


def timed(
    number: int, at: float, *, lane: Lane = Lane.SCORE, task: str = "detect", **changes: Any
) -> StoredCapture:
    """A capture so many seconds after a fixed time, by a clock that is right."""
    model = {"name": "m", "sha256": "ab", "task": task, "provider": "cpu", "labels": LABELS}
    return stored_capture(
        number,
        jpeg(number),
        **{
            "captured_at": timestamp(WALL + at),
            "clock_synchronized": True,
            "boot_id": "one",
            "monotonic_ns": int((1000 + at) * 1e9),
            "lane": lane.value,
            "sampling": RANDOM_SLOT if lane is Lane.RANDOM else None,
            "model": {**model, **({"keypoints": 17} if task == "pose" else {})},
            **changes,
        },
    )


def of_class(number: int, at: float, label: str) -> StoredCapture:
    """A capture of a classifier at a time."""
    image = jpeg(number)
    made = classified(number, (label, 0.9))
    clock = {name: timed(number, at).record[name] for name in ("captured_at", "image")}
    record = {**made.record, **clock, "clock_synchronized": True}
    return dataclasses.replace(
        made, record=record, record_json=json.dumps(record).encode(), image=image
    )


def dataset(folder: Path, captures: Sequence[StoredCapture], *reviews: dict[str, Any]) -> Path:
    """A dataset folder with captures and reviews; no power is cut meanwhile."""
    with mock.patch("os.fsync"):
        stored = Dataset(folder, Disk())
        for each in captures:
            stored.store(each.record_json, each.image, each.clip)
        ReviewedDataset(folder, Disk()).add(reviews)
    return folder


def review(number: int, kind: VerdictKind = VerdictKind.RIGHT, **more: Any) -> dict[str, Any]:
    return review_line(capture_id(number), kind, at=WALL, by="ann", **more)


def hours(
    count: int,
    *,
    detections: Sequence[dict[str, Any]] = (CAR,),
    task: str = "detect",
    every: float = 240.0,
) -> list[StoredCapture]:
    """Captures of one camera, of which each fifth is a random one."""
    return [
        timed(
            number,
            number * every,
            lane=Lane.SCORE if number % 5 else Lane.RANDOM,
            task=task,
            detections=list(detections),
        )
        for number in range(count)
    ]


def spoil(image: Path, damage: str) -> None:
    """Replace an image by something that its record does not describe."""
    data = image.read_bytes()
    image.unlink()
    if damage == "truncated":
        image.write_bytes(data[:-1])
    elif damage == "other":
        image.write_bytes(bytes(len(data)))
    elif damage == "fifo":
        os.mkfifo(image)
    elif damage == "device":
        image.symlink_to("/dev/zero")
    elif damage == "folder":
        image.mkdir()
