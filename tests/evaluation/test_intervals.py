"""A 95 % interval contains the truth in about 95 of 100 streams, if the sample is random."""

from collections.abc import Callable

import numpy as np
import pytest

from agent.evaluation.intervals import Estimate, Term, ratio, student
from tests.evaluation.simulated_streams import Drawn, Stream

SEEDS = 300
Measure = Callable[[Drawn], Estimate | None]

MEASURES: list[tuple[Measure, str]] = [
    (Drawn.failure_rate, "failure_rate"),
    (Drawn.precision, "precision"),
    (Drawn.recall, "recall"),
]
NAMES = [name for _, name in MEASURES]


@pytest.fixture(scope="module")
def samples() -> list[tuple[Stream, Drawn, Drawn]]:
    made = []
    for seed in range(SEEDS):
        random = np.random.default_rng(seed)
        stream = Stream.simulated(random)
        made.append((stream, stream.random_lane(random), stream.score_lane(random, 100)))
    return made


@pytest.mark.parametrize(("measure", "name"), MEASURES, ids=NAMES)
def test_intervals_of_the_random_lane_contain_the_truth(
    samples: list[tuple[Stream, Drawn, Drawn]], measure: Measure, name: str
) -> None:
    contained, errors = 0, []
    for stream, drawn, _ in samples:
        found, truth = measure(drawn), getattr(stream, name)
        assert found is not None
        contained += found.low <= truth <= found.high
        errors.append(found.value - truth)

    # 0.95 of 300 has a standard error of 0.0126.
    assert 0.91 <= contained / SEEDS <= 0.99
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(SEEDS) + 0.002


@pytest.mark.parametrize(("measure", "name"), MEASURES, ids=NAMES)
def test_intervals_of_the_score_lane_never_contain_the_truth(
    samples: list[tuple[Stream, Drawn, Drawn]], measure: Measure, name: str
) -> None:
    contained = 0
    for stream, _, chosen in samples:
        found = measure(chosen)
        assert found is not None
        contained += found.low <= getattr(stream, name) <= found.high

    assert contained == 0


def test_a_failure_rate_is_weighted() -> None:
    """Half of the time has all failures, and slots twice as long."""
    found = ratio([Term(1.0, 0.0, 1.0)] * 100 + [Term(2.0, 1.0, 1.0)] * 50)

    assert found is not None
    assert found.value == 0.5


@pytest.mark.parametrize("hits", [0, 1, 10, 19, 20])
def test_a_wilson_interval_is_within_0_and_1(hits: int) -> None:
    """It contains the share, stays within 0 and 1, and reaches an end only for none or all."""
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


def test_boxes_of_few_frames_give_a_wider_interval_than_boxes_of_many() -> None:
    together = ratio([Term(1.0, 10.0, 10.0), Term(1.0, 0.0, 10.0)] * 5)
    apart = ratio([Term(1.0, float(n % 2), 1.0) for n in range(100)])

    assert together is not None
    assert apart is not None
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_without_cases_there_is_no_estimate() -> None:
    assert ratio([]) is None
    assert ratio([Term(1.0, 0.0, 0.0)] * 5) is None
    assert ratio([Term(0.0, 1.0, 1.0)]) is None


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)],
)
def test_the_t_quantiles_match_published_tables(degrees: int, quantile: float) -> None:
    assert student(0.975, degrees) == pytest.approx(quantile, rel=0.01)
