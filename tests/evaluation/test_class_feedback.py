"""Weights, thresholds and trust of classes: from random captures alone, and within bounds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dataset.health.balance import class_balance
from agent.domain import Thresholds, VerdictKind
from agent.evaluation.class_feedback import class_feedback, class_weights
from agent.evaluation.judged_captures import JudgedCapture
from agent.selection.feedback import WEIGHT_MAX, WEIGHT_MIN, ClassFeedback
from tests.evaluation.judged import ELSEWHERE, PLACE, called, detected, judged, record, suspect

THRESHOLDS = Thresholds(0.5)
DRAWN: dict[str, Any] = {"lane": "random", "sampling": {"weight": 60.0}}


def drawn(
    number: int, *confidences: float, objects: int = 1, label: str = "car", **more: Any
) -> JudgedCapture:
    """Return a random capture with one box at each place; only the first `objects` are there."""
    places = (PLACE, ELSEWHERE)
    boxes = tuple(detected(c, places[n], label) for n, c in enumerate(confidences))
    made = record(number, suspect(label=label), detections=boxes, **(DRAWN | more))
    return judged(made, *places[:objects], label=label)


def of_class(captures: list[JudgedCapture], label: str = "car") -> ClassFeedback:
    [found] = [each for each in class_feedback(captures, THRESHOLDS) if each.label == label]
    return found


def test_a_class_is_trusted_from_where_its_random_captures_are_right() -> None:
    captures = [drawn(n, 0.9, 0.6) for n in range(200)]  # the second box is always false

    found = of_class(captures)

    trust = {each.confidence: each for each in found.trust}
    assert trust[0.5].precision_low < 0.5
    assert trust[0.9].precision_low > 0.97
    assert (trust[0.5].reviewed, trust[0.9].reviewed) == (400, 200)
    assert 0.95 not in trust
    assert found.best_threshold is not None
    assert 0.6 < found.best_threshold <= 0.9
    assert found.ap50 == pytest.approx(1.0)
    assert found.objects == 200


@pytest.mark.parametrize("number", [1, 10, 50])
def test_few_reviews_promise_little(number: int) -> None:
    found = of_class([drawn(n, 0.9) for n in range(number)])

    assert max(each.precision_low for each in found.trust) < 1 - 1 / (number + 3)


def test_captures_that_were_chosen_give_no_trust_and_no_ap() -> None:
    found = of_class([drawn(n, 0.9, lane="score") for n in range(200)])

    assert (found.trust, found.ap50, found.best_threshold) == ((), None, None)
    assert found.objects == 200


def test_a_frame_that_was_called_wrong_counts_against_all_its_boxes() -> None:
    right = [drawn(n, 0.9) for n in range(100)]
    wrong = [
        called(record(n, detections=(detected(0.9),), **DRAWN), VerdictKind.WRONG)
        for n in range(100, 140)
    ]

    assert of_class([*right, *wrong]).trust[0].precision_low < 0.75


def test_a_class_whose_audited_auto_labels_are_false_is_not_trusted() -> None:
    captures = [drawn(n, 0.9) for n in range(200)]
    auto = [
        drawn(n, 0.9, objects=0, lane="auto", auto={"precision": 0.98}) for n in range(200, 1200)
    ]

    assert of_class(captures).trust
    assert not of_class([*captures, *auto]).trust


def weights(objects: dict[str, int], aps: dict[str, float]) -> dict[str, float]:
    measured = {label: (ap, objects[label]) for label, ap in aps.items()}
    return class_weights(class_balance(objects, {}), measured)


def test_what_the_dataset_lacks_and_the_model_fails_at_weighs_more() -> None:
    rare = weights({"car": 1000, "bus": 20}, {})
    weak = weights({"car": 500, "bus": 500}, {"car": 0.9, "bus": 0.3})

    assert rare["bus"] > 1.2 > rare["car"]
    assert weak["bus"] > 1.5
    assert weak["car"] < 0.6


def test_alike_classes_and_those_that_were_never_seen_weigh_1() -> None:
    assert weights({"car": 500, "bus": 500}, {"car": 0.7, "bus": 0.7}) == {"car": 1, "bus": 1}
    assert weights({"car": 500, "ghost": 0}, {}) == {"car": 1, "ghost": 1}
    assert weights({}, {}) == {}


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=3),
        st.tuples(st.integers(0, 5000), st.none() | st.floats(0, 1)),
        max_size=8,
    )
)
def test_weights_stay_within_their_bounds(classes: dict[str, tuple[int, float | None]]) -> None:
    balance = class_balance({label: count for label, (count, _) in classes.items()}, {})
    measured = {label: (ap, count) for label, (count, ap) in classes.items()}

    found = class_weights(balance, measured)

    assert found.keys() == classes.keys()
    assert all(WEIGHT_MIN <= weight <= WEIGHT_MAX for weight in found.values())
