"""A camera error becomes a wait and one log line; a recording plays at its own speed."""

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Event, Thread

import numpy as np
import pytest

from agent.camera.masked import MaskedSource
from agent.camera.masks import parse_masks
from agent.domain import Frame
from agent.errors import CameraLost
from agent.ports import FrameSource
from agent.runtime.mailbox import Mailbox
from agent.runtime.reader import FIRST_RETRY_S, LAST_RETRY_S, Reader
from tests.fakes.captures import frame
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder

STALL = 5.0


class ScriptedSource:
    """Gives what the script says: a frame, the end (None), or an error."""

    def __init__(self, *script: Frame | CameraLost | None, live: bool = True) -> None:
        self.live = live
        self.unreadable = 0
        self.passed_over = ""
        self.progress_at = 0.0
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
    source: FrameSource,
    clock: ManualClock,
    log: Recorder,
    *,
    real_time: bool = True,
    longest_pause: float = math.inf,
) -> tuple[Reader, Mailbox]:
    mailbox = Mailbox({"gate": False})
    reader = Reader(
        "gate",
        source,
        mailbox,
        real_time=real_time,
        longest_pause=longest_pause,
        stall=STALL,
        clock=clock,
        log=log.log,
    )
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


def test_long_gaps_of_a_recording_are_shortened(clock: ManualClock, log: Recorder) -> None:
    """Images of a folder may be hours apart."""
    frames = [frame(sequence=n, at=at) for n, at in enumerate((0, 3600, 3600.5, 9000))]
    source = ScriptedSource(*frames, live=False)
    reader, mailbox = reader_of(source, clock, log, longest_pause=1.0)

    waits = []
    while mailbox.counts().offered < len(frames):
        if wait := reader.step():
            waits.append(wait)
            clock.now += wait

    assert waits == pytest.approx([1.0, 0.5, 1.0])


def test_what_was_not_read_of_a_recording_is_told_at_its_end(
    clock: ManualClock, log: Recorder
) -> None:
    source = ScriptedSource(frame(), None, live=False)
    source.unreadable, source.passed_over = 2, "3 .heic"
    reader, _ = reader_of(source, clock, log, real_time=False)

    reader.step()
    assert reader.step() is None

    [ended] = [line for line in log.lines if line["event"] == "camera ended"]
    assert (ended["unreadable"], ended["passed_over"]) == (2, "3 .heic")


def test_the_first_change_of_size_in_a_recording_is_told(clock: ManualClock, log: Recorder) -> None:
    sizes = [(20, 30), (20, 30), (40, 60), (20, 30)]
    frames = [
        replace(frame(sequence=n, at=n / 4), pixels=np.zeros((*size, 3), np.uint8))
        for n, size in enumerate(sizes)
    ]
    reader, _ = reader_of(ScriptedSource(*frames, live=False), clock, log, real_time=False)

    for _ in frames:
        reader.step()

    [resized] = [line for line in log.lines if line["event"] == "camera resized"]
    assert (resized["before"], resized["width"], resized["height"]) == ("30x20", 60, 40)


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


class HungSource(ScriptedSource):
    """Its calls do not return until the test lets them."""

    def __init__(self, *script: Frame | CameraLost | None, hangs_in: str = "read") -> None:
        super().__init__(*script)
        self.hangs_in = hangs_in
        self.inside = Event()
        self.let_go = Event()

    def read(self) -> Frame | None:
        self._hang("read")
        return super().read()

    def close(self) -> None:
        self._hang("close")
        super().close()

    def _hang(self, call: str) -> None:
        if call == self.hangs_in:
            self.inside.set()
            self.let_go.wait(60)


@pytest.fixture
def in_thread() -> Iterator[Callable[[HungSource, Callable[[], object]], Thread]]:
    """Run a step in a thread, and wait until its source hangs."""
    started: list[tuple[HungSource, Thread]] = []

    def start(source: HungSource, step: Callable[[], object]) -> Thread:
        thread = Thread(target=step, daemon=True)
        thread.start()
        started.append((source, thread))
        assert source.inside.wait(60)
        return thread

    yield start
    for source, thread in started:
        source.let_go.set()
        thread.join(60)


InThread = Callable[[HungSource, Callable[[], object]], Thread]


@pytest.mark.parametrize("call", ["read", "close"])
def test_a_call_that_does_not_return_is_reported_once_by_name(
    clock: ManualClock, log: Recorder, in_thread: InThread, call: str
) -> None:
    source = HungSource(LOST, hangs_in=call)
    reader, _ = reader_of(source, clock, log)
    in_thread(source, reader.step)
    before = len(log.events)

    reader.watch(clock.now + STALL)
    assert len(log.events) == before
    reader.watch(clock.now + STALL + 1)
    reader.watch(clock.now + STALL + 2)

    assert log.events == ["camera lost"]
    assert log.one("camera lost")["camera"] == "gate"
    assert "has not returned for 6 s. Restart the camera" in str(log.one("camera lost")["error"])


def test_a_source_that_makes_progress_does_not_hang(
    clock: ManualClock, log: Recorder, in_thread: InThread
) -> None:
    """A slow rate makes a call long, but not the calls into the driver."""
    source = HungSource(frame())
    reader, _ = reader_of(source, clock, log)
    in_thread(source, reader.step)
    source.progress_at = clock.now + 60

    reader.watch(clock.now + 60 + STALL)
    assert log.events == []
    reader.watch(clock.now + 60 + STALL + 1)
    assert log.events == ["camera lost"]


def test_a_camera_recovers_when_its_call_returns(
    clock: ManualClock, log: Recorder, in_thread: InThread
) -> None:
    source = HungSource(frame())
    reader, mailbox = reader_of(source, clock, log)
    thread = in_thread(source, reader.step)
    clock.now += 30
    reader.watch(clock.now)
    clock.now += 7
    source.let_go.set()
    thread.join(60)

    assert log.events == ["camera lost", "camera recovered"]
    assert log.one("camera recovered")["lost_s"] == 7
    assert mailbox.counts().offered == 1


def test_the_reason_is_told_when_the_call_returns_with_one(
    clock: ManualClock, log: Recorder, in_thread: InThread
) -> None:
    source = HungSource(LOST)
    reader, _ = reader_of(source, clock, log)
    thread = in_thread(source, reader.step)
    reader.watch(clock.now + 30)
    source.let_go.set()
    thread.join(60)

    assert log.events == ["camera lost", "camera lost"]
    assert log.lines[-1]["error"] == str(LOST)


def test_another_size_of_the_frames_is_told_once(clock: ManualClock, log: Recorder) -> None:
    sizes = [(4, 6), (4, 6), (8, 6), (8, 6)]
    frames = [replace(frame(), pixels=np.zeros((*size, 3), np.uint8)) for size in sizes]
    reader, mailbox = reader_of(ScriptedSource(*frames), clock, log)
    for _ in sizes:
        reader.step()

    assert log.events == ["camera opened", "camera resized"]
    told = log.one("camera resized")
    assert (told["width"], told["height"], told["before"]) == (6, 8, "6x4")
    assert mailbox.counts().offered == 4


def test_damaged_frames_are_told_at_most_every_ten_minutes(
    clock: ManualClock, log: Recorder
) -> None:
    source = ScriptedSource(*[frame()] * 5)
    reader, _ = reader_of(source, clock, log)
    told = []
    for damaged, seconds in [(0, 0), (3, 1), (5, 300), (9, 300), (9, 900)]:
        source.unreadable = damaged
        clock.now += seconds
        reader.step()
        told.append([line["frames"] for line in log.lines if line["event"] == "frames damaged"])

    assert told == [[], [3], [3], [3, 6], [3, 6]]


def test_a_source_that_a_stop_interrupts_is_not_lost(clock: ManualClock, log: Recorder) -> None:
    source = ScriptedSource(frame(), CameraLost("cannot read camera gate: it was stopped"))
    reader, _ = reader_of(source, clock, log)
    reader.step()
    reader.interrupt()
    reader.step()

    assert log.events == ["camera opened"]
    assert source.closed == 1


def test_why_the_whole_image_is_hidden_is_known_while_it_is(
    clock: ManualClock, log: Recorder
) -> None:
    """Masks in pixels of 6 x 4 meet another size, and then their own again."""
    wide = np.zeros((8, 12, 3), np.uint8)
    script = ScriptedSource(frame(), frame(sequence=1, pixels=wide), frame(sequence=2), live=True)
    plain, _ = reader_of(script, clock, log)
    assert plain.hidden is None

    masks = parse_masks("0,0 3,0 3,3", ["gate"])
    reader, _ = reader_of(MaskedSource(script, masks), clock, log)
    reasons = []
    for _ in range(3):
        reader.step()
        reasons.append(reader.hidden)

    assert (reasons[0], reasons[2]) == (None, None)
    assert "the frames have 12x8" in str(reasons[1])
