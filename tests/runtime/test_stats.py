"""Counters since the start and since the last look."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runtime.stats import Stats, percentile


def test_taking_empties_the_recent_counts_and_keeps_the_totals() -> None:
    stats = Stats()
    stats.count("stored", 2)
    stats.inferred(0.5)

    recent, seconds = stats.take()
    assert (recent, seconds) == ({"stored": 2, "analysed": 1}, [0.5])
    assert stats.take() == ({}, [])
    assert stats.total() == {"stored": 2, "analysed": 1}


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, 0.0),
        ([7.0], 0.5, 7.0),
        ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0),
        ([float(n) for n in range(1, 21)], 0.95, 19.0),
        ([1.0, 2.0], 1.0, 2.0),
        ([1.0, 2.0], 0.0, 1.0),
    ],
)
def test_a_percentile_is_the_nearest_rank(
    values: list[float], share: float, expected: float
) -> None:
    assert percentile(values, share) == expected


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_at_least_the_share_of_values_is_at_or_below_the_percentile(
    values: list[float], share: float
) -> None:
    limit = percentile(values, share)

    assert limit in values
    assert sum(value <= limit for value in values) >= share * len(values) - 1e-6
