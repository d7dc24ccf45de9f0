"""A capture leaves memory only for the disk."""

import errno
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from queue import Queue

import pytest

from agent.domain import Box, Capture, EncodedImage, Observation, Suspect
from agent.runtime.stats import Stats
from agent.runtime.writer import GROUP, Writer
from agent.spool.spool import Spool
from tests.fakes.captures import capture
from tests.fakes.clock import ManualClock
from tests.fakes.disk.real import RefusingDisk
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import MAKER, PlainEncoder, open_test_spool

READ_ONLY = OSError(errno.EROFS, "Read-only file system")


class Desk:
    """A writer over a real spool whose disk can refuse."""

    def __init__(self, spool: Spool, disk: RefusingDisk, log: Recorder) -> None:
        self.spool = spool
        self.disk = disk
        self.queue: Queue[Capture] = Queue()
        self.stats = Stats()
        self.writer = Writer(
            self.queue,
            PlainEncoder(),
            MAKER,
            spool,
            synchronized=lambda _: True,
            stats=self.stats,
            log=log.log,
        )

    def bring(self, count: int) -> list[str]:
        brought = [capture(n) for n in range(count)]
        for each in brought:
            self.queue.put(each)
        return [each.id for each in brought]


@pytest.fixture
def desk(tmp_path: Path, clock: ManualClock, log: Recorder) -> Iterator[Desk]:
    disk = RefusingDisk()
    with open_test_spool(tmp_path, clock, log, disk=disk) as spool:
        log.lines.clear()
        yield Desk(spool, disk, log)


def test_captures_that_wait_together_are_stored_together(desk: Desk, log: Recorder) -> None:
    ids = desk.bring(GROUP + 1)

    assert desk.writer.step() == 0.0
    assert desk.spool.waiting() == GROUP
    assert desk.writer.step() == 0.0
    assert [line["capture"] for line in log.lines] == ids
    assert set(log.events) == {"capture stored"}
    assert desk.stats.total()["stored"] == GROUP + 1
    assert desk.writer.pending == 0


def test_the_record_says_what_the_capture_was(desk: Desk) -> None:
    [identity] = desk.bring(1)
    desk.writer.step()

    stored = desk.spool.claim()

    assert stored is not None
    assert stored.id == identity
    assert stored.record["lane"] == "score"
    assert stored.record["clock_synchronized"] is True
    assert stored.record["image"]["bytes"] == len(stored.image)


def test_a_disk_that_refuses_is_tried_ever_later_and_loses_nothing(
    desk: Desk, log: Recorder
) -> None:
    desk.disk.refuses = READ_ONLY
    desk.bring(10)
    waits = [desk.writer.step() for _ in range(7)]

    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert desk.writer.pending == 10
    assert log.events == ["spool unavailable"]
    assert "Read-only" in log.one("spool unavailable")["error"]

    desk.disk.refuses = None
    assert desk.writer.step() == 0.0
    desk.writer.step()
    assert desk.spool.waiting() == 10
    assert log.events[:2] == ["spool unavailable", "spool available"]
    assert log.events.count("capture stored") == 10


def test_after_the_disk_took_writing_the_next_failure_is_logged_again(
    desk: Desk, log: Recorder
) -> None:
    for _ in range(2):
        desk.bring(1)
        desk.disk.refuses = READ_ONLY
        assert desk.writer.step() == 1.0
        desk.disk.refuses = None
        desk.writer.step()

    assert log.events.count("spool unavailable") == 2


def test_an_eviction_is_logged_with_its_reason(
    tmp_path: Path, clock: ManualClock, log: Recorder
) -> None:
    with open_test_spool(tmp_path, clock, log, max_bytes=10_000_000) as spool:
        desk = Desk(spool, RefusingDisk(), log)
        desk.writer._encoder = Heavy()
        desk.bring(16)
        for _ in range(4):
            desk.writer.step()

        evicted = [line for line in log.lines if line["event"] == "capture evicted"]

        assert evicted
        assert {line["reason"] for line in evicted} == {"budget"}
        assert desk.stats.total()["evicted"] == len(evicted)
        assert spool.waiting() + len(evicted) == 16


def test_the_encoder_gets_what_the_model_missed(desk: Desk) -> None:
    """What must not be recognized is there too: see `redacted_parts`."""
    encoder = Noting()
    desk.writer._encoder = encoder
    missed = (Suspect("flicker", 0.6, "person", Box(0.0, 0.0, 2.0, 2.0)),)
    desk.queue.put(replace(capture(0), suspects=missed))

    desk.writer.step()

    assert encoder.noted == [missed]


def test_it_ends_only_when_nothing_more_will_come_and_all_is_stored(desk: Desk) -> None:
    assert desk.writer.step() == 0.0
    desk.bring(1)
    desk.writer.finishing = True

    assert desk.writer.step() == 0.0
    assert desk.writer.step() is None
    assert desk.spool.waiting() == 1


class Noting(PlainEncoder):
    """Notes the suspects that it gets."""

    def __init__(self) -> None:
        self.noted: list[Sequence[Suspect]] = []

    def encode(self, observation: Observation, suspects: Sequence[Suspect] = ()) -> EncodedImage:
        self.noted.append(suspects)
        return super().encode(observation, suspects)


class Heavy(PlainEncoder):
    """Encode images of one megabyte."""

    def encode(self, observation: Observation, suspects: Sequence[Suspect] = ()) -> EncodedImage:
        image = super().encode(observation, suspects)
        return EncodedImage(image.data * 20_000, image.width, image.height)
