"""A dataset folder of drawn images, some of them reviewed."""

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.dataset.folder import Dataset
from agent.dataset.reviewed import ReviewedDataset
from agent.dataset.reviews import review_line
from agent.domain import Pixels, VerdictKind
from agent.files import Disk
from tests.fakes.captures import capture_id, classified, stored_capture
from tests.fakes.clock import WALL

WIDTH, HEIGHT = 200, 100
QUALITY = 80


def car(left: float, top: float, right: float, bottom: float, label: str = "car") -> dict[str, Any]:
    return {"label": label, "class_id": 2, "confidence": 0.9, "box": [left, top, right, bottom]}


def drawn(number: int, level: int = 120) -> Pixels:
    """An image with its own texture, so that no two are near-duplicates."""
    random = np.random.default_rng(number)
    blocks = random.integers(-40, 40, (10, 20, 3)) + level
    pixels = cv2.resize(np.clip(blocks, 0, 255).astype(np.uint8), (WIDTH, HEIGHT))
    return np.asarray(pixels, np.uint8)


def jpeg(pixels: Pixels, quality: int = QUALITY) -> bytes:
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def add(folder: Path, number: int, review: str | None = "right", **record: Any) -> None:
    """Store a capture and review it; by default it shows one car in the middle."""
    level = record.pop("level", 120)
    boxes = record.pop("boxes", None)
    record.setdefault("detections", [car(80, 40, 120, 60)])
    made = stored_capture(number, jpeg(drawn(number, level)), **record)
    Dataset(folder, Disk()).store(made.record_json, made.image)
    if review is not None:
        kind = VerdictKind(review)
        line = review_line(capture_id(number), kind, at=WALL, by="ann", boxes=boxes)
        ReviewedDataset(folder, Disk()).add([line])


def add_classified(folder: Path, number: int, label: str) -> None:
    """Store a classifier's capture, which a person gave another class."""
    image = jpeg(drawn(number))
    record = dict(classified(number, ("rust", 0.9)).record)
    record["image"] |= {"sha256": hashlib.sha256(image).hexdigest(), "bytes": len(image)}
    Dataset(folder, Disk()).store(json.dumps(record).encode(), image)
    line = review_line(capture_id(number), VerdictKind.WRONG, at=WALL, by="ann", labels=[label])
    ReviewedDataset(folder, Disk()).add([line])
