"""A threshold that separates nothing is told, once for each label."""

import pytest

from agent.domain import ClassScore, Observation, Thresholds
from agent.selection.threshold_check import LEAST_FRAMES, ThresholdCheck
from tests.fakes.captures import detection, frame


def warnings(
    *confidences: float, frames: int = LEAST_FRAMES, label: str = "person", floor: float = 0.05
) -> list[str]:
    check = ThresholdCheck(Thresholds(0.5, {"dog": 0.2}, floor))
    for n in range(frames):
        check.add(
            Observation(frame(sequence=n), tuple(detection(each, label) for each in confidences))
        )
    return check.warnings()


@pytest.mark.parametrize(
    ("label", "confidences", "expected"),
    [
        (
            "person",
            (0.31, 0.12),
            ["threshold 0.5 is above all 2,000 confidences of person (highest 0.31)"],
        ),
        (
            "person",
            (0.9, 0.5),
            ["threshold 0.5 is below all 2,000 confidences of person (lowest 0.50)"],
        ),
        ("dog", (0.31,), ["threshold 0.2 is below all 1,000 confidences of dog (lowest 0.31)"]),
        ("person", (0.51, 0.49), []),
        ("dog", (0.31, 0.1), []),
    ],
)
def test_a_threshold_that_none_or_all_confidences_reach_is_told(
    label: str, confidences: tuple[float, ...], expected: list[str]
) -> None:
    assert warnings(*confidences, label=label) == expected


def test_a_few_frames_say_nothing() -> None:
    assert warnings(0.3, frames=LEAST_FRAMES - 1) == []
    assert warnings(frames=2 * LEAST_FRAMES) == []


def test_many_detections_of_a_few_frames_say_nothing() -> None:
    assert warnings(*[0.3] * 100, frames=20) == []


def test_a_threshold_at_the_floor_is_meant_to_be_reached_by_all() -> None:
    assert warnings(0.9, floor=0.5) == []


def test_of_a_classifier_the_best_class_counts() -> None:
    check = ThresholdCheck(Thresholds(0.5))
    scores = (ClassScore("bee", 1, 0.4), ClassScore("ant", 0, 0.2))
    for n in range(LEAST_FRAMES):
        check.add(Observation(frame(sequence=n), (), classes=scores))

    assert check.warnings() == [
        "threshold 0.5 is above all 1,000 confidences of bee (highest 0.40)"
    ]
