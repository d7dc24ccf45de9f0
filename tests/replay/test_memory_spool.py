"""The in-memory spool: credits of a recording, its clock and its end."""

import numpy as np
import pytest

from agent.domain import Lane, Thresholds
from agent.replay.memory_spool import MemorySpool
from agent.selection.plan import SelectionPlan
from tests.fakes.captures import capture

SECONDS = 100.0  # length of the recording


def plan(credits_: int, *, share: float = 0.2, is_random: bool = True) -> SelectionPlan:
    return SelectionPlan(
        rules=(),
        thresholds=Thresholds(0.5),
        seed="s",
        is_random=is_random,
        per_day=credits_,
        random_share=share,
        period_s=SECONDS,
    )


def test_credits_accrue_with_the_recording() -> None:
    spool = MemorySpool(plan(10, share=0.0))
    for n in range(50):
        spool.put(capture(n), 100)

    spent = [len(list(spool.buy(at))) for at in (0.0, 25.0, 50.0, 100.0)]

    assert np.cumsum(spent).tolist() == [1, 3, 6, 10]


def test_the_highest_value_is_purchased_first() -> None:
    spool = MemorySpool(plan(10, share=0.0))
    for n, value in enumerate((0.2, 0.9, 0.4)):
        spool.put(capture(n, value=value), 100)

    purchased = list(spool.buy(50.0))

    assert [each.value for each in purchased] == [0.9, 0.4, 0.2]


@pytest.mark.parametrize("lane", list(Lane))
def test_at_the_end_a_lane_may_use_the_credits_of_the_others(lane: Lane) -> None:
    spool = MemorySpool(plan(10))
    for n in range(50):
        spool.put(capture(n, lane=lane), 100)

    purchased = [*spool.buy(99.0), *spool.close()]

    assert len(purchased) == (10 if lane is not Lane.REQUESTED else 1)
    assert len(spool.held) == 50 - len(purchased)


def test_a_near_duplicate_replaces_a_capture_that_is_not_purchased() -> None:
    spool = MemorySpool(plan(10))
    first, better = capture(1, value=0.3), capture(2, value=0.6)
    spool.put(first, 100)

    replaced = spool.put(capture(2, value=0.6, replaces=first.id), 100)

    assert replaced == first.id
    assert spool.held == {better.id}
    assert [each.id for each in spool.close()] == [better.id]


def test_without_a_budget_each_capture_is_purchased_at_once() -> None:
    spool = MemorySpool(plan(0))
    for n in range(7):
        spool.put(capture(n), 100)

    assert len(list(spool.buy(0.0))) == 7
    assert list(spool.close()) == []
