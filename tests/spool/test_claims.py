"""Which capture is claimed when some are to come last; several acknowledged at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.spool.spool import Spool
from tests.fakes.captures import capture_id, new_capture
from tests.spool.spool_builders import Machine, counts_add_up


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "spool")


@pytest.fixture
def spool(machine: Machine) -> Iterator[Spool]:
    """A spool of three captures; `A` has the highest value."""
    spool = machine.start()
    spool.put([new_capture(number, value=0.9 - number / 10) for number in range(3)])
    yield spool
    machine.kill()


A, B, C = (capture_id(number) for number in range(3))


@pytest.mark.parametrize(
    ("last", "claimed"),
    [
        ((), A),
        ((A,), B),
        ((A, B), C),
        ((B,), A),
        ((C, A, B), C),
        ((B, A, C), B),
        (("unknown",), A),
    ],
)
def test_captures_named_as_last_are_claimed_when_there_is_no_other(
    spool: Spool, last: tuple[str, ...], claimed: str
) -> None:
    capture = spool.claim(last=last)

    assert capture is not None
    assert capture.id == claimed
    assert spool.in_flight() == 1
    spool.release(claimed)
    order = [one.id for one in iter(spool.claim, None) if one]
    assert order == [A, B, C]


def test_several_are_acknowledged_in_one_transaction(spool: Spool, machine: Machine) -> None:
    for _ in range(2):
        spool.claim()
    spool.acknowledge(A, B)

    assert spool.waiting() == 1
    assert spool.counts()["delivered"] == 2
    assert counts_add_up(spool)
    machine.kill()
    again = machine.start()
    assert again.waiting() == 1
    assert counts_add_up(again)
