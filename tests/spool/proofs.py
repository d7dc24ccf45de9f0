"""Proofs of the spool's promises; they run on the real code and on planted bugs."""

import errno
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count, product

from agent.domain import Lane
from agent.selection.budget.ledger import Ledger
from agent.selection.budget.purchase import BudgetedOrder
from agent.spool.layout import RESERVE_BYTES
from agent.spool.spool import Spool
from agent.spool.types import NewCapture, SpoolLimits
from tests.fakes.captures import capture_id, new_capture
from tests.fakes.clock import ManualClock
from tests.fakes.disk.power_cut import (
    ChooseKept,
    DiskFault,
    PowerCut,
    keep_everything,
    keep_nothing,
)
from tests.spool.checked_spool import CheckedSpool
from tests.spool.spool_builders import OVERHEAD, Machine, claimable, fact_text, facts_in

MakeMachine = Callable[..., Machine]
"""Makes a `Machine` in its own folder, from keywords of `Machine`."""

Proof = Callable[[MakeMachine], None]
"""Raises `AssertionError` when a promise is broken."""


def survives_power_cuts(make_machine: MakeMachine) -> None:
    """Power is lost at each step of a run with everything that can happen to a capture."""
    for choose in (keep_nothing, keep_everything, _every_other(0), _every_other(1)):
        for step in count(1):
            checked = CheckedSpool(make_machine(limits=SpoolLimits(OVERHEAD + 5 * 4096)))
            machine = checked.machine
            machine.disk.inject(DiskFault(step))
            finished = _live(checked)

            checked.start_again(partial(_start_again, machine, choose))
            checked.put([new_capture(100, value=1.0)])
            checked.start_again(partial(_start_again, machine, choose))
            machine.kill()
            if finished:
                break


def survives_kills_then_power_cuts(make_machine: MakeMachine) -> None:
    """A process is killed at each step; what the next one adopts survives a power cut."""
    for choose in (keep_nothing, _every_other(0)):
        for step in count(1):
            checked = CheckedSpool(make_machine(limits=SpoolLimits(OVERHEAD + 5 * 4096)))
            machine = checked.machine
            machine.disk.inject(DiskFault(step))
            finished = _live(checked)
            checked.start_again(partial(_start_again, machine))
            checked.start_again(partial(_start_again, machine, choose))
            machine.kill()
            if finished:
                break


def survives_power_cuts_at_start(make_machine: MakeMachine) -> None:
    """Power is lost at each step of a recovery that follows an interrupted run."""
    for life in range(5, 50, 7):
        for step in count(1):
            checked = CheckedSpool(make_machine(limits=SpoolLimits(OVERHEAD + 5 * 4096)))
            machine = checked.machine
            machine.disk.inject(DiskFault(life))
            _live(checked)
            machine.lose_power(keep_everything)
            machine.disk.inject(DiskFault(step))
            finished = False
            with suppress(PowerCut):
                machine.start()
                finished = True
            checked.start_again(partial(_start_again, machine, _every_other(step)))
            machine.kill()
            if finished:
                break


def survives_failed_flushes(make_machine: MakeMachine) -> None:
    """A commit fails and cannot be overwritten: the next start finds it committed, or not."""
    for doubts, step, goes_on in product(range(3), range(1, 20), (False, True)):
        checked = CheckedSpool(make_machine(limits=SpoolLimits(OVERHEAD + 3 * 4096)))
        machine = checked.machine
        machine.medium.doubts = doubts
        checked.put([new_capture(1, value=0.3), new_capture(2, value=0.4)])
        identity = _claim(checked)
        machine.disk.inject(DiskFault(step, errno.EIO, times=2))
        checked.put([new_capture(3, value=0.5), new_capture(4, value=0.6)])
        if goes_on:
            checked.acknowledge(identity)
            checked.put([new_capture(5, value=0.7)])
        checked.start_again(partial(_start_again, machine))
        assert "damaged" not in checked.spool.counts(), (
            "a capture that was never stored was counted as lost"
        )
        checked.put([new_capture(6, value=0.8)])
        checked.start_again(partial(_start_again, machine, keep_nothing))
        machine.kill()


def drains_a_full_disk(make_machine: MakeMachine) -> None:
    """Another program fills the disk: waiting captures can be delivered, then put works again."""
    checked = CheckedSpool(make_machine(capacity=20_000_000))
    machine = checked.machine
    checked.put([new_capture(number, size=50_000) for number in range(1, 4)])
    machine.disk.foreign = machine.disk.free_bytes(machine.root)
    assert machine.disk.free_bytes(machine.root) == 0

    for _ in range(3):
        identity = _claim(checked)
        checked.acknowledge(identity)
        assert identity in checked.finished, "cannot drain"
    machine.disk.foreign = 0
    checked.put([new_capture(4)])
    assert machine.disk.size(machine.root / "reserve") == RESERVE_BYTES
    machine.kill()


def delivers_a_refused_put_once(make_machine: MakeMachine) -> None:
    """A put that the disk refused is repeated and delivered, and does not reappear."""
    for step in range(1, 9):
        checked = CheckedSpool(make_machine())
        first, second = new_capture(1, value=0.1), new_capture(2, value=0.2)
        checked.machine.disk.inject(DiskFault(step, errno.EROFS, lasting=True))
        checked.put([first])
        checked.machine.disk.inject(None)
        if first.id not in checked.waiting:
            checked.put([second, first])
        while identity := checked.claim():
            checked.acknowledge(identity)

        checked.start_again(partial(_start_again, checked.machine))
        assert claimable(checked.spool) == {}
        checked.machine.kill()


def gives_up_a_refused_put_for_good(make_machine: MakeMachine) -> None:
    """A put that the disk refused is repeated on a full disk, and counted as evicted."""
    for step, choose in product(range(1, 9), (keep_nothing, _every_other(0), _every_other(1))):
        checked = CheckedSpool(make_machine(capacity=20_000_000))
        machine = checked.machine
        machine.disk.inject(DiskFault(step, errno.EIO))
        checked.put([new_capture(1)])
        machine.disk.inject(None)
        if not checked.waiting:
            machine.disk.foreign = machine.disk.free_bytes(machine.root)
            checked.put([new_capture(1)])
            machine.disk.foreign = 0

        checked.start_again(partial(_start_again, machine, choose))
        machine.kill()


def finishes_what_the_disk_refused(make_machine: MakeMachine) -> None:
    """An acknowledgement or a rejection fails, is repeated, and then the power is lost."""
    for end, step in product(("acknowledge", "reject"), range(1, 9)):
        checked = CheckedSpool(make_machine())
        checked.put([new_capture(1), new_capture(2)])
        identity = _claim(checked)
        checked.machine.disk.inject(DiskFault(step, errno.EIO))
        getattr(checked, end)(identity)
        checked.machine.disk.inject(None)
        if identity not in checked.finished:
            getattr(checked, end)(identity)
        assert identity in checked.finished
        checked.start_again(partial(_start_again, checked.machine, keep_nothing))
        checked.machine.kill()


def requeues_or_leaves_rejected(make_machine: MakeMachine) -> None:
    """The disk fails at each step of a retried rejection, and then the power is lost."""
    for step, is_lasting, choose in product(
        range(1, 12), (False, True), (keep_nothing, _every_other(0))
    ):
        checked = CheckedSpool(make_machine())
        checked.put([new_capture(1), new_capture(2)])
        identity = _claim(checked)
        checked.reject(identity)
        checked.machine.disk.inject(DiskFault(step, errno.EIO, is_lasting))
        checked.requeue(identity)
        checked.machine.disk.inject(None)
        checked.start_again(partial(_start_again, checked.machine, choose))
        checked.machine.kill()


def survives_a_lost_index(make_machine: MakeMachine) -> None:
    """Power is lost at each step, and the index with it: what was delivered does not come back."""
    for choose in (keep_nothing, keep_everything, _every_other(0), _every_other(1)):
        for step in count(1):
            checked = CheckedSpool(make_machine(limits=SpoolLimits(OVERHEAD + 5 * 4096)))
            machine = checked.machine
            machine.disk.inject(DiskFault(step))
            finished = _live(checked)
            machine.kill()
            machine.lose_index()
            checked.start_again(partial(_start_again, machine, choose), is_index_lost=True)
            checked.put([new_capture(100, value=1.0)])
            checked.start_again(partial(_start_again, machine, choose))
            machine.kill()
            if finished:
                break


def delivers_each_fact_once(make_machine: MakeMachine) -> None:
    """Power is lost at each step of what can happen to a capture that carries facts."""
    for choose in (keep_nothing, _every_other(1)):
        for step in count(1):
            checked = CheckedSpool(make_machine(limits=SpoolLimits(OVERHEAD + 3 * 4096)))
            machine = checked.machine
            machine.disk.inject(DiskFault(step))
            finished = _live_with_facts(checked)
            checked.start_again(partial(_start_again, machine, choose))
            checked.put([new_capture(100, lane=Lane.REQUESTED)])
            if _claim(checked) == capture_id(100):
                assert set(checked.sent[capture_id(100)]) >= checked.free_facts(), "never sent"
            checked.start_again(partial(_start_again, machine, choose))
            machine.kill()
            if finished:
                break


def sends_the_same_after_a_purchase(make_machine: MakeMachine) -> None:
    """Power is lost at each step after a credit was spent on a capture, which carries facts."""
    for choose in (keep_nothing, _every_other(0)):
        for step in count(1):
            time = ManualClock(wall=1_800_000_000.0)
            machine = make_machine(
                make_order=lambda time=time: BudgetedOrder(Ledger(100, 0.2), time.reading)
            )
            machine.start().put([new_capture(1)])
            _start_again(machine)  # so that it is a capture of an earlier process
            machine.spool.keep_facts([fact_text(1)])
            machine.spool.claim()  # the first reading of the clock
            time.now += 7200.0
            machine.disk.inject(DiskFault(step))
            sent: set[bytes] = set()
            finished = _send_and_fail(machine.spool, sent)
            _start_again(machine, choose)
            time.now += 7200.0
            again = machine.spool.claim()
            assert again is not None
            assert sent <= {again.record_json}, "sent with other facts"
            there = [*facts_in(again), *machine.spool.free_facts()]
            assert there.count(fact_text(1)) == 1, "a fact was lost, or is there twice"
            assert sent or not finished
            machine.kill()
            if finished:
                break


def keeps_the_budget(make_machine: MakeMachine) -> None:
    """Power is lost at each step of sending, and the index or a copy of the ledger with it."""
    losses = ((), ("index",), ("index", "a copy"))
    for lost, choose in product(losses, (keep_nothing, _every_other(0))):
        for step in count(1):
            time = ManualClock(wall=1_800_000_000.0)
            machine = make_machine(
                make_order=lambda time=time: BudgetedOrder(Ledger(2, 0.0), time.reading)
            )
            machine.start().put([new_capture(n, value=n / 10) for n in range(1, 7)])
            machine.spool.claim()  # the first reading of the clock
            machine.disk.inject(DiskFault(step))
            sent: set[str] = set()
            finished = _send_for_days(machine, time, sent)
            machine.kill()
            machine.lose_power(choose)
            if "index" in lost:
                machine.lose_index()
            if "a copy" in lost and machine.disk.size(machine.root / "ledger"):
                machine.disk.names[machine.root / "ledger"].written = b"damaged"
            machine.start().put([new_capture(7, value=0.9)])
            _send_for_days(machine, time, sent)
            machine.kill()
            assert len(sent) <= 2, "more than the budget was sent under one date"
            assert sent or not finished
            if finished:
                break


def _send_for_days(machine: Machine, time: ManualClock, sent: set[str]) -> bool:
    """Send all that the budget allows while the date stands still; False after a power cut."""
    try:
        for _ in range(3):
            time.now += 86_400.0
            time.wall_offset -= 86_400.0
            while capture := machine.spool.claim():
                sent.add(capture.id)
                machine.spool.acknowledge(capture.id)
    except PowerCut:
        return False
    return True


def _start_again(machine: Machine, choose: ChooseKept | None = None) -> None:
    """Restart the process, after a power cut if `choose` is given."""
    machine.kill()
    if choose:
        machine.lose_power(choose)
    machine.start()


def _live(checked: CheckedSpool) -> bool:
    """Do everything that can happen to a capture; return whether the power stayed on."""
    try:
        checked.put([new_capture(1, value=0.3), _with_clip(2, value=0.4)])
        checked.put([_with_clip(3, lane=Lane.RANDOM), new_capture(4, value=0.6)])
        first, second = _claim(checked), _claim(checked)
        best = [new_capture(number, value=number / 10) for number in (7, 8)]
        best.append(_with_clip(9, value=0.9))
        checked.put([*best, new_capture(5, lane=Lane.RANDOM)])
        checked.acknowledge(first)
        checked.release(second)
        rejected = _claim(checked)
        checked.reject(rejected)
        checked.acknowledge(_claim(checked))
        checked.requeue(rejected)
        checked.put([new_capture(10, value=1.0, size=9000)])
    except PowerCut:
        return False
    return True


def _live_with_facts(checked: CheckedSpool) -> bool:
    """Deliver, reject, requeue and evict what carries facts; False after a power cut."""
    try:
        checked.put([new_capture(number, value=number / 10) for number in (1, 2, 3)])
        checked.keep_facts([fact_text(1), fact_text(2, capture_id(2))])
        third = _claim(checked)
        checked.keep_facts([fact_text(3, third), fact_text(4, capture_id(1))])
        checked.release(third)
        checked.acknowledge(_claim(checked))
        second = _claim(checked)
        checked.reject(second)
        first = _claim(checked)
        checked.release(first)
        checked.put([new_capture(number, value=number / 10) for number in (5, 6, 7)])
        checked.requeue(second)
        checked.acknowledge(_claim(checked))
        carrier = _claim(checked)
        checked.release(carrier)
        checked.put([new_capture(number, value=number / 10) for number in (8, 9)])
    except PowerCut:
        return False
    return True


def _send_and_fail(spool: Spool, sent: set[bytes]) -> bool:
    """Send a capture twice without a response, and keep a fact; False after a power cut."""
    try:
        for number in (2, 3):
            capture = spool.claim()
            if capture is not None:
                sent.add(capture.record_json)
                spool.keep_facts([fact_text(number)])
                spool.release(capture.id)
    except PowerCut:
        return False
    return True


def _with_clip(number: int, *, lane: Lane = Lane.SCORE, value: float = 0.5) -> NewCapture:
    """Return a capture with a clip that occupies one block, as those without do."""
    clip = (b"before" * 100, b"after" * 100)
    return new_capture(number, lane=lane, value=value, size=1200, clip=clip)


def _claim(checked: CheckedSpool) -> str:
    identity = checked.claim()
    assert identity is not None, "nothing can be claimed"
    return identity


def _every_other(first: int) -> ChooseKept:
    turn = count(first)
    return lambda bound: bound if next(turn) % 2 else 0
