"""The threshold of the best F1, calibration, and how many reviews are needed."""

import shlex

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.domain import Box
from agent.evaluation.advice import setting_of
from agent.evaluation.average_precision import LabelCurve, label_curves
from agent.evaluation.box_matching import match_boxes
from agent.evaluation.calibration import Calibration, calibration
from agent.evaluation.intervals import Estimate, Term, ratio
from agent.evaluation.matching import match
from agent.evaluation.needed_reviews import needed_for_sign, needed_for_width, needed_from_nothing
from agent.evaluation.sample import SampleFrame, sample_of
from agent.evaluation.thresholds import (
    best_threshold,
    precision_above,
    precision_at,
    recall_at,
    threshold_curve,
)
from tests.evaluation.coco_reference import random_frames

WEIGHT = np.ones(1000)


def curve_of(right: list[float], wrong: list[float], missed: int = 0) -> LabelCurve:
    """Return a curve with detections of these confidences, each in a frame of its own."""
    place, elsewhere = Box(0, 0, 10, 10), Box(50, 50, 60, 60)
    frames = [
        SampleFrame(
            f"r{n}", 1.0, [AnnotatedBox("car", place, each)], [AnnotatedBox("car", place)], {}
        )
        for n, each in enumerate(right)
    ]
    frames += [
        SampleFrame(f"w{n}", 1.0, [AnnotatedBox("car", elsewhere, each)], [], {})
        for n, each in enumerate(wrong)
    ]
    frames += [
        SampleFrame(f"m{n}", 1.0, [], [AnnotatedBox("car", place)], {}) for n in range(missed)
    ]
    sample = sample_of(frames)
    return label_curves(sample, match(sample.reported, sample.truth))[0]


@pytest.mark.parametrize(
    ("right", "wrong", "missed", "threshold", "f1"),
    [
        ([0.3, 0.31, 0.32], [0.1, 0.11], 0, 0.2, 1.0),
        ([0.9, 0.8], [0.85], 2, 0.43, 4 / 7),  # down to the floor nothing changes
        ([0.2004, 0.2006], [0.2002, 0.2001, 0.2], 0, 0.2003, 1.0),  # two digits are too few
    ],
)
def test_the_best_threshold_lies_below_the_last_useful_detection(
    right: list[float], wrong: list[float], missed: int, threshold: float, f1: float
) -> None:
    found = best_threshold(threshold_curve(curve_of(right, wrong, missed), WEIGHT), 0.05)

    assert found is not None
    assert found.threshold == pytest.approx(threshold, abs=0.011)
    assert found.f1 == pytest.approx(f1, abs=0.003)


def test_a_curve_that_is_best_at_the_floor_says_so() -> None:
    falling = best_threshold(threshold_curve(curve_of([0.5, 0.06], [0.9]), WEIGHT), 0.05)
    peaked = best_threshold(threshold_curve(curve_of([0.5], [0.06] * 9), WEIGHT), 0.05)

    assert falling is not None
    assert falling.ends_at_floor
    assert falling.threshold >= 0.05
    assert peaked is not None
    assert not peaked.ends_at_floor


def test_without_a_right_detection_there_is_no_best_threshold() -> None:
    assert best_threshold(threshold_curve(curve_of([], [0.5], 1), WEIGHT), 0.05) is None
    assert best_threshold(threshold_curve(curve_of([], [0.5]), WEIGHT), 0.05) is None


@given(seed=st.integers(0, 10_000), threshold=st.floats(0.0, 1.0))
def test_figures_at_a_threshold_are_those_of_matching_what_reaches_it(
    seed: int, threshold: float
) -> None:
    """One matching of all detections serves each threshold."""
    frames = random_frames(seed, frames=4, labels=2)
    sample = sample_of(frames)
    curves = label_curves(sample, match(sample.reported, sample.truth))
    weight = np.ones(len(frames))
    for curve in curves:
        right = wrong = missed = 0
        for each in frames:
            kept = [
                b for b in each.reported if b.confidence >= threshold and b.label == curve.label
            ]
            truth = [b for b in each.truth if b.label == curve.label]
            found = match_boxes(kept, truth)
            right, wrong = right + len(found.right), wrong + len(found.wrong)
            missed += len(found.missed)
        precision = precision_above(curve, weight, threshold)
        recall = recall_at(curve, weight, curve.confidence >= threshold)
        assert (precision.value if precision else None) == (
            pytest.approx(right / (right + wrong)) if right + wrong else None
        )
        assert (recall.value if recall else None) == (
            pytest.approx(right / (right + missed)) if right + missed else None
        )


def test_the_frame_is_the_unit_of_an_interval() -> None:
    curve = curve_of([0.9] * 20, [0.9] * 20)

    found = precision_at(curve, np.ones(40), np.ones(40, np.bool_))

    assert found == ratio([Term(1.0, float(n < 20), 1.0) for n in range(40)])


def calibrated(confidence: float, share: float, count: int = 200) -> Calibration:
    is_right = np.arange(count) < share * count
    frame = np.arange(count, dtype=np.intp)
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), 50)
    found = calibration(
        np.full(count, confidence), is_right, frame, np.ones(count), drawn.astype(np.float64)
    )
    assert found is not None
    return found


def test_a_calibrated_model_has_no_error_and_a_shy_one_has() -> None:
    assert calibrated(0.7, 0.7).error == pytest.approx(0.0, abs=1e-9)
    shy = calibrated(0.2, 0.9)
    assert shy.error == pytest.approx(0.7)
    assert shy.low < 0.7 < shy.high
    assert shy.bins[0].right == pytest.approx(0.9)


def test_bins_have_equal_weight_and_equal_confidences_share_one() -> None:
    confidence = np.concatenate((np.full(50, 0.1), np.linspace(0.2, 0.9, 50)))
    frame = np.arange(100, dtype=np.intp)

    found = calibration(confidence, confidence > 0.5, frame, np.ones(100), np.ones((1, 100)))

    assert found is not None
    assert found.bins[0].detections == 50
    assert sum(each.detections for each in found.bins) == 100
    assert [each.low for each in found.bins] == sorted(each.low for each in found.bins)
    assert calibration(confidence[:0], confidence[:0] > 0, frame[:0], np.ones(3), np.ones((1, 3))) is None  # fmt: skip  # noqa: E501


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_so_many_more_reviews_bring_the_promised_width(share: float) -> None:
    now = ratio([Term(1.0, float(n < share * 60), 1.0) for n in range(60)])
    more = needed_for_width(now, 60)
    assert more is not None

    count = 60 + more
    then = ratio([Term(1.0, float(n < share * count), 1.0) for n in range(count)])

    assert then is not None
    assert (then.high - then.low) / 2 == pytest.approx(0.05, abs=0.006)
    assert needed_for_width(then, count) is not None


def test_where_nothing_is_known_nothing_is_promised() -> None:
    assert needed_for_width(None, 10) is None
    assert needed_for_width(Estimate(0.5, 0.48, 0.52, 100, 100), 100) == 0
    assert needed_for_sign(0.0, 0.1, 50) is None
    assert needed_for_sign(0.5, 0.01, 50) == 0
    assert needed_for_sign(0.05, 0.05, 100) == pytest.approx(294, abs=3)
    assert needed_from_nothing() == 385


@pytest.mark.parametrize("label", ["car", "traffic light", "'quoted'", 'it"s', "driver's bag"])
def test_a_suggested_setting_can_be_pasted(label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell and the agent read from it what was meant."""
    from agent.settings.load import load

    name, _, value = shlex.split(setting_of({"car": 0.21, label: 0.4}))[0].partition("=")
    monkeypatch.setenv(name, value)

    found = load()

    assert found.all_thresholds.of(label) == 0.4


def test_a_detection_in_a_crowd_is_neither_right_nor_wrong_at_any_threshold() -> None:
    place, crowd = Box(0, 0, 10, 10), Box(20, 0, 90, 90)
    frame = SampleFrame(
        "0",
        1.0,
        [AnnotatedBox("car", place, 0.5), AnnotatedBox("car", Box(30, 10, 40, 20), 0.9)],
        [AnnotatedBox("car", place), AnnotatedBox("car", crowd, is_crowd=True)],
        {},
    )
    sample = sample_of([frame])

    curve = label_curves(sample, match(sample.reported, sample.truth))[0]

    assert threshold_curve(curve, np.ones(1)).precision.tolist() == [0.0, 1.0]
    found = best_threshold(threshold_curve(curve, np.ones(1)), 0.05)
    assert found is not None
    assert (found.precision, found.recall) == (1.0, 1.0)
