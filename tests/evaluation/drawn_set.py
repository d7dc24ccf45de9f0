"""A dataset of drawn scenes with a simulated model of low confidences, and its reviews."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.dataset.reviews import review_line, review_text
from agent.domain import VerdictKind
from agent.record.timestamp import timestamp
from tests.fakes.captures import capture_id
from tests.fakes.clock import WALL

WIDTH, HEIGHT = 640, 360
SHAPES = {"car": (90, 45), "person": (24, 62), "bicycle": (50, 36)}
COLOURS = {"car": (70, 90, 200), "person": (60, 160, 90), "bicycle": (200, 130, 60)}
RECALL = {"car": 0.92, "person": 0.8, "bicycle": 0.6}


@dataclass(frozen=True, slots=True)
class DrawnSet:
    """What to draw; the same numbers give the same files."""

    captures: int = 60
    every_other: int = 3  # one of so many is of the lane `score`
    middle: float = 0.2  # confidence of a right detection, in the middle
    threshold: float = 0.5
    with_images: bool = False
    corrected: float = 1.0  # share of failing frames whose boxes the reviewer gave
    seed: int = 7

    def write(self, folder: Path) -> Path:
        """Write the dataset and return its folder."""
        random = np.random.default_rng(self.seed)
        for name in ("records", "images", "labels"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        names = "".join(f"  {n}: {label}\n" for n, label in enumerate(SHAPES))
        (folder / "data.yaml").write_text(f"names:\n{names}")
        lines = []
        noise = np.random.default_rng(0).normal(0, 4, (HEIGHT, WIDTH, 1))
        for number in range(self.captures):
            objects = self._objects(random)
            record = self._record(number, objects, random)
            (folder / f"records/{record['id']}.json").write_text(json.dumps(record))
            if self.with_images:
                drawn = _drawn(objects, noise)
                cv2.imwrite(str(folder / f"images/{record['id']}.jpg"), drawn)
            lines.append(self._review(number, record, objects, random))
        (folder / "verdicts.jsonl").write_text("".join(f"{line}\n" for line in lines))
        return folder

    def _objects(self, random: np.random.Generator) -> list[dict[str, Any]]:
        found = []
        for label, (width, height) in SHAPES.items():
            for _ in range(random.poisson({"car": 2.0, "person": 1.5, "bicycle": 0.5}[label])):
                scale = random.uniform(0.7, 1.3)
                x = random.uniform(0, WIDTH - width * scale)
                y = random.uniform(HEIGHT * 0.3, HEIGHT - height * scale)
                box = [x, y, x + width * scale, y + height * scale]
                found.append({"label": label, "box": [round(float(side), 2) for side in box]})
        return found

    def _record(
        self, number: int, objects: list[dict[str, Any]], random: np.random.Generator
    ) -> dict[str, Any]:
        detections = []
        for each in objects:
            if random.random() < RECALL[each["label"]]:
                moved = [side + float(random.normal(0, 2.5)) for side in each["box"]]
                detections.append(self._detection(each["label"], moved, random, is_right=True))
        for _ in range(random.poisson(1.2)):
            label = str(random.choice(list(SHAPES)))
            width, height = SHAPES[label]
            x, y = random.uniform(0, WIDTH - width), random.uniform(0, HEIGHT - height)
            box = [x, y, x + width, y + height]
            detections.append(self._detection(label, box, random, is_right=False))
        detections.sort(key=lambda each: -each["confidence"])
        is_random = number % self.every_other != 0
        identity = capture_id(number)
        suspects = [
            {"rule": "low_confidence", "label": each["label"], "track": n, "box": each["box"]}
            | {"p": 0.25}
            for n, each in enumerate(detections)
            if abs(each["confidence"] - self.middle) < 0.06
        ]
        suspects += [{"rule": "count_change", "label": "", "track": 1, "box": None, "p": 0.15}]
        return {
            "schema": 2,
            "id": identity,
            "camera": f"gate-{number % 2}",
            "captured_at": timestamp(WALL + 60 * number),
            "image": {"width": WIDTH, "height": HEIGHT}
            | {"bytes": 1, "sha256": hashlib.sha256(b"").hexdigest()},
            "model": {"name": "street-s", "sha256": "5" * 64, "task": "detect"}
            | {"labels": list(SHAPES)},
            "thresholds": {"default": self.threshold, "labels": {}, "floor": 0.05},
            "detections": detections,
            "lane": "random" if is_random else "score",
            "rules": [{"name": "low_confidence", "score": 0.25}],
            "suspects": [] if is_random else suspects,
            "sampling": {"slot_start": "", "slot_seconds": 60, "weight": 60.0 + number % 5}
            if is_random
            else None,
        }

    def _detection(
        self, label: str, box: list[float], random: np.random.Generator, *, is_right: bool
    ) -> dict[str, Any]:
        logit = np.log(self.middle / (1 - self.middle)) + random.normal(
            0.45 if is_right else -1, 0.6
        )
        confidence = min(0.99, max(0.05, 1 / (1 + float(np.exp(-logit)))))
        sides = [
            min(max(side, 0.0), float(limit))
            for side, limit in zip(box, (WIDTH, HEIGHT) * 2, strict=True)
        ]
        return {
            "label": label,
            "class_id": list(SHAPES).index(label),
            "confidence": round(confidence, 4),
            "box": [round(float(side), 2) for side in sides],
        }

    def _review(
        self,
        number: int,
        record: dict[str, Any],
        objects: list[dict[str, Any]],
        random: np.random.Generator,
    ) -> str:
        has_boxes = random.random() < self.corrected
        line = review_line(
            record["id"],
            VerdictKind.WRONG,
            at=WALL + number,
            by="ann",
            boxes=objects if has_boxes else None,
        )
        return review_text(line)


def _drawn(objects: list[dict[str, Any]], noise: np.ndarray) -> Any:
    """Return a street: sky, road, and the objects as plain shapes."""
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    image[: HEIGHT // 3] = (205, 190, 170)
    image[HEIGHT // 3 :] = (105, 108, 110)
    image = np.clip(image + noise, 0, 255).astype(np.uint8)
    for each in sorted(objects, key=lambda each: float(each["box"][3])):
        left, top, right, bottom = (round(side) for side in each["box"])
        cv2.rectangle(image, (left, top), (right, bottom), COLOURS[each["label"]], cv2.FILLED)
        cv2.rectangle(image, (left, top), (right, bottom), (40, 40, 40), 1)
    return image
