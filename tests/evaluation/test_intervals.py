"""An interval of 95 % holds the truth in about 95 of 100 streams; the score lane never does."""

from collections.abc import Callable

import numpy as np
import pytest

from agent.evaluation.intervals import Estimate, Term, ratio, student
from agent.evaluation.metrics import Reviewed, by_label, failure_rate
from tests.evaluation.populations import Stream

SEEDS = 300
Measure = Callable[[list[Reviewed]], Estimate | None]


def precision(frames: list[Reviewed]) -> Estimate | None:
    return by_label(frames)[0].precision


def recall(frames: list[Reviewed]) -> Estimate | None:
    return by_label(frames)[0].recall


MEASURES: list[tuple[Measure, str]] = [
    (failure_rate, "failure_rate"),
    (precision, "precision"),
    (recall, "recall"),
]
NAMES = [name for _, name in MEASURES]


@pytest.fixture(scope="module")
def samples() -> list[tuple[Stream, list[Reviewed], list[Reviewed]]]:
    made = []
    for seed in range(SEEDS):
        chance = np.random.default_rng(seed)
        stream = Stream.made(chance)
        made.append((stream, stream.random_lane(chance), stream.score_lane(chance, 100)))
    return made


@pytest.mark.parametrize(("measure", "name"), MEASURES, ids=NAMES)
def test_intervals_of_the_random_lane_hold_the_truth(
    samples: list[tuple[Stream, list[Reviewed], list[Reviewed]]], measure: Measure, name: str
) -> None:
    held, errors = 0, []
    for stream, drawn, _ in samples:
        found, truth = measure(drawn), getattr(stream, name)
        assert found is not None
        held += found.low <= truth <= found.high
        errors.append(found.value - truth)

    # 0.95 of 300 has a standard error of 0.0126.
    assert 0.91 <= held / SEEDS <= 0.99
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(SEEDS) + 0.002


@pytest.mark.parametrize(("measure", "name"), MEASURES, ids=NAMES)
def test_averaging_the_score_lane_would_be_far_off(
    samples: list[tuple[Stream, list[Reviewed], list[Reviewed]]], measure: Measure, name: str
) -> None:
    held = 0
    for stream, _, chosen in samples:
        found = measure(chosen)
        assert found is not None
        held += found.low <= getattr(stream, name) <= found.high

    assert held == 0


def test_forgetting_the_weights_would_be_off() -> None:
    """Half of the time has all of the failure, and slots twice as long."""
    frames = [Reviewed(1.0, is_right=True)] * 100 + [Reviewed(2.0, is_right=False)] * 50

    found = failure_rate(frames)

    assert found is not None
    assert found.value == 0.5


@pytest.mark.parametrize("hits", [0, 1, 10, 19, 20])
def test_with_equal_weights_it_is_the_interval_of_wilson(hits: int) -> None:
    """Against the closed form, with Student's quantile and the size of the ratio's variance."""
    terms = [Term(3.0, float(n < hits), 1.0) for n in range(20)]

    found = ratio(terms)

    assert found is not None
    assert found.value == hits / 20
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert (found.low == 0) == (hits == 0)
    assert (found.high == 1) == (hits == 20)


def test_more_frames_narrow_the_interval() -> None:
    widths = []
    for count in (10, 40, 160, 640):
        found = ratio([Term(1.0, float(n % 5 == 0), 1.0) for n in range(count)])
        assert found is not None
        widths.append(found.high - found.low)

    assert widths == sorted(widths, reverse=True)
    assert widths[2] / widths[3] == pytest.approx(2.0, rel=0.1)


def test_boxes_of_one_frame_tell_less_than_boxes_of_many() -> None:
    together = ratio([Term(1.0, 10.0, 10.0), Term(1.0, 0.0, 10.0)] * 5)
    apart = ratio([Term(1.0, float(n % 2), 1.0) for n in range(100)])

    assert together is not None
    assert apart is not None
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_without_a_case_nothing_is_known() -> None:
    assert ratio([]) is None
    assert ratio([Term(1.0, 0.0, 0.0)] * 5) is None
    assert ratio([Term(0.0, 1.0, 1.0)]) is None


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)],
)
def test_the_quantile_of_student_is_as_in_the_tables(degrees: int, quantile: float) -> None:
    assert student(0.975, degrees) == pytest.approx(quantile, rel=0.01)
