"""Intervals of AP contain the AP of the whole stream about as often as they promise."""

from functools import cache

import numpy as np
import pytest

from agent.evaluation.average_precision import average_precision, label_curves
from agent.evaluation.bootstrap import bootstrap_estimate, replicates
from agent.evaluation.label_measures import measure
from agent.evaluation.matching import match
from agent.evaluation.sample import SampleFrame, sample_of
from tests.evaluation.coco_reference import random_frames

STREAM = 1500


@cache
def stream() -> list[SampleFrame]:
    return random_frames(0, frames=STREAM, labels=2, crowds=False, ties=False)


def contained(count: int, draws: int) -> dict[str, float]:
    """Return how often the intervals of samples of `count` frames contain the stream's figure."""
    whole = measure(stream(), 0.05)
    assert whole.map50 is not None
    assert whole.map50_95 is not None
    inside = {"map50": 0, "map50_95": 0, "ap50": 0}
    for seed in range(draws):
        places = np.random.default_rng(seed).choice(STREAM, count)
        drawn = [stream()[place] for place in places]
        found = measure(
            [SampleFrame(f"{n:06}", 1.0, f.reported, f.truth, {}) for n, f in enumerate(drawn)],
            0.05,
        )
        for name in ("map50", "map50_95"):
            estimate, truth = getattr(found, name), getattr(whole, name).value
            inside[name] += estimate is not None and estimate.low <= truth <= estimate.high
        label, truth = found.labels[0], whole.labels[0].ap50
        assert truth is not None
        inside["ap50"] += (
            label.ap50 is not None and label.ap50.low <= truth.value <= label.ap50.high
        )
    return {name: times / draws for name, times in inside.items()}


@pytest.mark.slow
@pytest.mark.parametrize("count", [30, 120])
def test_intervals_keep_their_promise(count: int) -> None:
    """0.95 of 100 draws has a standard error of 0.022."""
    shares = contained(count, 100)

    assert min(shares.values()) >= 0.87, shares


def test_where_all_replicates_agree_the_interval_is_not_a_point() -> None:
    found = bootstrap_estimate(1.0, np.ones(200), frames=8, cases=8.0)

    assert found is not None
    assert found.high == 1.0
    assert found.low < 0.8


def test_the_same_review_gives_the_same_interval() -> None:
    frames = stream()[:40]

    assert measure(frames, 0.05).map50 == measure(frames, 0.05).map50


def test_replicates_keep_the_number_of_frames_and_their_weights() -> None:
    drawn = replicates(np.array([60.0, 120.0, 60.0]), 50)

    assert ((drawn * [2, 1, 2]).sum(axis=1) == 3).all()
    assert (drawn[:, 1] % 1 == 0).all()


def test_a_bootstrap_over_boxes_would_be_too_narrow() -> None:
    """The planted bug: errors of one frame are alike, so boxes are no independent draws."""
    frames = []
    for number in range(30):
        each = stream()[number]
        is_hit = number % 2 == 0
        frames.append(
            SampleFrame(
                f"{number:06}",
                1.0,
                [*(type(b)(b.label, b.box, 0.9) for b in each.truth)] if is_hit else [],
                each.truth,
                {},
            )
        )
    sample = sample_of(frames)
    curve = label_curves(sample, match(sample.reported, sample.truth))[0]
    by_frame = average_precision(curve, replicates(sample.weight, 200))[:, 0].std()

    boxes = np.random.default_rng(0).binomial(
        len(curve.object_frame), len(curve.frame) / len(curve.object_frame), 200
    ) / len(curve.object_frame)  # fmt: skip

    assert by_frame > 1.3 * boxes.std()
