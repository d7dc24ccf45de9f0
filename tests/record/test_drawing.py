"""What a record says, drawn onto its image."""

from typing import Any

import numpy as np
import pytest

from agent.domain import Pixels
from agent.record.drawing import draw_record
from agent.record.seen import seen_words

GREEN, GREY = (80, 160, 0), (110, 110, 110)  # BGR: at its threshold or above, and below


def record(width: int, height: int, **output: Any) -> dict[str, Any]:
    return {
        "image": {"width": width, "height": height},
        "thresholds": {"default": 0.5, "labels": {"hen": 0.9}},
        **output,
    }


def found(label: str, confidence: float, *box: float) -> dict[str, Any]:
    return {"label": label, "class_id": 0, "confidence": confidence, "box": list(box)}


def drawn(said: dict[str, Any], scale: float = 1.0) -> Pixels:
    size = said["image"]
    image = np.zeros((round(size["height"] * scale), round(size["width"] * scale), 3), np.uint8)
    draw_record(image, said, scale=scale)
    return image


def has(image: Pixels, colour: tuple[int, int, int]) -> bool:
    return bool((image == colour).all(axis=2).any())


@pytest.mark.parametrize(
    ("label", "confidence", "is_drawn"),
    [("cat", 0.5, True), ("cat", 0.4999, False), ("hen", 0.89, False), ("hen", 0.9, True)],
)
def test_what_reaches_the_threshold_of_its_label_is_drawn(
    label: str, confidence: float, *, is_drawn: bool
) -> None:
    said = record(200, 100, detections=[found(label, confidence, 20, 40, 180, 90)])

    assert has(drawn(said), GREEN) == is_drawn
    assert (label in seen_words(said)) == is_drawn


def test_a_box_is_drawn_at_its_place_whatever_the_size_of_the_image() -> None:
    said = record(200, 100, detections=[found("cat", 0.9, 40, 50, 160, 90)])
    for scale in (0.5, 1.0, 4.0):
        rows, columns = np.nonzero(drawn(said, scale).any(axis=2))
        thickness = 1 + max(1, round(200 * scale / 800))
        assert abs(columns.max() - 160 * scale) <= thickness
        assert abs(rows.max() - 90 * scale) <= thickness


def test_lines_and_letters_grow_with_a_wide_image() -> None:
    """Else nobody can read them on a screen that shows it smaller."""
    small = drawn(record(800, 450, detections=[found("cat", 0.9, 80, 100, 700, 400)]))
    large = drawn(record(3200, 1800, detections=[found("cat", 0.9, 320, 400, 2800, 1600)]))

    def side(image: Pixels) -> int:
        row = image[image.shape[0] * 3 // 5]
        return int((row[:, 1] > GREEN[1] // 2).sum())

    assert side(large) >= 3 * side(small) > 0


def test_the_best_classes_stand_on_the_image() -> None:
    classes = [
        {"label": "whole", "class_id": 0, "confidence": 0.7},
        {"label": "broken", "class_id": 1, "confidence": 0.2},
    ]
    said = record(400, 200, classes=classes)
    image = drawn(said)

    assert has(image[:100, :200], GREEN)
    assert has(image[:100, :200], GREY)
    assert seen_words(said) == "whole 0.70, broken 0.20"


@pytest.mark.parametrize(
    ("detections", "words"),
    [
        ([], "no detections"),
        ([found("cat", 0.1, 0, 0, 9, 9)], "no detections"),
        ([found("cat", 0.9, 0, 0, 9, 9)] * 6, "cat 0.90, cat 0.90, cat 0.90, cat 0.90, 2 more"),
        ([found("a\nb\x1b", 0.9, 0, 0, 9, 9)], r"a\nb\x1b 0.90"),
    ],
)
def test_what_is_seen_is_one_line(detections: list[dict[str, Any]], words: str) -> None:
    assert seen_words(record(100, 100, detections=detections)) == words
