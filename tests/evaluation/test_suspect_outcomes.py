"""A suspect was a failure if the review shows one at its place, on its side of the threshold."""

from typing import Any

import pytest

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.domain import Box
from agent.evaluation.suspect_outcomes import suspect_outcomes
from agent.evaluation.truth import FrameTruth
from agent.selection.feedback import Side

THRESHOLDS = {"default": 0.5, "labels": {"dog": 0.3}, "floor": 0.05}


def found_at(left: float, confidence: float, label: str = "car") -> dict[str, Any]:
    box = [left, 0.0, left + 40, 40.0]
    return {"label": label, "class_id": 0, "confidence": confidence, "box": box}


def suspect(left: float | None, label: str = "car", *, width: float = 40, **more: Any) -> Any:
    box = None if left is None else [left, 0.0, left + width, 40.0]
    return {"rule": "flicker", "label": label, "track": 1, "box": box, "p": 0.4, **more}


def there(left: float, label: str = "car", *, is_crowd: bool = False) -> AnnotatedBox:
    return AnnotatedBox(label, Box(left, 0, left + 40, 40), is_crowd=is_crowd)


def record_with(*suspects: Any, detections: Any = ()) -> dict[str, Any]:
    return {
        "image": {"width": 400, "height": 100},
        "thresholds": THRESHOLDS,
        "detections": list(detections),
        "suspects": list(suspects),
    }


@pytest.mark.parametrize(
    ("which", "detections", "objects", "side", "is_failure"),
    [
        (suspect(0), [found_at(0, 0.6)], [there(5)], Side.ABOVE, False),
        (suspect(0), [found_at(0, 0.6)], [there(30)], Side.ABOVE, True),
        (suspect(0), [found_at(0, 0.6)], [there(0, "dog")], Side.ABOVE, True),
        (suspect(0), [found_at(0, 0.6)], [there(0, is_crowd=True), there(300)], Side.ABOVE, False),
        # The other failure of the frame is elsewhere.
        (suspect(0), [found_at(0, 0.6)], [there(0), there(300)], Side.ABOVE, False),
        # Two boxes on one object: the less confident one is false.
        (suspect(2), [found_at(0, 0.9), found_at(2, 0.6)], [there(0)], Side.ABOVE, True),
        (suspect(0), [found_at(0, 0.9), found_at(2, 0.6)], [there(0)], Side.ABOVE, False),
        (suspect(0), [found_at(0, 0.4)], [there(5)], Side.BELOW, True),
        (suspect(0), [found_at(0, 0.4)], [there(5, "dog")], Side.BELOW, True),
        (suspect(0), [found_at(0, 0.4)], [there(300)], Side.BELOW, False),
        (suspect(0), [found_at(0, 0.4), found_at(1, 0.9)], [there(0), there(300)], Side.BELOW,
         False),
        (suspect(0, "dog"), [found_at(0, 0.4, "dog")], [there(300)], Side.ABOVE, True),
        (suspect(0), [], [there(5)], Side.BELOW, True),
        (suspect(0), [], [there(0, is_crowd=True), there(300)], Side.BELOW, False),
        (suspect(0, "", width=200), [], [there(100)], Side.BELOW, True),  # a region
        (suspect(0, "", width=200), [], [there(190)], Side.BELOW, False),
        (suspect(0, width=200), [], [there(100)], Side.BELOW, False),
        (suspect(None, ""), [], [there(100)], Side.FRAME, True),
    ],
)  # fmt: skip
def test_the_place_of_a_suspect_decides(
    which: Any, detections: Any, objects: Any, side: Side, is_failure: bool
) -> None:
    record = record_with(which, detections=detections)

    (found,) = suspect_outcomes(record, FrameTruth(has_failure=True, objects=objects))

    assert (found.rule, found.side, found.is_failure) == ("flicker", side, is_failure)


def test_where_nobody_said_what_is_there_the_failure_is_of_no_known_suspect() -> None:
    record = record_with(suspect(0), suspect(None), detections=[found_at(0, 0.6)])

    found = suspect_outcomes(record, FrameTruth(has_failure=True, objects=None))

    assert [each.is_failure for each in found] == [None, True]


def test_in_a_frame_without_a_failure_no_suspect_was_one() -> None:
    record = record_with(suspect(0), suspect(None), detections=[found_at(0, 0.6)])

    found = suspect_outcomes(record, FrameTruth(has_failure=False, objects=None))

    assert [each.is_failure for each in found] == [False, False]


def test_the_class_of_a_classifier_is_a_suspect_of_the_whole_frame() -> None:
    record = {"thresholds": THRESHOLDS, "classes": [], "suspects": [suspect(None, prior=0.2)]}

    (found,) = suspect_outcomes(record, FrameTruth(has_failure=True, objects=None))

    assert (found.side, found.label, found.is_failure) == (Side.FRAME, "car", True)
    assert (found.p, found.prior) == (0.4, 0.2)


@pytest.mark.parametrize(
    "odd", [None, 3, {}, {"rule": 3}, suspect(0, box=[1, 2]), suspect(0, box=[1, "a", 2, 3], p="x")]
)
def test_a_suspect_that_is_none_raises_nothing(odd: Any) -> None:
    truth = FrameTruth(has_failure=True, objects=[there(0)])

    assert len(suspect_outcomes(record_with(odd), truth)) <= 1
    assert suspect_outcomes({**record_with(), "suspects": None}, truth) == []
