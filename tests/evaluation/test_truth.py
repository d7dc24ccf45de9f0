"""What a review says of a capture."""

from typing import Any

import pytest

from agent.dataset.reviews import review_line, review_of
from agent.domain import VerdictKind
from agent.evaluation.truth import truth_of_review
from tests.fakes.captures import capture_id

OWN = {"label": "car", "class_id": 0, "confidence": 0.9, "box": [10.0, 10.0, 50.0, 50.0]}
FAINT = OWN | {"confidence": 0.2, "box": [60.0, 10.0, 90.0, 50.0]}
EMPTY = OWN | {"box": [10.0, 10.0, 10.0, 50.0]}
DETECTED = {
    "image": {"width": 200, "height": 100},
    "thresholds": {"default": 0.5, "labels": {}, "floor": 0.05},
    "detections": [OWN, EMPTY, FAINT],
}
CLASSIFIED = {
    "thresholds": {"default": 0.5, "labels": {}, "floor": 0.05},
    "classes": [{"label": "cat", "class_id": 0, "confidence": 0.4}],
}


def truth(record: dict[str, Any], kind: VerdictKind, **more: Any) -> Any:
    review = review_of(review_line(capture_id(1), kind, at=0.0, by="ann", **more))
    return truth_of_review(record, review)


def test_the_objects_of_a_right_frame_are_what_the_model_reported() -> None:
    found = truth(DETECTED, VerdictKind.RIGHT)

    assert not found.has_failure
    assert found.is_confirmed
    assert [each.box.x_min for each in found.objects] == [10.0]


@pytest.mark.parametrize("kind", [VerdictKind.WRONG, VerdictKind.MISSING])
def test_a_word_alone_leaves_the_objects_unknown(kind: VerdictKind) -> None:
    found = truth(DETECTED, kind)

    assert found.has_failure
    assert found.objects is None


@pytest.mark.parametrize(
    ("boxes", "has_failure"),
    [
        ([OWN | {"box": [11.0, 10.0, 50.0, 50.0]}], False),
        ([OWN, FAINT], True),
        ([], True),
        ([OWN | {"label": "dog"}], True),
        ([OWN | {"iscrowd": True}], False),
    ],
)
def test_corrected_boxes_say_whether_the_frame_has_a_failure(boxes: Any, has_failure: bool) -> None:
    found = truth(DETECTED, VerdictKind.WRONG, boxes=boxes)

    assert found.has_failure == has_failure
    assert not found.is_confirmed


def test_an_outline_is_known_by_its_bounds() -> None:
    drawn = OWN | {"polygon": [[20, 20], [40, 20], [40, 40]]}

    (box,) = truth(DETECTED, VerdictKind.MISSING, boxes=[drawn]).objects

    assert (box.box.x_min, box.box.x_max, box.is_bounds) == (20, 40, True)


@pytest.mark.parametrize(
    ("kind", "more", "has_failure", "classes"),
    [
        (VerdictKind.RIGHT, {}, False, ["cat"]),
        (VerdictKind.WRONG, {}, True, None),
        (VerdictKind.WRONG, {"labels": ["dog"]}, True, ("dog",)),
        (VerdictKind.RIGHT, {"labels": ["dog", "cat"]}, False, ("dog", "cat")),
    ],
)
def test_a_classifier_fails_if_its_best_class_is_wrong(
    kind: VerdictKind, more: Any, has_failure: bool, classes: Any
) -> None:
    found = truth(CLASSIFIED, kind, **more)

    assert found.has_failure == has_failure
    assert found.classes == classes


def test_an_unusable_image_says_nothing() -> None:
    assert truth(DETECTED, VerdictKind.UNUSABLE) is None
