"""Confidences relative to the threshold, and one suspect for each track or place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Box, Detection, Suspect, Thresholds
from agent.selection.suspects import (
    MOST_SUSPECTS,
    ConfidenceAt,
    logit,
    margin,
    nearness,
    strongest,
)

INSIDE = st.floats(0.01, 0.99)
BOX, OTHER = Box(0, 0, 10, 10), Box(50, 0, 60, 10)


@pytest.mark.parametrize(
    ("confidence", "threshold", "near"),
    [
        (0.5, 0.5, 1.0),
        (0.2, 0.2, 1.0),
        (0.6, 0.5, 0.523),
        (0.4, 0.5, 0.523),
        (0.25, 0.5, 0.172),
        (0.2, 0.25, 0.631),
        (0.9, 0.5, 0.030),
        (0.0, 0.5, 0.0),
        (1.0, 0.5, 0.0),
    ],
)
def test_nearness_falls_with_the_distance_in_logits(
    confidence: float, threshold: float, near: float
) -> None:
    assert nearness(confidence, threshold) == pytest.approx(near, abs=0.001)


@given(INSIDE, INSIDE)
def test_nearness_is_the_same_on_both_sides(confidence: float, threshold: float) -> None:
    assert margin(confidence, threshold) == pytest.approx(-margin(threshold, confidence))
    assert nearness(confidence, threshold) == pytest.approx(nearness(threshold, confidence))
    assert 0 < nearness(confidence, threshold) <= 1


@given(st.floats(0, 1))
def test_every_confidence_has_a_finite_logit(confidence: float) -> None:
    assert -7 < logit(confidence) < 7


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        # Of two rules on one track, and on one box without a track, the highest p counts.
        ([Suspect("a", 0.2, box=BOX, track=1), Suspect("b", 0.5, box=BOX, track=1)], [0.5]),
        ([Suspect("a", 0.2, box=BOX), Suspect("b", 0.5, box=BOX)], [0.5]),
        # A track is one suspect wherever a rule places it.
        ([Suspect("a", 0.2, box=BOX, track=1), Suspect("b", 0.1, box=OTHER, track=1)], [0.2]),
        # Two tracks, or two boxes, are two suspects.
        ([Suspect("a", 0.2, box=BOX, track=1), Suspect("a", 0.3, box=BOX, track=2)], [0.3, 0.2]),
        ([Suspect("a", 0.2, box=BOX), Suspect("a", 0.3, box=OTHER)], [0.3, 0.2]),
        # Rules that mean the whole frame doubt different things.
        ([Suspect("a", 0.2, track=1), Suspect("b", 0.3, track=1)], [0.3, 0.2]),
        # The class of a frame is one place, whichever rule or label it is doubted by.
        ([Suspect("a", 0.2, "cat"), Suspect("b", 0.3, "cat")], [0.3]),
        ([], []),
    ],
)
def test_one_suspect_is_kept_for_each_track_or_place(
    named: list[Suspect], kept: list[float]
) -> None:
    assert [each.p for each in strongest(named)] == kept


def test_of_many_suspects_those_with_the_highest_p_are_kept() -> None:
    many = [Suspect("a", n / 1000, box=BOX, track=n) for n in range(300)]

    assert [each.track for each in strongest(many)] == list(range(299, 299 - MOST_SUSPECTS, -1))


@given(
    confidences=st.lists(st.floats(0, 1), max_size=12),
    default=st.floats(0.01, 0.99),
    other=st.floats(0.01, 0.99),
    distance=st.sampled_from([0.0, -1.0, -2.0, 0.5]),
)
def test_all_detections_that_reach_a_confidence_are_found_at_the_start_of_a_frame(
    confidences: list[float], default: float, other: float, distance: float
) -> None:
    least = ConfidenceAt(Thresholds(default, {"bus": other}), distance)
    detections = [
        Detection(("car", "bus")[n % 2], n % 2, confidence, Box(0, 0, 1, 1))
        for n, confidence in enumerate(sorted(confidences, reverse=True))
    ]

    found = least.reached_by(detections)

    assert found == [each for each in detections if each.confidence >= least[each.label]]
