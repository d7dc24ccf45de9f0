"""AP is COCO's where all weights are equal, and that of a repeated frame where they are not."""

from dataclasses import replace

import numpy as np
import pytest

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.domain import Box
from agent.evaluation.average_precision import average_precision, label_curves
from agent.evaluation.bootstrap import relative
from agent.evaluation.matching import match
from agent.evaluation.sample import Floats, SampleFrame, sample_of
from tests.evaluation.coco_reference import coco_average_precisions, random_frames


def average_precisions(frames: list[SampleFrame]) -> dict[str, Floats]:
    sample = sample_of(frames)
    curves = label_curves(sample, match(sample.reported, sample.truth))
    weights = relative(sample.weight)[None]
    return {curve.label: average_precision(curve, weights)[0] for curve in curves}


@pytest.mark.parametrize("seed", range(12))
def test_with_equal_weights_it_is_what_pycocotools_computes(seed: int) -> None:
    frames = random_frames(seed, weight=37.3, labels=1 + seed % 4, crowds=seed % 2 == 0)
    reference = coco_average_precisions(frames)

    found = average_precisions(frames)

    assert found.keys() == reference.keys()
    for label, values in found.items():
        assert np.nan_to_num(values, nan=-1) == pytest.approx(reference[label], abs=1e-6)


def test_of_more_than_100_detections_the_most_confident_count() -> None:
    frames = random_frames(1, frames=2, labels=1)
    many = [
        AnnotatedBox("label 0", Box(n, 0.0, n + 30.0, 30.0), 0.99 - n / 1000) for n in range(150)
    ]
    truth = [AnnotatedBox("label 0", Box(n, 0.0, n + 30.0, 30.0)) for n in (0, 50, 99, 149)]
    frames.append(replace(frames[0], id="000002", reported=many, truth=truth))

    found = average_precisions(frames)["label 0"]

    assert found == pytest.approx(coco_average_precisions(frames)["label 0"], abs=1e-6)


def test_a_frame_of_double_weight_counts_as_two_frames() -> None:
    frames = random_frames(3, frames=12, ties=False)
    weighted = [replace(each, weight=60.0 * (1 + n % 3)) for n, each in enumerate(frames)]
    repeated = [each for n, each in enumerate(frames) for _ in range(1 + n % 3)]

    found, reference = average_precisions(weighted), coco_average_precisions(repeated)

    for label, values in found.items():
        assert values == pytest.approx(reference[label], abs=1e-6)


def test_a_label_without_objects_has_no_average_precision() -> None:
    box = AnnotatedBox("car", Box(0, 0, 10, 10), 0.9)

    assert np.isnan(average_precisions([SampleFrame("0", 1.0, [box], [], {})])["car"]).all()
    assert average_precisions([]) == {}


def test_many_weightings_at_once_are_those_one_by_one() -> None:
    sample = sample_of(random_frames(5))
    curve = label_curves(sample, match(sample.reported, sample.truth))[0]
    weights = np.random.default_rng(0).integers(0, 4, (5, 30)).astype(np.float64)

    together = average_precision(curve, weights)

    for row, values in zip(weights, together, strict=True):
        assert values == pytest.approx(average_precision(curve, row[None])[0], nan_ok=True)
