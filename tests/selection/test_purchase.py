"""Which captures are purchased, with a real spool that is killed and reopened."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Lane, SpoolEntry
from agent.selection.budget import purchase as purchase_module
from agent.selection.budget.ledger import DAY_S, Ledger
from agent.selection.budget.purchase import BudgetedOrder, SendHint
from agent.spool.eviction import EvictionQueue, InclusionProbabilities
from agent.system import uuid7
from tests.fakes.captures import capture_id
from tests.selection.budgeted_spool import (
    capture_of_scene,
    clock_at_midnight,
    fingerprint_text,
    send_all,
    spool_at,
)


def test_credits_are_spent_when_captures_are_claimed_the_best_first(tmp_path: Path) -> None:
    """After three days without network, the credits of today buy the best captures."""
    clock = clock_at_midnight()
    with spool_at(tmp_path, clock, 10) as spool:
        spool.put([capture_of_scene(n, n / 100) for n in range(60)])
        for _ in range(3 * 24):
            clock.now += 3600.0
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
            assert len(send_all(spool)) == 1
        clock.now += DAY_S
    with spool_at(tmp_path, clock, 10) as spool:
        spool.claim()
        assert spool.report()["credits_spent_today"] == 0


@pytest.mark.parametrize("is_killed", [False, True])
def test_captures_similar_to_a_purchase_lose_value_for_a_day(
    tmp_path: Path, *, is_killed: bool
) -> None:
    clock = clock_at_midnight()
    with spool_at(tmp_path, clock, 24) as spool:
        spool.put([capture_of_scene(1, 0.9, scene=1)])
        assert send_all(spool) == [capture_id(1)]
        spool.put([capture_of_scene(2, 0.8, scene=1), capture_of_scene(3, 0.4, scene=3)])
        clock.now += 4700.0
        if not is_killed:
            assert send_all(spool) == [capture_id(3)]
    if is_killed:
        with spool_at(tmp_path, clock, 24) as spool:
            assert send_all(spool) == [capture_id(3)]


def test_a_purchase_is_forgotten_after_a_day() -> None:
    clock = clock_at_midnight()
    order = BudgetedOrder(Ledger(24), clock.reading)

    def arrive(number: int, value: float, scene: int) -> None:
        order.arrive(
            SpoolEntry(capture_id(number), Lane.SCORE, value, number, 1),
            SendHint("gate", fingerprint=fingerprint_text(scene)).text,
        )

    def buy() -> str:
        choice = order.choose()
        assert choice is not None
        order.take(choice)
        order.leave(choice.entry)
        return choice.entry.id

    arrive(1, 0.9, 1)
    assert buy() == capture_id(1)
    clock.now += 4700.0
    arrive(2, 0.8, 1)
    arrive(3, 0.4, 3)
    arrive(4, 0.35, 4)
    assert buy() == capture_id(3)
    clock.now += DAY_S
    assert buy() == capture_id(4)  # a purchase is compared with until the next one is recorded
    clock.now += 4700.0
    assert buy() == capture_id(2)


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

    assert len(dark & set(sent)) == 5
    assert len(sent) > 60


@given(st.lists(st.integers(0, 999), min_size=1, max_size=60, unique=True), st.integers(1, 12))
def test_without_the_similarity_term_the_purchases_at_the_end_are_the_top_n(
    values: list[int], per_day: int
) -> None:
    clock = clock_at_midnight()
    order = BudgetedOrder(Ledger(per_day, random_share=0.0), clock.reading)
    order.choose()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(purchase_module, "DIVERSITY", 0.0)
        for number, value in enumerate(values):
            hint = SendHint("gate", fingerprint=fingerprint_text(number % 3)).text
            order.arrive(SpoolEntry(capture_id(number), Lane.SCORE, value / 1000, number, 1), hint)
        clock.now = DAY_S - 1e-6
        purchased = []
        while (choice := order.choose()) is not None:
            order.take(choice)
            purchased.append(choice.entry.value)

    assert purchased == sorted((v / 1000 for v in values), reverse=True)[:per_day]


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


def for_rule(number: int, value: float, rule: str) -> tuple[SpoolEntry, str]:
    hint = SendHint("gate", fingerprint=fingerprint_text(number), rule=rule)
    return SpoolEntry(capture_id(number), Lane.SCORE, value, number, 1), hint.text


@pytest.mark.parametrize("is_restarted", [False, True])
def test_no_rule_gets_all_the_credits(*, is_restarted: bool) -> None:
    """Of a strong rule and a weak one, both are purchased, the strong one more often."""
    clock, notes, purchased = clock_at_midnight(), dict[str, str](), Counter[str]()
    strong = [for_rule(n, 0.7, "strong") for n in range(40)]
    weak = [for_rule(n, 0.5, "weak") for n in range(40, 80)]
    waiting = {entry.id: (entry, hint) for entry, hint in strong + weak}
    order = BudgetedOrder(Ledger(24, random_share=0.0), clock.reading)
    order.restore({}, waiting.values())
    for _ in range(20):
        if is_restarted:
            order = BudgetedOrder(Ledger(24, random_share=0.0), clock.reading)
            order.restore(notes, waiting.values())
        choice = order.choose()
        assert choice is not None
        order.take(choice)
        order.leave(choice.entry)
        notes |= {name: text for name, text in choice.notes.items() if text is not None}
        _, hint = waiting.pop(choice.entry.id)
        purchased[SendHint.from_text(hint).rule] += 1
        clock.now += 3600.0

    assert purchased["weak"] >= 4
    assert purchased["strong"] > purchased["weak"]


def test_a_single_rule_is_purchased_by_value() -> None:
    clock = clock_at_midnight()
    order = BudgetedOrder(Ledger(24, random_share=0.0), clock.reading)
    order.restore({}, [for_rule(n, n / 100, "only") for n in range(30)])
    order.report()
    clock.now = 20 * 3600.0
    purchased = []
    while (choice := order.choose()) is not None:
        order.take(choice)
        purchased.append(choice.entry.value)

    assert purchased == sorted(purchased, reverse=True)
    assert len(purchased) == 21


def test_a_hint_of_an_older_version_can_be_read() -> None:
    assert SendHint.from_text("gate\n1\nany text") == SendHint(
        "gate", is_degraded=True, fingerprint="any text"
    )
