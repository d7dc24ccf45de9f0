"""Datasets of each layout for the tests of the health check."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.dataset.health.check import HealthTerms, measured_health
from agent.dataset.health.report import Health
from agent.dataset.health.subject import Problem
from tests.fakes.captures import capture_id, record_of

NOW = 1_780_000_000.0
SIZE = 200, 100
Row = tuple[int, float, float, float, float]  # class, centre and size as shares


def drawn(seed: int, width: int = SIZE[0], height: int = SIZE[1], level: int = 128) -> bytes:
    """Return a JPEG of blocks that no other seed has."""
    blocks = np.random.default_rng(seed).integers(0, 256, (9, 16, 3))
    pixels = cv2.resize(blocks.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return encoded((pixels * (level / 128)).clip(0, 255).astype(np.uint8))


def encoded(pixels: Any, suffix: str = ".jpg") -> bytes:
    return bytes(cv2.imencode(suffix, pixels)[1])


def captured(
    folder: Path, number: int, jpeg: bytes | None, boxes: Sequence[Any] = (), **changes: Any
) -> str:
    """Write a capture with detections of (label, box in pixels); return its id."""
    for name in ("images", "records"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    record = record_of(
        number,
        jpeg or b"",
        **{
            "suspects": [],
            "thresholds": {"default": 0.5, "labels": {}, "floor": 0.05},
            "detections": [
                {"label": label, "class_id": 0, "confidence": 0.9, "box": list(box)}
                for label, box in boxes
            ],
            **changes,
        },
    )
    name = capture_id(number)
    if jpeg is not None:
        (folder / "images" / f"{name}.jpg").write_bytes(jpeg)
    (folder / "records" / f"{name}.json").write_text(json.dumps(record))
    return name


def yolo(
    folder: Path, splits: Mapping[str, Sequence[tuple[bytes, Sequence[Row] | None]]], *names: str
) -> Path:
    """Write a YOLO dataset: of each split the images with their rows; None = no label file."""
    for split, images in splits.items():
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for number, (image, rows) in enumerate(images):
            (folder / "images" / split / f"{number:03}.jpg").write_bytes(image)
            if rows is not None:
                text = "".join(" ".join(map(str, row)) + "\n" for row in rows)
                (folder / "labels" / split / f"{number:03}.txt").write_text(text)
    lines = [f"{split}: images/{split}" for split in splits]
    (folder / "data.yaml").write_text("\n".join([*lines, f"names: {json.dumps(names)}", ""]))
    return folder


def health_in(folder: Path, **more: Any) -> Health:
    return measured_health(folder, now=NOW, agent="1", terms=HealthTerms(), **more)


def report_on(folder: Path) -> dict[str, Any]:
    return health_in(folder).report


def kinds(report: Mapping[str, Any]) -> dict[str, int]:
    problems: Mapping[str, int] = report["problems"]
    return {str(kind): count for kind, count in problems.items()}


def wrong(problems: Sequence[Problem]) -> list[str]:
    return [problem.kind.value for problem in problems]
