"""The spool without a disk: credits of a recording, its own clock, and its end."""

import numpy as np
import pytest

from agent.domain import Capture, Frame, Lane, Observation, Thresholds
from agent.replay.memory_spool import MemorySpool
from agent.selection.plan import SelectionPlan

SECONDS = 100.0


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


def capture(number: int, *, lane: Lane = Lane.SCORE, value: float = 0.5) -> Capture:
    frame = Frame("c", number, np.zeros((2, 2, 3), np.uint8), float(number), 0.0, 0)
    name = f"00000000-0000-7000-8000-{number:012x}"
    return Capture(Observation(frame, ()), lane, (), value, id=name)


def test_spending_follows_the_recording() -> None:
    shelf = MemorySpool(plan(10, share=0.0))
    for n in range(50):
        shelf.put(capture(n), 100)

    spent = [len(list(shelf.buy(at))) for at in (0.0, 25.0, 50.0, 100.0)]

    assert np.cumsum(spent).tolist() == [1, 3, 6, 10]


def test_the_most_valuable_is_bought_first() -> None:
    shelf = MemorySpool(plan(10, share=0.0))
    for n, value in enumerate((0.2, 0.9, 0.4)):
        shelf.put(capture(n, value=value), 100)

    bought = list(shelf.buy(50.0))

    assert [each.worth for each in bought] == [0.9, 0.4, 0.2]


@pytest.mark.parametrize("lane", list(Lane))
def test_at_the_end_one_lane_spends_what_the_others_leave(lane: Lane) -> None:
    shelf = MemorySpool(plan(10))
    for n in range(50):
        shelf.put(capture(n, lane=lane), 100)

    bought = [*shelf.buy(99.0), *shelf.close()]

    assert len(bought) == (10 if lane is not Lane.REQUESTED else 1)
    assert len(shelf.held) == 50 - len(bought)


def test_what_is_replaced_leaves_unless_it_is_bought() -> None:
    shelf = MemorySpool(plan(10))
    first, better = capture(1, value=0.3), capture(2, value=0.6)
    shelf.put(first, 100)

    replaced = shelf.put(
        Capture(better.observation, better.lane, (), 0.6, id=better.id, replaces=first.id), 100
    )

    assert replaced == first.id
    assert shelf.held == {better.id}
    assert [each.id for each in shelf.close()] == [better.id]


def test_without_a_budget_all_is_bought_at_once() -> None:
    shelf = MemorySpool(plan(0))
    for n in range(7):
        shelf.put(capture(n), 100)

    assert len(list(shelf.buy(0.0))) == 7
    assert list(shelf.close()) == []
