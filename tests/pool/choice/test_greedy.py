"""The choice is the exact greedy one, in bounded memory."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.pool.choice.greedy import Effort, choose
from agent.pool.choices import Bounds, Choice
from tests.pool.choice.drawn import drawn_candidates, shards_of
from tests.pool.choice.naive import naive_choice

EXACT = Effort(exact=10**9)


def taken(choice: Choice) -> list[tuple[str, float, str]]:
    return [(pick.key, pick.value, pick.label) for pick in choice.picks]


bounds = st.builds(
    Bounds,
    st.integers(1, 24),
    st.none() | st.integers(1, 8),
    st.none() | st.integers(1, 6),
    st.dictionaries(st.sampled_from(["car", "person"]), st.integers(0, 5)),
)


@given(
    st.integers(0, 10**6),
    bounds,
    st.sampled_from([1, 2, 3, 7, 1000]),
    st.dictionaries(st.sampled_from(["car", "person"]), st.sampled_from([0.0, 0.5, 3.0])),
    st.integers(0, 8),
)
@settings(max_examples=10, deadline=None)
def test_the_choice_is_that_of_the_definition(
    seed: int, limits: Bounds, memory: int, weights: dict[str, float], before: int
) -> None:
    """However little is held in memory, and however the candidates are divided."""
    candidates = drawn_candidates(seed, 24, "ABC")
    covered = drawn_candidates(seed + 1, before) + candidates[:before]

    choice = choose(
        shards_of(candidates, 1 + seed % 4, seed),
        limits,
        covered,
        weights=weights,
        effort=replace(EXACT, memory=memory),
    )

    assert taken(choice) == naive_choice(candidates, limits, covered, weights)
    assert choice.exact == len(choice.picks)
    assert choice.least_step == 1.0
