"""Verdicts leave memory only for the disk, and nobody waits for it."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.domain import Verdict, VerdictKind
from agent.runtime import facts
from agent.runtime.facts import WRITE_EVERY_S, FactWriter
from agent.spool.spool import Spool
from tests.fakes.captures import new_capture
from tests.fakes.clock import WALL, ManualClock
from tests.fakes.disk.real import RefusingDisk
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import open_test_spool

READ_ONLY = OSError(errno.EROFS, "Read-only file system")


@pytest.fixture
def disk() -> RefusingDisk:
    return RefusingDisk()


@pytest.fixture
def spool(tmp_path: Path, clock: ManualClock, log: Recorder, disk: RefusingDisk) -> Iterator[Spool]:
    with open_test_spool(tmp_path, clock, log, disk=disk) as spool:
        log.lines.clear()
        yield spool


@pytest.fixture
def writer(spool: Spool, log: Recorder) -> FactWriter:
    return FactWriter(spool, log=log.log)


def _verdict(number: int) -> Verdict:
    return Verdict(VerdictKind.RIGHT, "gate", WALL, WALL + number, note=f"n{number}")


def _delivered(spool: Spool) -> list[str]:
    """Return the notes of the verdicts that the next capture carries."""
    spool.put([new_capture(1)])
    capture = spool.claim()
    assert capture is not None
    return [line["note"] for line in capture.record["verdicts"]]


def test_a_verdict_is_stored_at_the_next_step(writer: FactWriter, spool: Spool) -> None:
    writer.keep(_verdict(1))
    writer.keep(_verdict(2))
    assert spool.facts_waiting() == 0

    assert writer.step() == WRITE_EVERY_S
    assert WRITE_EVERY_S < 1
    assert _delivered(spool) == ["n1", "n2"]


def test_an_orderly_stop_stores_all_and_what_comes_later(writer: FactWriter, spool: Spool) -> None:
    writer.keep(_verdict(1))
    writer.close()
    assert spool.facts_waiting() == 1

    writer.keep(_verdict(2))
    assert spool.facts_waiting() == 2


def test_a_disk_that_refuses_is_tried_ever_later_and_loses_nothing(
    writer: FactWriter, spool: Spool, disk: RefusingDisk, log: Recorder
) -> None:
    disk.refuses = READ_ONLY
    writer.keep(_verdict(1))
    waits = [writer.step() for _ in range(7)]
    writer.keep(_verdict(2))
    disk.refuses = None
    writer.step()

    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert log.events == ["verdicts delayed", "verdicts stored"]
    assert _delivered(spool) == ["n1", "n2"]


def test_memory_is_bounded_and_what_is_dropped_is_counted(
    writer: FactWriter,
    spool: Spool,
    disk: RefusingDisk,
    log: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(facts, "MOST_FACTS", 3)
    disk.refuses = READ_ONLY
    for number in range(3):
        writer.keep(_verdict(number))
    writer.step()
    writer.keep(_verdict(3))
    disk.refuses = None
    writer.step()

    assert writer.dropped == log.one("verdicts dropped")["total"] == 1
    assert _delivered(spool) == ["n1", "n2", "n3"]


def test_what_the_disk_refuses_at_the_end_is_counted(
    writer: FactWriter, disk: RefusingDisk, log: Recorder
) -> None:
    disk.refuses = READ_ONLY
    writer.keep(_verdict(1))
    writer.close()

    assert log.one("verdicts dropped")["dropped"] == 1
