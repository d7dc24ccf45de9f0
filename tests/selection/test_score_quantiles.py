"""Scores are compared by how unusual they are for their rule."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.selection.score_quantiles import HALF_LIFE_S, WARM_FRAMES, ScoreQuantiles

SCORES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=80)


def filled(scores: list[float], step: float = 0.2) -> ScoreQuantiles:
    sketch = ScoreQuantiles()
    for number, score in enumerate(scores):
        sketch.add(score, number * step)
    return sketch


@given(SCORES, st.floats(0.0, 1.0), st.sampled_from([0.2, 600.0, HALF_LIFE_S / 4]))
@settings(max_examples=80)
def test_a_rank_is_the_weighted_quantile_to_within_a_bin(
    scores: list[float], asked: float, step: float
) -> None:
    weights: list[float] = [
        0.5 ** ((len(scores) - 1 - n) * step / HALF_LIFE_S) for n in range(len(scores))
    ]
    width = 1 / 255

    def share(limit: float) -> float:
        return sum(w for s, w in zip(scores, weights, strict=True) if s <= limit) / sum(weights)

    rank = filled(scores, step).rank(asked)

    assert share(asked - width - 1e-9) - 1e-9 <= rank <= share(asked + width + 1e-9) + 1e-9


def test_a_score_of_a_day_ago_counts_half() -> None:
    sketch = ScoreQuantiles()
    sketch.add(0.2, 0.0)
    sketch.add(0.8, HALF_LIFE_S)

    assert sketch.rank(0.5) == pytest.approx(1 / 3)


def test_a_year_of_decay_loses_no_precision() -> None:
    sketch = ScoreQuantiles()
    for hour in range(365 * 24):
        sketch.add(0.2 if hour % 2 else 0.8, hour * 3600.0)

    assert sketch.rank(0.5) == pytest.approx(0.5, abs=0.01)


def test_while_a_sketch_is_cold_the_raw_score_fades_out() -> None:
    sketch = ScoreQuantiles()
    tails = []
    for number in range(WARM_FRAMES + 1):
        tails.append(sketch.tail_score(0.6))
        sketch.add(0.6, number / 5)

    assert tails[0] == 0.6
    assert tails == sorted(tails, reverse=True)
    assert tails[WARM_FRAMES] == 0.0  # it always says so: nothing unusual


def test_a_rare_rule_and_a_constant_one_are_comparable() -> None:
    draw = random.Random(3)
    rare, constant = ScoreQuantiles(), ScoreQuantiles()
    for number in range(20_000):
        rare.add(draw.uniform(0.1, 0.3) if number % 200 == 0 else 0.0, number / 5)
        constant.add(draw.gauss(0.7, 0.05), number / 5)

    assert rare.tail_score(0.2) > 0.95  # hardly ever fires
    assert constant.tail_score(0.7) == 0.0  # the usual
    assert constant.tail_score(0.9) > 0.95  # unusual for it


@given(SCORES)
@settings(max_examples=40)
def test_a_sketch_survives_as_text(scores: list[float]) -> None:
    sketch = filled(scores)
    again = ScoreQuantiles.from_text(sketch.text)

    assert again.frames == sketch.frames
    assert again.rank(0.5) == pytest.approx(sketch.rank(0.5), abs=1e-5)


@pytest.mark.parametrize("text", ["", "5", "x:y", "5:abc", f"5:{'0' * 1275}"])
def test_a_text_that_is_no_sketch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        ScoreQuantiles.from_text(text)


@given(SCORES, st.floats(0.0, 1.0))
@settings(max_examples=60)
def test_a_tail_score_is_never_outside_0_to_1(scores: list[float], score: float) -> None:
    sketch = filled([float(each) for each in np.repeat(scores, 10)])

    assert 0.0 <= sketch.tail_score(score) <= 1.0
