"""Verdicts that are given after the capture was made, and travel with later ones."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.domain import StoredCapture
from agent.record.verdicts import MOST_VERDICTS
from agent.selection.budget.ledger import Ledger
from agent.selection.budget.purchase import BudgetedOrder
from agent.spool import facts
from agent.spool.facts import CARRIED_NOTE, FACT_NOTE, MOST_OTHERS, Facts
from agent.spool.layout import SpoolPaths
from agent.spool.rejected import list_rejected
from agent.spool.spool import Spool
from tests.fakes.captures import capture_id, new_capture
from tests.fakes.clock import ManualClock
from tests.spool.spool_builders import Machine, fact_text, facts_in

A, B, C = (capture_id(number) for number in (1, 2, 3))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "spool")
    yield machine
    machine.kill()


@pytest.fixture
def spool(machine: Machine) -> Spool:
    """A spool with three captures; `A` is sent first."""
    spool = machine.start()
    spool.put([new_capture(number, value=1 - number / 10) for number in (1, 2, 3)])
    return spool


def _claim(spool: Spool) -> StoredCapture:
    capture = spool.claim()
    assert capture is not None
    return capture


def test_a_fact_without_a_capture_goes_with_the_next_one(spool: Spool) -> None:
    spool.keep_facts([fact_text(1)])

    assert facts_in(_claim(spool)) == [fact_text(1)]
    assert facts_in(_claim(spool)) == []
    assert spool.facts_waiting() == 1
    spool.acknowledge(A)
    assert spool.facts_waiting() == 0


def test_a_fact_waits_for_its_capture_if_that_was_never_sent(spool: Spool) -> None:
    spool.keep_facts([fact_text(1, B)])

    assert facts_in(_claim(spool)) == []
    assert facts_in(_claim(spool)) == [fact_text(1, B)]


def test_a_fact_about_a_capture_that_was_sent_goes_with_another(spool: Spool) -> None:
    spool.release(_claim(spool).id)
    spool.keep_facts([fact_text(1, A)])

    assert facts_in(_claim(spool)) == []  # `A` again, as it was sent before
    assert facts_in(_claim(spool)) == [fact_text(1, A)]


def test_every_attempt_sends_the_same_also_after_a_restart(spool: Spool, machine: Machine) -> None:
    spool.keep_facts([fact_text(1)])
    sent = _claim(spool)
    spool.release(A)
    spool.keep_facts([fact_text(2), fact_text(3, A)])

    assert _claim(spool).record_json == sent.record_json
    machine.kill()
    assert _claim(machine.start()).record_json == sent.record_json


def test_a_capture_of_an_earlier_process_takes_no_facts(spool: Spool, machine: Machine) -> None:
    """The endpoint may have it already, and would not look at it again."""
    spool.release(_claim(spool).id)
    machine.kill()
    again = machine.start()
    again.keep_facts([fact_text(1)])

    assert [facts_in(_claim(again)) for _ in range(3)] == [[], [], []]
    again.put([new_capture(4)])
    assert facts_in(_claim(again)) == [fact_text(1)]


def test_a_capture_of_an_earlier_process_takes_facts_with_its_purchase(machine: Machine) -> None:
    """The ledger says that it was never sent, so a device that runs for minutes delivers them."""
    time = ManualClock(wall=1_800_000_000.0)
    machine.make_order = lambda: BudgetedOrder(Ledger(100, 0.2), time.reading)
    spool = machine.start()
    spool.put([new_capture(1), new_capture(2)])
    assert spool.claim() is None
    machine.kill()

    again = machine.start()
    again.keep_facts([fact_text(1), fact_text(2, A)])
    again.put([])
    time.now += 7200.0
    sent = _claim(again)
    assert sent.id == A
    assert facts_in(sent) == [fact_text(2, A), fact_text(1)]
    again.keep_facts([fact_text(3)])
    again.release(A)
    machine.kill()
    paid = machine.start()
    assert _claim(paid).record_json == sent.record_json

    paid.reject(A)
    [entry] = list_rejected(machine.disk, SpoolPaths(machine.root))
    paid.requeue(entry)
    time.now += 7200.0
    found = {capture.id: facts_in(capture) for capture in iter(paid.claim, None) if capture}
    assert found == {A: [], B: [fact_text(1), fact_text(2, A), fact_text(3)]}


def test_what_a_replaced_capture_carried_goes_with_another(spool: Spool) -> None:
    spool.keep_facts([fact_text(1)])
    spool.release(_claim(spool).id)
    spool.put([replace(new_capture(4, value=1.0), replaces=A)])

    assert facts_in(_claim(spool)) == [fact_text(1)]


def test_what_a_rejected_capture_carried_goes_with_another(spool: Spool) -> None:
    spool.keep_facts([fact_text(1)])
    spool.reject(_claim(spool).id)

    assert facts_in(_claim(spool)) == [fact_text(1)]


def test_what_a_lost_file_carried_goes_with_another(spool: Spool, machine: Machine) -> None:
    spool.keep_facts([fact_text(1)])
    _claim(spool)
    machine.kill()
    lost = next(path for path in machine.disk.names if A in path.name)
    del machine.disk.names[lost]
    again = machine.start()
    again.put([new_capture(4, value=1.0)])

    assert facts_in(_claim(again)) == [fact_text(1)]


def test_a_record_carries_a_bounded_number_its_own_facts_first(spool: Spool) -> None:
    spool.keep_facts([fact_text(number) for number in range(60)])
    spool.keep_facts([fact_text(100 + number, A) for number in range(20)])

    carried = facts_in(_claim(spool))

    assert len(carried) == MOST_VERDICTS - 1
    assert carried[:20] == [fact_text(100 + number, A) for number in range(20)]
    assert carried[20:] == [fact_text(number) for number in range(43)]
    assert len(facts_in(_claim(spool))) == 60 - 43
    assert MOST_OTHERS < 60


def test_of_too_many_the_oldest_are_dropped_and_counted(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, machine: Machine
) -> None:
    monkeypatch.setattr(facts, "MOST_FACTS", 5)
    assert spool.keep_facts([fact_text(number) for number in range(4)]) == 0
    assert spool.keep_facts([fact_text(number) for number in range(4, 8)]) == 3

    assert facts_in(_claim(spool)) == [fact_text(number) for number in range(3, 8)]
    assert spool.keep_facts([fact_text(8)]) == 1, "what is carried is not dropped"
    assert spool.facts_waiting() == 5
    machine.kill()
    assert machine.start().keep_facts([fact_text(9)]) == 1


def test_damaged_notes_are_ignored() -> None:
    notes = {
        FACT_NOTE + "1": "{",
        FACT_NOTE + "x": fact_text(1),
        FACT_NOTE + "2": '{"verdict": "perfect"}',
        CARRIED_NOTE + A: '{"a": 1}',
        CARRIED_NOTE + B: "[[1]]",
        CARRIED_NOTE + C: "[]",
        "facts_dropped": "many",
    }

    assert Facts(notes).count == 0
