"""What pycocotools computes for the frames of a sample."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.domain import Box
from agent.evaluation.sample import Floats, SampleFrame


def coco_average_precisions(frames: Sequence[SampleFrame]) -> dict[str, Floats]:
    """Return the AP at each of the ten IoUs, by label; -1 for a label without objects."""
    labels = sorted({box.label for f in frames for box in (*f.reported, *f.truth)})
    numbers = {label: number for number, label in enumerate(labels, 1)}
    truth: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for image, each in enumerate(frames, 1):
        for box in each.truth:
            row = _row(image, numbers, box)
            truth.append(row | {"id": len(truth) + 1, "iscrowd": int(box.is_crowd)})
        found += [_row(image, numbers, box) | {"score": box.confidence} for box in each.reported]
    content = {
        "images": [{"id": n, "width": 1000, "height": 1000} for n in range(1, len(frames) + 1)],
        "annotations": truth,
        "categories": [{"id": number, "name": label} for label, number in numbers.items()],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        annotated = COCO()
        annotated.dataset = content
        annotated.createIndex()
        evaluation = COCOeval(annotated, annotated.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]  # IoU, recall, label
    return {label: precision[:, :, number - 1].mean(axis=1) for label, number in numbers.items()}


def _row(image: int, numbers: dict[str, int], each: AnnotatedBox) -> dict[str, Any]:
    box = each.box
    width, height = box.x_max - box.x_min, box.y_max - box.y_min
    return {
        "image_id": image,
        "category_id": numbers[each.label],
        "bbox": [box.x_min, box.y_min, width, height],
        "area": width * height,
    }


def random_frames(
    seed: int,
    *,
    frames: int = 30,
    labels: int = 3,
    crowds: bool = True,
    weight: float = 60.0,
    ties: bool = True,
) -> list[SampleFrame]:
    """Return frames with objects, detections near them, false ones, and sometimes crowds.

    With `ties` many confidences are equal.
    """
    random = np.random.default_rng(seed)

    def confidence() -> float:
        return float(random.integers(1, 100)) / 100 if ties else float(random.uniform(0.05, 1))

    made = []
    for number in range(frames):
        truth, reported = [], []
        for _ in range(random.integers(0, 8)):
            label = f"label {random.integers(labels)}"
            box = _random_box(random)
            is_crowd = bool(crowds and random.random() < 0.15)
            truth.append(AnnotatedBox(label, box, is_crowd=is_crowd))
            for _ in range(random.integers(0, 3)):
                moved = _moved(random, box)
                other = f"label {random.integers(labels)}" if random.random() < 0.1 else label
                reported.append(AnnotatedBox(other, moved, confidence()))
        for _ in range(random.integers(0, 4)):
            label = f"label {random.integers(labels)}"
            reported.append(AnnotatedBox(label, _random_box(random), confidence()))
        made.append(SampleFrame(f"{number:06}", weight, reported, truth, {}))
    return made


def _moved(random: np.random.Generator, box: Box) -> Box:
    left, top, right, bottom = (
        side + float(random.normal(0, 8)) for side in (box.x_min, box.y_min, box.x_max, box.y_max)
    )
    return Box(left, top, max(right, left + 1), max(bottom, top + 1))


def _random_box(random: np.random.Generator) -> Box:
    x, y = random.uniform(0, 600, 2)
    width, height = random.uniform(20, 300, 2)
    return Box(float(x), float(y), float(x + width), float(y + height))
