"""Captures of the lane `auto`: sent last, within a budget of their own."""

from pathlib import Path

import pytest

from agent.domain import Lane
from agent.selection.budget.auto_order import OFF, AutoOrder
from agent.selection.budget.hint import SendHint
from agent.selection.budget.ledger import Ledger
from agent.selection.budget.purchase import BudgetedOrder
from agent.selection.cover import Cover
from agent.spool.index_reading import DATABASE
from agent.spool.layout import SpoolPaths
from agent.spool.status import best_waiting
from tests.fakes.captures import capture_id, entry
from tests.fakes.clock import ManualClock
from tests.selection.budgeted_spool import (
    capture_of_scene,
    clock_at_midnight,
    send_all,
    spool_at,
    view_of_scene,
)

DAY_S = 86_400.0


@pytest.mark.parametrize("per_day", [0, 24])
def test_auto_labels_are_sent_last_and_evenly_over_the_day(tmp_path: Path, per_day: float) -> None:
    """Whether there is a labelling budget or not."""
    clock = clock_at_midnight()
    with spool_at(tmp_path, clock, per_day, auto_per_day=4) as spool:
        spool.put([capture_of_scene(n, n / 10, lane=Lane.AUTO) for n in (1, 2, 3)])
        spool.put([capture_of_scene(n, 0.01) for n in (11, 12)])
        clock.now += DAY_S / 4 + 1
        first = send_all(spool)
        clock.now += DAY_S / 4
        second = send_all(spool)

    assert first == [capture_id(11), capture_id(12), capture_id(3)]
    assert second == [capture_id(2)]


@pytest.mark.parametrize("auto", [0, 10])
def test_labelling_credits_buy_the_same_with_and_without_auto_labels(
    tmp_path: Path, auto: int
) -> None:
    clock, others = clock_at_midnight(), []
    with spool_at(tmp_path, clock, 10, auto_per_day=auto) as spool:
        spool.put([capture_of_scene(n, n / 100) for n in range(12)])
        spool.put([capture_of_scene(100 + n, 5.0, lane=Lane.AUTO) for n in range(auto)])
        for _ in range(6):
            clock.now += 4 * 3600.0
            others += [one for one in send_all(spool) if one <= capture_id(40)]

    # No random capture waits; of ten credits one accrues at the end of the day.
    assert others == [capture_id(n) for n in range(11, 2, -1)]


def test_waiting_auto_labels_stay_when_the_setting_is_switched_off(tmp_path: Path) -> None:
    clock = clock_at_midnight()
    with spool_at(tmp_path, clock, 0, auto_per_day=4) as spool:
        spool.put([capture_of_scene(1, 1.0, lane=Lane.AUTO)])
    with spool_at(tmp_path, clock, 0) as spool:
        clock.now += DAY_S
        assert send_all(spool) == []
        assert spool.waiting() == 1


def test_the_best_that_wait_are_those_that_need_a_person(tmp_path: Path) -> None:
    with spool_at(tmp_path, clock_at_midnight(), 0, auto_per_day=4) as spool:
        spool.put([capture_of_scene(1, 5.0, lane=Lane.AUTO), capture_of_scene(2, 0.5)])

        assert [each.id for each in best_waiting(tmp_path, 2)] == [capture_id(2), capture_id(1)]


def test_why_auto_labels_wait_is_said(tmp_path: Path) -> None:
    del tmp_path
    clock = ManualClock(0.0)
    for per_day, words in ((0, OFF), (4, "AGENT_AUTO_PER_DAY=4, 0 sent today")):
        order = AutoOrder(
            BudgetedOrder(Ledger(1), clock.reading),
            Ledger(per_day, 0.0, for_auto=True),
            clock.reading,
        )
        order.report()
        order.arrive(entry(1, lane=Lane.AUTO), "")

        assert order.choose() is None
        assert words in order.reason()


def test_a_delivery_that_fails_costs_no_second_credit(tmp_path: Path) -> None:
    clock = clock_at_midnight()
    with spool_at(tmp_path, clock, 0, auto_per_day=2) as spool:
        spool.put([capture_of_scene(n, 1.0, lane=Lane.AUTO) for n in (1, 2)])
        clock.now += DAY_S / 2 + 1
        for _ in range(3):
            capture = spool.claim()
            assert capture is not None
            assert capture.id == capture_id(2)
            spool.release(capture.id)
    with spool_at(tmp_path, clock, 0, auto_per_day=2) as spool:
        assert send_all(spool) == [capture_id(2)]


@pytest.mark.parametrize("copy", [0, 1])
def test_the_budget_holds_when_the_index_and_a_copy_of_the_ledger_are_lost(
    tmp_path: Path, copy: int
) -> None:
    clock, sent = clock_at_midnight(), []
    for start in range(3):
        with spool_at(tmp_path, clock, 0, auto_per_day=2) as spool:
            spool.put([capture_of_scene(10 * start + n, 1.0, lane=Lane.AUTO) for n in range(4)])
            clock.now += DAY_S
            clock.wall_offset -= DAY_S  # the date stays
            sent += send_all(spool)
        for file in (tmp_path / "cache").glob(f"{DATABASE}*"):
            file.write_bytes(b"damaged")
        SpoolPaths(tmp_path).auto_ledgers[copy].write_bytes(b"damaged")

    assert len(sent) == 2


def test_what_was_sent_or_waits_is_known_after_a_restart() -> None:
    """A frame that looks like it is then no new one."""
    clock = clock_at_midnight()
    order = AutoOrder(
        BudgetedOrder(Ledger(1), clock.reading), Ledger(1.0, 0.0, for_auto=True), clock.reading
    )
    order.report()
    clock.now += DAY_S + 1
    for number in (1, 2):
        order.arrive(
            entry(number, lane=Lane.AUTO), SendHint(view_of_scene(number, 1.0, number)).text
        )
    choice = order.choose()
    assert choice is not None
    assert choice.entry == entry(2, lane=Lane.AUTO), "of equals the newer one"
    notes = {name: text for name, text in choice.notes.items() if text is not None}
    cover = Cover()
    again = AutoOrder(
        BudgetedOrder(Ledger(1), clock.reading),
        Ledger(1.0, 0.0, for_auto=True),
        clock.reading,
        cover,
    )
    again.restore(notes, [(entry(1, lane=Lane.AUTO), SendHint(view_of_scene(1, 1.0, 1)).text)])

    new = [sum(cover.contributions(view_of_scene(9, 1.0, n), clock.now)) for n in (1, 2, 3)]
    assert new == pytest.approx([0, 0, 1], abs=0.01)


def test_a_damaged_note_is_said_and_ignored() -> None:
    clock, said = clock_at_midnight(), list[str]()
    order = AutoOrder(
        BudgetedOrder(Ledger(1), clock.reading),
        Ledger(1.0, 0.0, for_auto=True),
        clock.reading,
        unreadable=said.append,
    )
    order.restore({"ledger_auto": "{", "sent_auto/x": "nan?\n", "sent_auto/y": "1\nz"}, [])

    assert said == ["ledger_auto", "sent_auto/x"]
    assert order.choose() is None
