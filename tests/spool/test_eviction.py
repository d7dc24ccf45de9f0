"""The eviction order, compared with a naive model, and unbiased weights."""

import math
import random
from collections.abc import Sequence
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Lane, SpoolEntry
from agent.record.file_format import occupied_bytes
from agent.spool.eviction import EvictionQueue, InclusionProbabilities
from tests.fakes.captures import capture_id, entry
from tests.spool.naive_eviction import naive_plan

_candidates = st.lists(
    st.tuples(
        st.sampled_from(Lane),
        st.integers(0, 4).map(lambda quarter: quarter / 4),
        st.integers(1, 20_000),
        st.integers(0, 2**48 - 1),
    ),
    max_size=12,
).map(
    lambda drawn: [
        entry(number, lane=lane, value=value, size=size, tag=tag)
        for number, (lane, value, size, tag) in enumerate(drawn, start=1)
    ]
)


@given(
    entries=_candidates,
    new_count=st.integers(0, 4),
    excess=st.integers(-5000, 200_000),
    quota=st.integers(0, 100_000),
)
def test_a_plan_is_the_shortest_prefix_of_the_order_that_frees_enough(
    entries: list[SpoolEntry], new_count: int, excess: int, quota: int
) -> None:
    new = entries[len(entries) - min(new_count, len(entries)) :]
    old = entries[: len(entries) - len(new)]

    plan = EvictionQueue(old).plan(new, excess=excess, random_quota=quota)

    assert plan == naive_plan(entries, excess=excess, random_quota=quota)


@given(entries=_candidates, excess=st.integers(1, 200_000), quota=st.integers(0, 100_000))
def test_a_plan_frees_enough_or_evicts_everything(
    entries: list[SpoolEntry], excess: int, quota: int
) -> None:
    plan = EvictionQueue(entries).plan([], excess=excess, random_quota=quota)

    assert sum(occupied_bytes(one) for one in plan) >= excess or len(plan) == len(entries)
    assert sum(occupied_bytes(one) for one in plan[:-1]) < excess


@given(entries=_candidates, value=st.floats(0, 1), quota=st.integers(0, 100_000))
def test_a_new_capture_never_displaces_a_more_valuable_capture(
    entries: list[SpoolEntry], value: float, quota: int
) -> None:
    new = entry(1000, value=value, size=9000)

    plan = EvictionQueue(entries).plan([new], excess=occupied_bytes(new), random_quota=quota)

    assert not [
        one for one in plan if one.lane in {Lane.SCORE, Lane.INTERVAL} and one.value > value
    ]


@given(entries=_candidates, excess=st.integers(1, 200_000), quota=st.integers(0, 100_000))
def test_requested_captures_are_evicted_last(
    entries: list[SpoolEntry], excess: int, quota: int
) -> None:
    plan = EvictionQueue(entries).plan([], excess=excess, random_quota=quota)

    staying = [one for one in entries if one not in plan]
    asked = {Lane.REQUESTED, Lane.VERDICT}
    if any(one.lane in asked for one in plan):
        assert all(one.lane in asked for one in staying)


@given(entries=_candidates, excess=st.integers(1, 200_000), quota=st.integers(0, 100_000))
def test_what_the_model_labelled_itself_is_evicted_first(
    entries: list[SpoolEntry], excess: int, quota: int
) -> None:
    plan = EvictionQueue(entries).plan([], excess=excess, random_quota=quota)

    staying = [one for one in entries if one not in plan]
    if any(one.lane is not Lane.AUTO for one in plan):
        assert not any(one.lane is Lane.AUTO for one in staying)


@given(entries=_candidates, excess=st.integers(1, 200_000), quota=st.integers(0, 100_000))
def test_random_captures_are_evicted_by_tag(
    entries: list[SpoolEntry], excess: int, quota: int
) -> None:
    plan = EvictionQueue(entries).plan([], excess=excess, random_quota=quota)

    leaving = [one.random_tag for one in plan if one.lane is Lane.RANDOM]
    staying = [e.random_tag for e in entries if e.lane is Lane.RANDOM and e not in plan]
    assert leaving == sorted(leaving, reverse=True)
    assert min(leaving, default=1) >= max(staying, default=0)


def test_random_captures_within_their_share_stay_while_others_can_be_evicted() -> None:
    drawn = [entry(number, lane=Lane.RANDOM, tag=number) for number in (1, 2)]
    chosen = [entry(number, value=0.9) for number in (3, 4)]
    queue = EvictionQueue(drawn + chosen)

    assert queue.plan([], excess=8192, random_quota=8192) == chosen
    assert queue.plan([], excess=8192, random_quota=4096) == [drawn[1], chosen[0]]
    assert queue.plan([], excess=12_288, random_quota=8192) == [*chosen, drawn[1]]


def test_random_captures_that_were_sent_before_are_evicted_after_the_others() -> None:
    drawn = [entry(number, lane=Lane.RANDOM, tag=number) for number in range(1, 5)]
    queue = EvictionQueue(drawn[:3], attempted={drawn[2].id})
    queue.add(drawn[3], is_attempted=True)

    assert queue.plan([], excess=16_384, random_quota=0) == [drawn[i] for i in (1, 0, 3, 2)]
    queue.remove(drawn[3])
    assert queue.plan([], excess=16_384, random_quota=0) == [drawn[i] for i in (1, 0, 2)]


@given(
    evictions=st.lists(
        st.tuples(st.integers(0, 4), st.integers(1, 9).map(lambda tenth: tenth / 10)), max_size=20
    )
)
def test_the_compact_list_of_evictions_gives_the_same_probabilities_as_the_full_list(
    evictions: Sequence[tuple[int, float]],
) -> None:
    inclusion = InclusionProbabilities()
    sequence = 0
    everything = []
    for arrivals, tag in evictions:
        sequence += arrivals
        inclusion = InclusionProbabilities.from_text(inclusion.after_eviction(tag, sequence).text)
        everything.append((sequence, tag))

    for one in range(sequence + 1):
        naive = min((tag for before, tag in everything if one < before), default=1.0)
        assert inclusion.probability_of(one) == naive


def _estimate(draw: random.Random, *, by_value: bool) -> float:
    """Estimate the total of 60 values from those that a small spool sent and kept."""
    queue = EvictionQueue()
    kept: dict[int, SpoolEntry] = {}
    inclusion = InclusionProbabilities()
    total = 0.0
    for number in range(60):
        value = number % 7 / 10
        tag = draw.getrandbits(48)
        if by_value:
            tag = (int((1 - value) * 2**32) << 16) + tag % 2**16
        size = draw.choice([4096, 8192, 12_288])
        new = entry(number, lane=Lane.RANDOM, value=value, size=size, tag=tag)
        over = sum(occupied_bytes(one) for one in kept.values()) + occupied_bytes(new) - 10 * 4096
        evicted = queue.plan([new], excess=over, random_quota=0)
        kept[number] = new
        queue.add(new)
        for leaving in evicted:
            inclusion = inclusion.after_eviction(leaving.random_tag, number + 1)
            queue.remove(kept.pop(leaving.sequence))
        if number % 9 == 8 and kept:  # a short connection: the most valuable capture is sent
            first = max(kept.values(), key=lambda one: (one.value, -one.sequence))
            total += first.value / inclusion.probability_of(first.sequence)
            queue.remove(kept.pop(first.sequence))
    return total + sum(one.value / inclusion.probability_of(one.sequence) for one in kept.values())


def _standard_errors_off(*, by_value: bool) -> float:
    draw = random.Random(20_240_229)
    truth = sum(number % 7 / 10 for number in range(60))
    estimates = [_estimate(draw, by_value=by_value) for _ in range(400)]
    standard_error = stdev(estimates) / math.sqrt(len(estimates))
    return abs(mean(estimates) - truth) / standard_error


def test_weights_of_the_remaining_random_captures_are_unbiased() -> None:
    assert _standard_errors_off(by_value=False) < 3


def test_planted_bug_evicting_random_captures_by_value_is_seen_as_a_bias() -> None:
    assert _standard_errors_off(by_value=True) > 10


@pytest.mark.parametrize("number", [0, 1, 99_999])
def test_builders_make_ids_of_version_7(number: int) -> None:
    assert capture_id(number)[14] == "7"
