"""Proofs of the spool's promises, to be run on the real code and on planted bugs."""

import errno
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count, product

from agent.domain import Lane
from agent.spool.layout import RESERVE_BYTES
from agent.spool.types import SpoolLimits
from tests.spool.forgetful_disk import Choice, Fault, PowerCut, everything_kept, nothing_kept
from tests.spool.spool_builders import OVERHEAD, Machine, claimable, draft
from tests.spool.witness import Witness

MakeMachine = Callable[..., Machine]
"""From keywords of `Machine`, one in a folder of its own."""

Proof = Callable[[MakeMachine], None]
"""Raises `AssertionError` when a promise is broken."""


def survives_power_cuts(make_machine: MakeMachine) -> None:
    """Power is lost at each step of a life in which all that can happen to a capture happens."""
    for choose in (nothing_kept, everything_kept, _every_other(0), _every_other(1)):
        for step in count(1):
            witness = Witness(make_machine(limits=SpoolLimits(OVERHEAD + 5 * 4096)))
            machine = witness.machine
            machine.disk.strike(Fault(step))
            finished = _live(witness)

            witness.start_again(partial(_start_again, machine, choose))
            witness.put([draft(100, value=1.0)])
            witness.start_again(partial(_start_again, machine, choose))
            machine.kill()
            if finished:
                break


def survives_kills_then_power_cuts(make_machine: MakeMachine) -> None:
    """A process is killed at each step; what the next one finds and adopts survives power cuts."""
    for choose in (nothing_kept, _every_other(0)):
        for step in count(1):
            witness = Witness(make_machine(limits=SpoolLimits(OVERHEAD + 5 * 4096)))
            machine = witness.machine
            machine.disk.strike(Fault(step))
            finished = _live(witness)
            witness.start_again(partial(_start_again, machine))
            witness.start_again(partial(_start_again, machine, choose))
            machine.kill()
            if finished:
                break


def survives_power_cuts_at_start(make_machine: MakeMachine) -> None:
    """Power is lost at each step of a recovery, after a life that was cut at several places."""
    for life in range(5, 50, 7):
        for step in count(1):
            witness = Witness(make_machine(limits=SpoolLimits(OVERHEAD + 5 * 4096)))
            machine = witness.machine
            machine.disk.strike(Fault(life))
            _live(witness)
            machine.lose_power(everything_kept)
            machine.disk.strike(Fault(step))
            finished = False
            with suppress(PowerCut):
                machine.start()
                finished = True
            witness.start_again(partial(_start_again, machine, _every_other(step)))
            machine.kill()
            if finished:
                break


def survives_failed_flushes(make_machine: MakeMachine) -> None:
    """A commit fails, and no other could take its place: the next start finds it done, or not."""
    for doubts, step, goes_on in product(range(3), range(1, 20), (False, True)):
        witness = Witness(make_machine(limits=SpoolLimits(OVERHEAD + 3 * 4096)))
        machine = witness.machine
        machine.medium.doubts = doubts
        witness.put([draft(1, value=0.3), draft(2, value=0.4)])
        identity = _claim(witness)
        machine.disk.strike(Fault(step, errno.EIO, times=2))
        witness.put([draft(3, value=0.5), draft(4, value=0.6)])
        if goes_on:
            witness.acknowledge(identity)
            witness.put([draft(5, value=0.7)])
        witness.start_again(partial(_start_again, machine))
        assert "damaged" not in witness.spool.counts(), "a capture was lost that never was"
        witness.put([draft(6, value=0.8)])
        witness.start_again(partial(_start_again, machine, nothing_kept))
        machine.kill()


def drains_a_full_disk(make_machine: MakeMachine) -> None:
    """Others fill the disk: what waits can be delivered, and then there is room again."""
    witness = Witness(make_machine(capacity=20_000_000))
    machine = witness.machine
    witness.put([draft(number, size=50_000) for number in range(1, 4)])
    machine.disk.foreign = machine.disk.free_bytes(machine.root)
    assert machine.disk.free_bytes(machine.root) == 0

    for _ in range(3):
        identity = _claim(witness)
        witness.acknowledge(identity)
        assert identity in witness.finished, "cannot drain"
    machine.disk.foreign = 0
    witness.put([draft(4)])
    assert machine.disk.size(machine.root / "reserve") == RESERVE_BYTES
    machine.kill()


def delivers_a_refused_put_once(make_machine: MakeMachine) -> None:
    """A put that the disk refused is tried again, delivered, and does not come back."""
    for step in range(1, 9):
        witness = Witness(make_machine())
        first, second = draft(1, value=0.1), draft(2, value=0.2)
        witness.machine.disk.strike(Fault(step, errno.EROFS, lasting=True))
        witness.put([first])
        witness.machine.disk.strike(None)
        if first.id not in witness.waiting:
            witness.put([second, first])
        while identity := witness.claim():
            witness.acknowledge(identity)

        witness.start_again(partial(_start_again, witness.machine))
        assert claimable(witness.spool) == {}
        witness.machine.kill()


def gives_up_a_refused_put_for_good(make_machine: MakeMachine) -> None:
    """A put that the disk refused is tried again on a full disk, and counted as evicted."""
    for step, choose in product(range(1, 9), (nothing_kept, _every_other(0), _every_other(1))):
        witness = Witness(make_machine(capacity=20_000_000))
        machine = witness.machine
        machine.disk.strike(Fault(step, errno.EIO))
        witness.put([draft(1)])
        machine.disk.strike(None)
        if not witness.waiting:
            machine.disk.foreign = machine.disk.free_bytes(machine.root)
            witness.put([draft(1)])
            machine.disk.foreign = 0

        witness.start_again(partial(_start_again, machine, choose))
        machine.kill()


def finishes_what_the_disk_refused(make_machine: MakeMachine) -> None:
    """An acknowledgement or a rejection fails, is repeated, and then the power is lost."""
    for end, step in product(("acknowledge", "reject"), range(1, 9)):
        witness = Witness(make_machine())
        witness.put([draft(1), draft(2)])
        identity = _claim(witness)
        witness.machine.disk.strike(Fault(step, errno.EIO))
        getattr(witness, end)(identity)
        witness.machine.disk.strike(None)
        if identity not in witness.finished:
            getattr(witness, end)(identity)
        assert identity in witness.finished
        witness.start_again(partial(_start_again, witness.machine, nothing_kept))
        witness.machine.kill()


def _start_again(machine: Machine, choose: Choice | None = None) -> None:
    """After the end of the process, or of the power too."""
    machine.kill()
    if choose:
        machine.lose_power(choose)
    machine.start()


def _live(witness: Witness) -> bool:
    """Whether the electricity stayed to the end of all that can happen to a capture."""
    try:
        witness.put([draft(1, value=0.3), draft(2, value=0.4)])
        witness.put([draft(3, lane=Lane.RANDOM), draft(4, value=0.6)])
        first, second = _claim(witness), _claim(witness)
        best = [draft(number, value=number / 10) for number in (7, 8, 9)]
        witness.put([*best, draft(5, lane=Lane.RANDOM)])
        witness.acknowledge(first)
        witness.release(second)
        witness.reject(_claim(witness))
        witness.acknowledge(_claim(witness))
        witness.put([draft(10, value=1.0, size=9000)])
    except PowerCut:
        return False
    return True


def _claim(witness: Witness) -> str:
    identity = witness.claim()
    assert identity is not None, "nothing can be claimed"
    return identity


def _every_other(first: int) -> Choice:
    turn = count(first)
    return lambda bound: bound if next(turn) % 2 else 0
