"""Which captures are purchased, and when, with spools that are killed and reopened."""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Lane, SpoolEntry
from agent.ports import SendDecision
from agent.selection.budget import purchase as purchase_module
from agent.selection.budget.hint import SendHint
from agent.selection.budget.ledger import DAY_S, Ledger
from agent.selection.budget.purchase import REMEMBERED_S, BudgetedOrder
from agent.selection.camera_cover import MOST_SHOWN
from agent.selection.cover import UNSEEN, Cover
from agent.selection.view import Place, View
from agent.spool.eviction import EvictionQueue, InclusionProbabilities
from agent.system import uuid7
from tests.fakes.captures import capture_id
from tests.selection.budgeted_spool import (
    WaitingCaptures,
    capture_of_scene,
    clock_at_midnight,
    hint_of_scene,
    send_all,
    spool_at,
    view_of_scene,
)

HOUR = 3600.0


def test_credits_are_spent_when_captures_are_claimed_the_best_first(tmp_path: Path) -> None:
    """After three days without network, the credits of today buy the best captures."""
    clock = clock_at_midnight()
    with spool_at(tmp_path, clock, 10) as spool:
        spool.put([capture_of_scene(n, n / 100) for n in range(60)])
        for _ in range(3 * 24):
            clock.now += HOUR
            spool.report()
        assert spool.report()["credits_spent_today"] == 0
        clock.now += DAY_S / 2
        sent = send_all(spool)

    assert sent == [capture_id(n) for n in range(59, 59 - len(sent), -1)]
    assert 4 <= len(sent) <= 6


def test_a_paid_capture_is_sent_again_without_a_second_credit(tmp_path: Path) -> None:
    clock = clock_at_midnight()
    with spool_at(tmp_path, clock, 10) as spool:
        spool.put([capture_of_scene(n, n / 10) for n in range(5)])
        assert spool.claim() is None
        clock.now += 2.5 * HOUR
        first = spool.claim()
    with spool_at(tmp_path, clock, 10) as spool:
        again = spool.claim()
        assert spool.claim() is None

    assert first is not None
    assert again is not None
    assert again.id == first.id


def test_a_capture_delivered_before_a_kill_costs_no_credit_of_the_next_day(tmp_path: Path) -> None:
    clock = clock_at_midnight()
    for _ in range(3):
        with spool_at(tmp_path, clock, 10) as spool:
            spool.put([capture_of_scene(int(clock.now) + 1, 0.5)])
            clock.now += DAY_S / 2
            assert len(send_all(spool)) == 1
        clock.now += DAY_S / 2
    with spool_at(tmp_path, clock, 10) as spool:
        spool.claim()
        assert spool.report()["credits_spent_today"] == 0


VIEW = View("gate", bits=1, digest="one", places=(Place(0.5, label="car"),))


class ForgetsWhatWasPurchased(BudgetedOrder):
    """Bug: after a restart, what was purchased before is purchased again."""

    def restore(self, notes: Mapping[str, str], waiting: Iterable[tuple[SpoolEntry, str]]) -> None:
        super().restore({n: text for n, text in notes.items() if n == "ledger"}, waiting)


@pytest.mark.parametrize(
    ("is_killed", "make", "purchased"),
    [(False, BudgetedOrder, 3), (True, BudgetedOrder, 3), (True, ForgetsWhatWasPurchased, 2)],
)
def test_a_capture_of_what_was_purchased_has_less_value_also_after_a_kill(
    tmp_path: Path, make: type[BudgetedOrder], purchased: int, *, is_killed: bool
) -> None:
    clock = clock_at_midnight()
    with spool_at(tmp_path, clock, 24, make) as spool:
        spool.put([capture_of_scene(1, 0.9, scene=1)])
        clock.now += HOUR + 1
        assert send_all(spool) == [capture_id(1)]
        spool.put([capture_of_scene(2, 0.8, scene=1), capture_of_scene(3, 0.4, scene=3)])
        clock.now += HOUR
        if not is_killed:
            assert send_all(spool) == [capture_id(purchased)]
    if is_killed:
        with spool_at(tmp_path, clock, 24, make) as spool:
            assert send_all(spool) == [capture_id(purchased)]


def test_what_was_purchased_is_forgotten_with_a_half_life_of_a_day() -> None:
    clock = clock_at_midnight()
    waiting = WaitingCaptures(24, clock)
    waiting.show(1, view_of_scene(1, 0.8, scene=1))
    clock.now += HOUR
    assert waiting.buy() == 1
    waiting.show(2, view_of_scene(2, 0.8, scene=1))

    values = []
    for _ in range(3):
        values.append(waiting.order.current_value(capture_id(2)))
        clock.now += DAY_S

    assert values == pytest.approx([0.0, 0.4, 0.6], abs=0.01)


def test_a_capture_that_waits_is_purchased_once_enough_is_forgotten() -> None:
    clock = clock_at_midnight()
    waiting = WaitingCaptures(24, clock, min_value=0.3)
    waiting.show(1, view_of_scene(1, 0.8, scene=1))
    clock.now += HOUR
    assert waiting.buy() == 1
    waiting.show(2, view_of_scene(2, 0.8, scene=1))
    hours = 0
    while waiting.buy() is None:
        clock.now += HOUR
        hours += 1

    assert hours == pytest.approx(24 * 0.68, abs=1)  # 0.8 (1 - 0.5 ^ (hours / 24)) is 0.3


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(("run", "left"), [("one", 0.2), ("two", 0.8)])
def test_only_the_process_that_saw_a_track_knows_it_again(
    run: str, left: float, *, is_restarted: bool
) -> None:
    """Numbers of tracks begin again with each process, and name other objects then.

    What waits and what was purchased may be read by another process: `flush`, or the next daemon.
    """
    clock = clock_at_midnight()
    waiting = WaitingCaptures(24, clock)
    waiting.show(1, replace(view_of_scene(1, 0.6, scene=1, track=7), run="one"))
    clock.now += HOUR
    assert waiting.buy() == 1
    if is_restarted:
        waiting.restart()
    waiting.show(2, replace(view_of_scene(2, 0.8, scene=2, track=7), run=run))

    assert waiting.order.current_value(capture_id(2)) == pytest.approx(left + UNSEEN, abs=0.03)


@pytest.mark.parametrize("damaged", ["", "garbage", "nan\ngate", "[" * 100_000])
def test_a_damaged_note_of_a_purchase_is_told_and_ignored(damaged: str) -> None:
    told: list[str] = []
    clock = clock_at_midnight()
    order = WaitingCaptures(24, clock).order
    order.unreadable = told.append

    order.restore({"sent/a": damaged, "sent/b": f"0\n{SendHint(VIEW).text}"}, [])

    assert told == ["sent/a"]
    assert order.cover.value(VIEW, clock.now) == 0.0


@pytest.mark.parametrize("damaged", ["", "{}", "garbage"])
def test_a_damaged_ledger_starts_at_zero_without_a_credit(damaged: str) -> None:
    told: list[str] = []
    waiting = WaitingCaptures(24, clock_at_midnight())
    waiting.order.unreadable = told.append

    waiting.order.restore({"ledger": damaged}, [])
    waiting.show(1, VIEW)

    assert told == ["ledger"]
    assert waiting.buy() is None


class BuysAnything(BudgetedOrder):
    """Bug: a credit buys the best capture, whatever its value is."""

    def choose(self) -> SendDecision | None:
        self.min_value = 0.0
        return super().choose()


@pytest.mark.parametrize(
    ("make", "purchased"), [(BudgetedOrder, [2, 3]), (BuysAnything, [2, 3, 1])]
)
def test_nothing_below_the_least_value_is_purchased(
    make: type[BudgetedOrder], purchased: list[int]
) -> None:
    clock = clock_at_midnight()
    waiting = WaitingCaptures(24, clock, min_value=0.3, make=make)
    for number, p in ((1, 0.2), (2, 0.9), (3, 0.5)):
        waiting.show(number, view_of_scene(number, p, scene=number))
    clock.now += 12 * HOUR

    assert waiting.buy_all() == purchased


def test_the_reason_says_that_what_was_asked_for_had_its_tenth() -> None:
    clock = clock_at_midnight()
    waiting = WaitingCaptures(5, clock)
    for number in (1, 2):
        waiting.arrive(number, hint_of_scene(number, 0.5), lane=Lane.REQUESTED)
    clock.now += 20 * HOUR

    assert waiting.buy_all() == [1]
    assert waiting.order.reason() == (
        "requested captures and verdicts have had their tenth of the credits of "
        "AGENT_BUDGET_PER_DAY=5"
    )


def test_the_reason_says_that_no_capture_is_worth_a_credit() -> None:
    clock = clock_at_midnight()
    waiting = WaitingCaptures(24, clock, min_value=0.3)
    waiting.show(1, view_of_scene(1, 0.2, scene=1))
    waiting.order.choose()
    no_credit = waiting.order.reason()
    clock.now += 2 * HOUR
    waiting.order.choose()

    assert "no credit is left now: AGENT_BUDGET_PER_DAY=24, 0 spent today" in no_credit
    assert waiting.order.reason() == (
        "no capture is worth a credit: the best would show 0.25 new failures, "
        "which is below AGENT_MIN_VALUE=0.3"
    )


def test_a_credit_waits_for_a_capture_that_is_worth_it() -> None:
    clock = clock_at_midnight()
    waiting = WaitingCaptures(24, clock, min_value=0.3)
    waiting.show(1, view_of_scene(1, 0.2, scene=1))
    clock.now += 2 * HOUR
    assert waiting.buy() is None
    waiting.show(2, view_of_scene(2, 0.4, scene=2))

    assert waiting.buy_all() == [2]


def test_degraded_frames_get_at_most_a_twentieth_of_the_credits(tmp_path: Path) -> None:
    clock = clock_at_midnight()
    with spool_at(tmp_path, clock, 100) as spool:
        spool.put([capture_of_scene(n, 0.9, is_degraded=True) for n in range(50)])
        spool.put([capture_of_scene(n, 0.1) for n in range(50, 150)])
        sent = []
        for _ in range(95):
            sent += send_all(spool)
            clock.now += 900.0
    dark = {capture_id(n) for n in range(50)}

    assert len(dark & set(sent)) == 4  # the fifth accrues at the end of the day
    assert len(sent) > 60


def test_a_crowd_of_doubts_is_purchased_before_a_single_one() -> None:
    clock = clock_at_midnight()
    waiting = WaitingCaptures(24, clock)
    waiting.show(1, view_of_scene(1, 0.9, scene=1))
    crowd = [view_of_scene(2, 0.3, scene=scene).places[0] for scene in range(2, 7)]
    waiting.show(2, View("gate", bits=3, digest="crowd", places=tuple(crowd)))
    clock.now += 3 * HOUR

    assert waiting.buy_all() == [2, 1]


ARRIVALS = st.tuples(st.just("arrive"), st.integers(0, 3), st.integers(0, 3), st.integers(1, 9))
ACTIONS = st.lists(
    st.one_of(
        ARRIVALS,
        ARRIVALS,
        st.tuples(st.sampled_from(["buy", "hour", "leave"]), *[st.just(0)] * 3),
    ),
    max_size=40,
)


@given(ACTIONS, st.sampled_from([0.0, 0.1, 0.5]))
def test_each_credit_buys_the_highest_value_of_all_waiting_captures(
    actions: Sequence[tuple[str, int, int, int]], min_value: float
) -> None:
    """The order values few captures at each purchase; the model values all of them."""
    clock = clock_at_midnight()
    waiting = WaitingCaptures(100_000, clock, min_value=min_value)
    model, held = Cover(), dict[int, View]()
    clock.now += HOUR

    for number, (action, scene, track, tenths) in enumerate(actions):
        if action == "arrive":
            view = view_of_scene(number, tenths / 10, scene, track=track or None)
            waiting.show(number, view)
            held[number] = view
        elif action == "hour":
            clock.now += HOUR
        elif action == "leave" and held:
            oldest = min(held)
            waiting.order.leave(waiting.waiting.pop(oldest)[0])
            del held[oldest]
        elif action == "buy":
            values = {n: model.value(view, clock.now) for n, view in held.items()}
            best = max(values, key=lambda n: (values[n], -n), default=None)
            expected = best if best is not None and values[best] >= min_value else None
            assert waiting.buy() == expected
            if expected is not None:
                model.add(held.pop(expected), clock.now)


def test_a_value_that_was_computed_before_a_purchase_is_computed_again_after_it() -> None:
    clock = clock_at_midnight()
    waiting = WaitingCaptures(100_000, clock)
    clock.now += HOUR
    waiting.show(1, view_of_scene(1, 0.5, scene=1, track=7))
    assert waiting.buy() == 1
    waiting.show(2, view_of_scene(2, 0.9, scene=4, track=7))  # 0.4 of it is new
    waiting.show(3, view_of_scene(3, 0.6, scene=2, track=8))
    assert waiting.buy() == 3
    waiting.arrive(4, SendHint(view_of_scene(4, 0.9, scene=5, track=7)).text, lane=Lane.REQUESTED)
    assert waiting.buy() == 4  # now nothing of 2 is new
    waiting.show(5, view_of_scene(5, 0.2, scene=3, track=9))

    assert waiting.buy() == 5


def test_the_notes_of_purchases_are_bounded_in_number_and_age() -> None:
    clock = clock_at_midnight()
    waiting = WaitingCaptures(100_000, clock)
    for number in range(MOST_SHOWN + 50):
        clock.now += 10.0
        waiting.show(number, view_of_scene(number, 0.5, scene=number))
        assert waiting.buy() == number
    many = len(waiting.notes)
    clock.now += REMEMBERED_S + 60
    waiting.restart()
    waiting.show(9999, view_of_scene(9999, 0.5, scene=9999))
    waiting.buy()

    assert many == MOST_SHOWN + 1  # and the ledger
    assert waiting.notes.keys() == {"ledger", "sent/" + capture_id(9999)}


def test_a_hint_that_cannot_be_read_leaves_the_value_of_the_capture() -> None:
    clock = clock_at_midnight()
    waiting = WaitingCaptures(24, clock, min_value=0.3)
    waiting.arrive(1, "gate\n0\nany text", value=0.5)
    waiting.arrive(2, "", value=0.6)
    waiting.arrive(3, "gate\n1\n{}", value=0.2)
    clock.now += 12 * HOUR

    assert waiting.buy_all() == [2, 1]
    assert SendHint.from_text("gate\n1\nany text") == SendHint(
        View("gate"), is_degraded=True, is_known=False
    )


@pytest.mark.parametrize("lane", [Lane.RANDOM, Lane.INTERVAL, Lane.REQUESTED, Lane.VERDICT])
def test_what_other_lanes_purchased_covers_too(lane: Lane) -> None:
    clock = clock_at_midnight()
    order = BudgetedOrder(Ledger(100, random_share=0.5), clock.reading)
    order.choose()
    order.arrive(SpoolEntry(capture_id(1), lane, 1.0, 1, 1), hint_of_scene(1, 0.8, scene=1))
    order.arrive(SpoolEntry(capture_id(2), Lane.SCORE, 0.8, 2, 1), hint_of_scene(2, 0.8, scene=1))
    clock.now += 2 * HOUR
    before = order.current_value(capture_id(2))
    choice = order.choose()
    assert choice is not None
    order.take(choice)

    assert choice.entry.id == capture_id(1)
    assert before == pytest.approx(0.8 + UNSEEN)
    assert order.current_value(capture_id(2)) == pytest.approx(0.0)


def test_failures_that_people_saw_come_first_and_affirmations_get_half_of_their_credits() -> None:
    clock = clock_at_midnight()
    waiting = WaitingCaptures(100, clock)
    for number in range(33):
        value = 0.0 if number < 20 else 1.0
        waiting.arrive(number, hint_of_scene(number, 0.5), lane=Lane.VERDICT, value=value)
        waiting.show(100 + number, view_of_scene(100 + number, 0.5, 100 + number))
    clock.now += 12 * HOUR

    purchased = waiting.buy_all()

    assert purchased[:10] == list(range(20, 30))  # the tenth of the lane, the oldest first
    assert all(number >= 100 for number in purchased[10:])
    clock.now += 24 * HOUR
    assert waiting.buy_all() == [30, 31, 32, *range(5)]


def weight_of_arrivals(seed: int) -> float:
    """Return the sum of weights of arrivals of 100 random captures; some are evicted meanwhile."""
    draw, clock = random.Random(seed), clock_at_midnight()
    order = BudgetedOrder(Ledger(10**6, random_share=1.0), clock.reading)
    catalogue, inclusion, total = EvictionQueue(), InclusionProbabilities(), 0.0

    def send() -> bool:
        nonlocal total
        clock.now += 1.0
        choice = order.choose()
        if choice is not None:
            order.take(choice)
            order.leave(choice.entry)
            catalogue.remove(choice.entry)
            total += 1 / inclusion.probability_of(choice.entry.sequence)
        return choice is not None

    for number in range(100):
        entry = SpoolEntry(uuid7(number, draw.getrandbits(80)), Lane.RANDOM, 0.0, number, 1)
        order.arrive(entry, "gate")
        catalogue.add(entry)
        if catalogue.random_bytes > 20 * 4096:
            [least] = catalogue.plan([], excess=1, random_quota=0)
            order.leave(least)
            catalogue.remove(least)
            inclusion = inclusion.after_eviction(least.random_tag, number + 1)
        if number > 20 and number % 4 == 0:
            send()
    while send():
        pass
    return total


def standard_errors_off(totals: Sequence[float]) -> float:
    return abs(fmean(totals) - 100) / (stdev(totals) / math.sqrt(len(totals)))


def test_the_weights_of_arrivals_are_unbiased_while_others_are_evicted() -> None:
    assert standard_errors_off([weight_of_arrivals(seed) for seed in range(80)]) < 3


def test_sending_in_the_order_of_eviction_tags_is_caught_as_a_bias(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(purchase_module, "_random_order", lambda entry: entry.random_tag)

    assert standard_errors_off([weight_of_arrivals(seed) for seed in range(80)]) > 4


def test_a_credit_buys_a_capture_unlike_those_that_the_endpoint_refused(tmp_path: Path) -> None:
    """Those of the highest value may share what is refused, and the credits go on accruing."""
    clock = clock_at_midnight()
    with spool_at(tmp_path, clock, 100) as spool:
        spool.put([capture_of_scene(n, 0.9 - n / 100) for n in range(60)])
        assert spool.claim() is None
        clock.now += DAY_S / 4
        refused = [spool.claim() for _ in range(3)]
        ids = [one.id for one in refused if one is not None]
        other = spool.claim(unlike=ids)
        assert spool.report()["credits_spent_today"] == 4

    assert ids == [capture_id(n) for n in range(3)]
    assert other is not None
    assert other.id in [capture_id(n) for n in range(40, 60)]
