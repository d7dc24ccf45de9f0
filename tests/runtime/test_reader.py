"""A camera error becomes a wait and one log line; a recording plays at its own speed."""

from collections import deque

import pytest

from agent.domain import Frame
from agent.errors import CameraLost
from agent.runtime.mailbox import Mailbox
from agent.runtime.reader import FIRST_RETRY_S, LAST_RETRY_S, Reader
from tests.fakes.captures import frame
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder


class ScriptedSource:
    """Gives what the script says: a frame, the end (None), or an error."""

    def __init__(self, *script: Frame | CameraLost | None, live: bool = True) -> None:
        self.live = live
        self.unreadable = 0
        self.script = deque(script)
        self.closed = 0

    def read(self) -> Frame | None:
        item = self.script.popleft()
        if isinstance(item, CameraLost):
            raise item
        return item

    def close(self) -> None:
        self.closed += 1


def reader_of(
    source: ScriptedSource, clock: ManualClock, log: Recorder, *, real_time: bool = True
) -> tuple[Reader, Mailbox]:
    mailbox = Mailbox({"gate": False})
    reader = Reader("gate", source, mailbox, real_time=real_time, clock=clock, log=log.log)
    return reader, mailbox


LOST = CameraLost("cannot open camera gate: no such device")


def test_a_live_frame_is_offered_at_once_and_the_opening_logged_once(
    clock: ManualClock, log: Recorder
) -> None:
    reader, mailbox = reader_of(ScriptedSource(frame(), frame(sequence=1)), clock, log)

    assert [reader.step(), reader.step()] == [0.0, 0.0]
    assert mailbox.counts().offered == 2
    assert log.events == ["camera opened"]
    assert log.one("camera opened")["camera"] == "gate"
    assert (log.one("camera opened")["width"], log.one("camera opened")["height"]) == (6, 4)


def test_a_lost_camera_is_tried_again_ever_later_and_logged_once(
    clock: ManualClock, log: Recorder
) -> None:
    source = ScriptedSource(*[LOST] * 8, frame())
    reader, _ = reader_of(source, clock, log)
    waits = []
    for _ in range(8):
        wait = reader.step()
        assert wait is not None
        waits.append(wait)
        clock.now += wait
    reader.step()

    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert source.closed == 8
    assert log.events == ["camera lost", "camera recovered"]
    assert log.one("camera lost")["error"] == str(LOST)
    assert log.one("camera recovered")["lost_s"] == sum(waits)
    assert not reader.failed


def test_a_camera_that_lasted_is_tried_again_soon(clock: ManualClock, log: Recorder) -> None:
    reader, _ = reader_of(ScriptedSource(LOST, LOST, frame(), LOST), clock, log)
    for _ in range(3):
        reader.step()
    clock.now += LAST_RETRY_S + 1

    assert reader.step() == FIRST_RETRY_S


def test_a_camera_that_comes_and_goes_is_neither_tried_nor_logged_each_second(
    clock: ManualClock, log: Recorder
) -> None:
    source = ScriptedSource()
    source.script.extend([frame(), LOST] * 20)
    reader, _ = reader_of(source, clock, log)
    for _ in range(40):
        clock.now += reader.step() or 0.1

    spent = clock.now - 1000
    assert spent > 400
    assert log.events.count("camera lost") <= 2 + spent / LAST_RETRY_S + 5


def test_a_recording_that_cannot_be_read_ends_and_fails(clock: ManualClock, log: Recorder) -> None:
    reader, _ = reader_of(ScriptedSource(LOST, live=False), clock, log)

    assert reader.step() is None
    assert reader.failed
    assert log.one("camera lost")["log_level"] == "error"


def test_a_recording_ends_without_failing(clock: ManualClock, log: Recorder) -> None:
    reader, _ = reader_of(ScriptedSource(frame(), None, live=False), clock, log)

    assert [reader.step(), reader.step()] == [0.0, None]
    assert not reader.failed
    assert log.events == ["camera opened", "camera ended"]


def test_the_end_of_a_recording_tells_what_could_not_be_decoded(
    clock: ManualClock, log: Recorder
) -> None:
    source = ScriptedSource(frame(), None, live=False)
    reader, _ = reader_of(source, clock, log)
    reader.step()
    source.unreadable = 3
    reader.step()

    assert log.one("camera ended")["unreadable"] == 3


def test_a_recording_plays_at_its_own_speed(clock: ManualClock, log: Recorder) -> None:
    frames = [frame(sequence=n, at=5 + n * 0.25) for n in range(3)]
    reader, mailbox = reader_of(ScriptedSource(*frames, live=False), clock, log)

    assert reader.step() == 0.0
    assert reader.step() == pytest.approx(0.25)
    assert mailbox.counts().offered == 1
    clock.now += 0.25
    assert reader.step() == 0.0
    clock.now += 10
    assert reader.step() == 0.0
    assert mailbox.counts().offered == 3


def test_a_recording_may_be_read_as_fast_as_it_is_analysed(
    clock: ManualClock, log: Recorder
) -> None:
    frames = [frame(sequence=n, at=n * 3600.0) for n in range(3)]
    source = ScriptedSource(*frames, live=False)
    reader, mailbox = reader_of(source, clock, log, real_time=False)

    assert [reader.step() for _ in frames] == [0.0] * 3
    assert mailbox.counts().offered == 3


def test_closing_releases_the_camera(clock: ManualClock, log: Recorder) -> None:
    source = ScriptedSource()
    reader, _ = reader_of(source, clock, log)

    reader.close()

    assert source.closed == 1
