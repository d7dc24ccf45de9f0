"""The in-memory spool: credits of a recording, its clock and its end."""

from dataclasses import replace

import numpy as np
import pytest

from agent.domain import LANES, Capture, Lane, Thresholds
from agent.replay.memory_spool import MemorySpool, Purchase
from agent.selection.budget.hint import SendHint
from agent.selection.cover import Cover
from agent.selection.plan import SelectionPlan
from agent.selection.view import Place, View
from tests.fakes.captures import capture

SECONDS = 100.0  # length of the recording


def plan(
    credits_: float, *, share: float = 0.2, is_random: bool = True, min_value: float = 0.1
) -> SelectionPlan:
    return SelectionPlan(
        rules=(),
        thresholds=Thresholds(0.5),
        seed="s",
        is_random=is_random,
        per_day=credits_,
        random_share=share,
        min_value=min_value,
        period_s=SECONDS,
    )


def spool_of(credits_: float, *, share: float = 0.2, min_value: float = 0.1) -> MemorySpool:
    return MemorySpool(plan(credits_, share=share, min_value=min_value), Cover())


def shows(number: int, p: float, track: int) -> Capture:
    """Return a capture that shows one object with this `p`."""
    place = Place(p, label="car", track=track, box=(0.1, 0.1, 0.2, 0.2))
    view = View("gate", at=float(number), places=(place,))
    return replace(capture(number, value=p), hint=SendHint(view).text)


def put(spool: MemorySpool, *captures: Capture) -> list[str]:
    for each in captures:
        spool.put(each, 100)
    return [each.id for each in captures]


def test_credits_accrue_with_the_recording() -> None:
    """None is given before it has accrued."""
    spool = spool_of(10, share=0.0)
    put(spool, *(capture(n) for n in range(50)))

    spent = [len(list(spool.buy(at))) for at in (0.0, 25.0, 50.0, 100.0)]

    assert np.cumsum(spent).tolist() == [0, 2, 5, 10]


@pytest.mark.parametrize(("credits_", "purchased"), [(0.5, 0), (1.5, 1), (2.0, 2)])
def test_only_whole_credits_are_spent(credits_: float, purchased: int) -> None:
    spool = spool_of(credits_, share=0.0)
    put(spool, *(capture(n) for n in range(50)))

    assert len([*spool.buy(SECONDS), *spool.close()]) == purchased


def test_the_highest_value_is_purchased_first() -> None:
    spool = spool_of(10, share=0.0)
    put(spool, *(capture(n, value=value) for n, value in enumerate((0.2, 1.9, 0.4))))

    purchased = list(spool.buy(50.0))

    assert [each.value for each in purchased] == [1.9, 0.4, 0.2]


def test_what_is_worth_too_little_waits_to_the_end() -> None:
    spool = spool_of(10, share=0.0)
    low, enough = put(spool, capture(1, value=0.09), capture(2, value=0.11))

    purchased = [*spool.buy(50.0), *spool.close()]

    assert [each.id for each in purchased] == [enough]
    assert spool.held == {low}


def test_what_a_purchase_showed_lowers_the_value_of_the_others() -> None:
    spool = spool_of(10, share=0.0)
    _, best = put(spool, shows(1, 0.4, track=7), shows(2, 0.6, track=7))

    assert [each.id for each in spool.buy(SECONDS)] == [best]
    assert list(spool.close()) == []


def test_a_purchase_fills_the_cover_that_the_selection_asks() -> None:
    cover = Cover()
    spool = MemorySpool(plan(10, share=0.0), cover)
    put(spool, shows(1, 0.6, track=7))

    list(spool.buy(SECONDS))

    assert cover.version == 1


@pytest.mark.parametrize("lane", list(Lane))
def test_at_the_end_a_lane_may_use_the_credits_of_the_others(lane: Lane) -> None:
    spool = spool_of(10)
    put(spool, *(capture(n, lane=lane) for n in range(50)))

    purchased = [*spool.buy(99.0), *spool.close()]

    most = 0 if lane is Lane.AUTO else 10  # it costs no labelling credit, and gets none
    assert len(purchased) == (most if LANES[lane].budget_limit is None else 1)
    assert len(spool.held) == 50 - len(purchased)


def test_a_better_frame_of_a_cell_replaces_a_capture_that_is_not_purchased() -> None:
    spool = spool_of(10)
    first, better = capture(1, value=0.3), capture(2, value=0.6)
    spool.put(first, 100)

    replaced = spool.put(capture(2, value=0.6, replaces=first.id), 100)

    assert replaced == first.id
    assert spool.held == {better.id}
    assert [each.id for each in spool.close()] == [better.id]


def test_without_a_budget_each_capture_is_purchased_at_once() -> None:
    spool = spool_of(0)
    put(spool, *(capture(n) for n in range(7)))

    purchased: list[Purchase] = list(spool.buy(0.0))

    assert len(purchased) == 7
    assert list(spool.close()) == []
