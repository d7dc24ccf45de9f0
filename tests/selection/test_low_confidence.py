"""The rule `low_confidence` against scores computed by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Observation, Thresholds
from agent.selection.frame_context import FrameContext
from agent.selection.rules import make_rules, rules
from agent.selection.rules.confidence import LowConfidence
from agent.selection.score_quantiles import noisy_or
from tests.fakes.captures import detection, frame, observation

UNIT = st.floats(0.0, 1.0)


@pytest.mark.parametrize(
    ("confidences", "score"),
    [
        ((), 0.0),
        ((0.9, 0.5), 0.0),  # at the threshold the application acts
        ((0.1,), 0.0),  # at the floor
        ((0.3,), 0.5),
        ((0.4,), 0.75),
        ((0.4999,), 0.99975),
        ((0.05,), 0.0),  # below the floor it is discarded
        ((0.4, 0.3), 0.625),
        ((0.4, 0.3, 0.2), 0.5),
        ((0.4, 0.3, 0.2, 0.11, 0.12, 0.13), 0.5),  # fainter ones do not count
        ((0.99, 0.98, 0.4), 0.75),  # nor do ones above the threshold
    ],
)
def test_the_score_is_the_mean_nearness_of_the_nearest_three(
    confidences: tuple[float, ...], score: float
) -> None:
    rule = LowConfidence(Thresholds(0.5, floor=0.1))

    assert rule.score(FrameContext(observation(0.0, *confidences))) == pytest.approx(score)


@pytest.mark.parametrize(
    ("label", "confidence", "score"),
    [("car", 0.5, 0.8), ("bus", 0.5, 0.0), ("bus", 0.3, 0.5), ("person", 0.12, 0.2)],
)
def test_each_label_is_measured_by_its_own_threshold(
    label: str, confidence: float, score: float
) -> None:
    rule = LowConfidence(Thresholds(0.5, {"car": 0.6, "person": 0.2}, floor=0.1))

    assert rule.score(
        FrameContext(Observation(frame(0.0), (detection(confidence, label),)))
    ) == pytest.approx(score)


@given(st.lists(UNIT, max_size=8), UNIT, UNIT)
def test_a_score_lies_between_0_and_1_for_any_threshold_and_floor(
    confidences: list[float], threshold: float, floor: float
) -> None:
    rule = LowConfidence(Thresholds(threshold, floor=min(threshold, floor)))

    assert 0.0 <= rule.score(FrameContext(observation(0.0, *confidences))) <= 1.0


def test_a_floor_at_the_threshold_never_fires() -> None:
    assert (
        LowConfidence(Thresholds(0.5, floor=0.5)).score(FrameContext(observation(0.0, 0.5, 0.49)))
        == 0.0
    )


@pytest.mark.parametrize(
    ("scores", "value"),
    [
        ((), 0.0),
        ((0.4,), 0.4),
        ((0.5, 0.5), 0.75),
        ((0.2, 0.5, 0.1), 0.64),
        ((0.3, 1.0), 1.0),
        ((0.0, 0.0), 0.0),
        ((7.0, 0.1), 1.0),
        ((-7.0, 0.1), 0.1),
    ],
)
def test_noisy_or_of_scores(scores: tuple[float, ...], value: float) -> None:
    assert noisy_or(scores) == pytest.approx(value)


@given(st.lists(UNIT, max_size=6), UNIT)
def test_one_more_score_never_lowers_the_noisy_or(scores: list[float], more: float) -> None:
    assert 0.0 <= noisy_or(scores) <= noisy_or([*scores, more]) <= 1.0
    assert noisy_or(scores) == pytest.approx(noisy_or(reversed(scores)))


def test_rules_are_made_by_name_in_the_given_order() -> None:
    made = make_rules(["low_confidence"], Thresholds(0.5))

    assert [rule.name for rule in made] == ["low_confidence"]
    assert all(0 < rule(Thresholds(0.5)).weight <= 1 for rule in rules().values())
