"""Factors: few reviews move nothing, many say what was found, and no group learns twice."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.evaluation.suspect_evidence import Evidence
from agent.evaluation.suspect_factors import (
    STRENGTH,
    USELESS_FACTOR,
    USELESS_SHARE,
    Tally,
    on_camera,
    smooth,
    suspect_factors,
)
from agent.selection.feedback import FACTOR_MAX, Side, factor_of
from agent.selection.rules import RULE_NAMES, rule_class
from tests.search import examples

MIN_VALUE = 0.1  # the default of AGENT_MIN_VALUE
ONE = Evidence("flicker", Side.BELOW, "car", "gate", 0.4, 0.0)


def many(number: int, failures: float = 0.0, each: Evidence = ONE) -> list[Evidence]:
    """Return suspects of which these many were failures."""
    shares = [1.0] * int(failures) + [failures % 1.0] * (failures % 1 > 0)
    shares += [0.0] * (number - len(shares))
    return [replace(each, failure=share) for share in shares]


def factor(
    evidence: list[Evidence],
    *,
    rule: str = "flicker",
    side: Side = Side.BELOW,
    label: str = "car",
    camera: str = "gate",
) -> float:
    """Return the factor that a device would use for a suspect."""
    groups = {(g.rule, g.side, g.label, g.camera): g.factor for g in suspect_factors(evidence)}
    return factor_of(groups, rule, side, label=label, camera=camera)


@given(st.floats(0.05, 40), st.integers(0, 20), st.floats(0.2, 3))
@settings(max_examples=examples(25))
def test_the_posterior_mean_is_that_of_a_numerical_integration(
    expected: float, found: int, parent: float
) -> None:
    factors = np.linspace(1e-4, 60, 200_000)
    step = factors[1] - factors[0]
    shape = STRENGTH * parent
    gamma = shape * math.log(STRENGTH) - math.lgamma(shape)
    logs = gamma + (shape - 1 + found) * np.log(factors) - (STRENGTH + expected) * factors
    weights = np.exp(logs) * step
    useless = USELESS_SHARE * USELESS_FACTOR**found * math.exp(-expected * USELESS_FACTOR)
    whole = (1 - USELESS_SHARE) * weights.sum() + useless
    mean = (1 - USELESS_SHARE) * (weights * factors).sum() + useless * USELESS_FACTOR
    usual = (weights * factors).sum() / weights.sum()

    tally = Tally(100, expected, found)

    assert smooth(tally, parent) == pytest.approx(min(FACTOR_MAX, usual), rel=1e-3)
    if usual < FACTOR_MAX:
        assert on_camera(tally, parent) == pytest.approx(mean / whole, rel=1e-3)


def test_without_reviews_nothing_changes() -> None:
    assert smooth(Tally(), 1.7) == pytest.approx(1.7)
    assert on_camera(Tally(), 1.7) == 1.7
    assert factor([]) == 1.0


@pytest.mark.parametrize(("number", "failures"), [(1, 0), (1, 1), (3, 0), (3, 3)])
def test_with_few_reviews_nothing_moves_much(number: int, failures: int) -> None:
    assert 0.8 < factor(many(number, failures)) < 1.35


@given(st.integers(1, 400), st.floats(0, 1), st.floats(0.02, 0.9))
def test_a_factor_lies_between_what_was_found_and_what_was_expected(
    number: int, share: float, p: float
) -> None:
    evidence = many(number, share * number, replace(ONE, prior=p))
    observed = share * number / (number * p)

    assert min(USELESS_FACTOR, observed) <= factor(evidence) <= max(1.0, observed) + 1e-3


def test_many_reviews_say_what_was_found() -> None:
    assert factor(many(2000, 400)) == pytest.approx(0.5, rel=0.03)
    assert factor(many(2000, 1600)) == pytest.approx(2.0, rel=0.03)


def test_what_is_seen_on_one_camera_with_one_label_counts_once() -> None:
    """Each level of the tree has the same reviews; they must not add up."""
    assert factor(many(10, 1)) == pytest.approx(on_camera(Tally(10, 4.0, 1.0)), rel=1e-3)


@pytest.mark.parametrize("rule", RULE_NAMES)
@pytest.mark.parametrize("label", ["one", "another each time"])
def test_a_rule_that_is_always_wrong_on_a_camera_loses_its_credits_within_30_reviews(
    rule: str, label: str
) -> None:
    prior = rule_class(rule).prior
    one = replace(ONE, rule=rule, prior=prior)
    wrong = many(30, 0, one)
    if label != "one":
        wrong = [replace(each, label=f"label {n}") for n, each in enumerate(wrong)]
    elsewhere = many(60, 60 * prior, replace(one, camera="yard"))

    at_gate = prior * factor([*wrong, *elsewhere], rule=rule)
    at_yard = prior * factor([*wrong, *elsewhere], rule=rule, camera="yard")
    at_new = prior * factor([*wrong, *elsewhere], rule=rule, camera="new")

    assert at_gate < MIN_VALUE
    assert at_yard > 0.7 * prior
    assert at_new > 0.45 * prior


def test_a_label_says_something_of_a_camera_that_was_never_reviewed() -> None:
    evidence = []
    for camera in ("gate", "yard", "lane", "door"):
        evidence += many(30, 0, replace(ONE, label="bird", camera=camera))
        evidence += many(30, 12, replace(ONE, camera=camera))

    assert factor(evidence, label="bird", camera="new") < 0.45
    assert factor(evidence, label="car", camera="new") > 0.7


def test_the_sides_of_a_rule_learn_apart_and_other_rules_of_a_side_follow() -> None:
    evidence = many(100, 4) + many(100, 80, replace(ONE, side=Side.ABOVE))
    evidence += many(2, 1, replace(ONE, rule="weak_track"))

    assert factor(evidence) < 0.3
    assert factor(evidence, side=Side.ABOVE) > 1.7
    assert factor(evidence, rule="weak_track") < 0.75


def test_a_second_round_does_not_compound_the_first() -> None:
    """The records of round two have the `p` before the feedback of round one beside theirs."""
    assert factor(many(900, 180) + many(900, 180)) == pytest.approx(0.5, abs=0.02)


def test_groups_that_say_nothing_of_their_own_are_left_out() -> None:
    found = suspect_factors(many(200, 80) + many(200, 80, replace(ONE, camera="yard")))

    assert [(each.label, each.camera) for each in found] == [(None, None)]
    assert found[0].reviewed == 400
    assert (found[0].failures, found[0].expected) == (160.0, 160.0)
