"""Rounding many numbers at once gives what `round` gives for each."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.record.rounding import rounded

numbers = st.one_of(
    st.floats(-1e12, 1e12),
    st.floats(0, 2000, width=32),
    st.integers(-4_000_000, 4_000_000).map(lambda n: n / 1000),  # in the middle, as far as it goes
    st.integers(-64_000, 64_000).map(lambda n: n / 32),  # exactly in the middle
)


@given(st.lists(numbers, max_size=20), st.sampled_from([2, 4]))
def test_each_number_is_what_round_returns(values: list[float], digits: int) -> None:
    found = rounded(np.array(values), digits).tolist()

    assert [repr(each) for each in found] == [repr(round(each, digits)) for each in values]
