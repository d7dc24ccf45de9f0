"""What each response does to the capture, the log and the next attempt."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.domain import StoredCapture
from agent.errors import CaptureRejected, TargetBlocked, TargetUnavailable
from agent.progress import Stopping
from agent.runtime.stats import Stats
from agent.runtime.uploader import DISK_RETRY_S, SETTLE_S, Uploader
from agent.spool.spool import Spool
from agent.upload.backoff import BLOCKED_MIN, REJECTED_RETRY_S, Backoff, UploadState
from tests.fakes.captures import new_capture
from tests.fakes.clock import ManualClock
from tests.fakes.disk.real import RefusingDisk
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import open_test_spool, store
from tests.upload.fake_target import Failure, FakeTarget

READ_ONLY = OSError(errno.EROFS, "Read-only file system")
AWAY = TargetUnavailable("cannot reach fake: it refuses connections")
BUSY = TargetUnavailable("cannot deliver: 429", retry_after=120)
HELD = TargetBlocked("cannot deliver: 401. Set AGENT_UPLOAD_TOKEN to a valid token")
REFUSED = CaptureRejected("cannot deliver the capture: 422")


class Line:
    """An uploader without jitter, an endpoint in memory, a spool whose disk can refuse."""

    def __init__(self, spool: Spool, disk: RefusingDisk, clock: ManualClock, log: Recorder) -> None:
        self.spool = spool
        self.disk = disk
        self.clock = clock
        self.target = FakeTarget()
        self.stats = Stats()
        pace = Backoff(lambda bound: bound, first_bound=0.0)
        self.uploader = Uploader(
            spool, self.target, pace, stats=self.stats, clock=clock, log=log.log
        )

    def step(self) -> float:
        return self.uploader.step()

    def steps_for(self, seconds: float) -> None:
        """Step as a worker would, until so much time has passed."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now += max(self.step(), 0.5)


@pytest.fixture
def line(tmp_path: Path, clock: ManualClock, log: Recorder) -> Iterator[Line]:
    disk = RefusingDisk()
    with open_test_spool(tmp_path, clock, log, disk=disk) as spool:
        log.lines.clear()
        yield Line(spool, disk, clock, log)


def test_a_delivered_capture_leaves_the_spool(line: Line, log: Recorder) -> None:
    [identity] = store(line.spool, 1)

    assert line.step() == 0.0
    assert line.spool.waiting() == 0
    assert list(line.target.stored) == [identity]
    assert log.events == ["capture delivered"]
    assert log.one("capture delivered")["capture"] == identity
    assert line.stats.total() == {"delivered": 1}
    assert line.spool.counts()["delivered"] == 1


def test_the_most_valuable_capture_goes_first(line: Line) -> None:
    ids = store(line.spool, 3)
    for _ in range(3):
        line.step()

    assert line.target.attempts == ids


@pytest.mark.parametrize(
    ("failure", "state", "wait", "event", "level"),
    [
        (AWAY, UploadState.DELAYED, 1.0, "upload delayed", "warning"),
        (BUSY, UploadState.DELAYED, 30.0, "upload delayed", "warning"),
        (HELD, UploadState.BLOCKED, 30.0, "upload blocked", "error"),
    ],
)
def test_an_endpoint_error_keeps_all_captures_logs_once_and_waits(
    line: Line,
    log: Recorder,
    failure: Failure,
    state: UploadState,
    wait: float,
    event: str,
    level: str,
) -> None:
    store(line.spool, 3)
    line.target.failure = failure

    assert line.step() == 0.0
    assert line.step() == wait
    line.steps_for(600)

    assert line.spool.waiting() == 3
    assert line.spool.in_flight() == 0
    assert line.uploader.state is state
    assert line.uploader.is_stuck
    assert line.uploader.last_error == str(failure)
    assert log.events == [event]
    assert log.one(event)["error"] == str(failure)
    assert log.one(event)["log_level"] == level
    assert log.one(event)["waiting"] == 3


@pytest.mark.parametrize("failure", [AWAY, BUSY, HELD])
def test_an_endpoint_that_is_back_gets_all_and_the_return_is_logged_once(
    line: Line, log: Recorder, failure: Failure
) -> None:
    ids = store(line.spool, 5)
    line.target.failure = failure
    line.steps_for(60)
    line.target.failure = None
    line.steps_for(1000)

    assert sorted(line.target.stored) == sorted(ids)
    assert line.spool.waiting() == 0
    assert log.events.count("upload resumed") == 1
    assert log.one("upload resumed")["after_s"] >= 60
    assert line.uploader.last_error is None


def test_while_held_one_capture_at_a_time_probes_each_minute_or_later(line: Line) -> None:
    store(line.spool, 3)
    line.target.failure = HELD
    line.step()
    before = len(line.target.attempts)
    line.steps_for(10 * BLOCKED_MIN)

    assert 2 <= len(line.target.attempts) - before <= 5
    assert line.target.most_at_once == 1


def test_a_capture_that_is_refused_three_times_is_rejected_while_others_pass(
    line: Line, log: Recorder
) -> None:
    ids = store(line.spool, 6)
    line.target.refused = {ids[2]}
    line.steps_for(4 * REJECTED_RETRY_S)

    assert sorted(line.target.stored) == sorted(set(ids) - {ids[2]})
    assert line.target.attempts.count(ids[2]) == 3
    assert line.spool.waiting() == 0
    assert line.spool.counts()["rejected"] == 1
    assert line.stats.total()["rejected"] == 1
    assert log.one("capture rejected")["capture"] == ids[2]
    assert log.one("capture rejected")["error"].endswith("refused by the test")
    assert "upload blocked" not in log.events


def test_when_the_first_captures_are_all_refused_nothing_is_rejected(
    line: Line, log: Recorder
) -> None:
    store(line.spool, 4)
    line.target.failure = REFUSED
    line.steps_for(3600)

    assert line.spool.waiting() == 4
    assert line.uploader.state is UploadState.BLOCKED
    assert log.events == ["upload blocked"]
    assert "every capture is refused" in log.one("upload blocked")["error"]
    assert str(REFUSED) in log.one("upload blocked")["error"]


def test_a_single_capture_that_is_refused_serves_as_the_probe(line: Line) -> None:
    [identity] = store(line.spool, 1)
    line.target.failure = REFUSED
    line.steps_for(600)
    line.target.failure = None
    line.steps_for(3600)

    assert list(line.target.stored) == [identity]


def test_a_lost_answer_is_sent_again_and_stored_once(line: Line, log: Recorder) -> None:
    [identity] = store(line.spool, 1)
    line.target.loses_answers = True
    line.step()
    line.target.loses_answers = False
    line.steps_for(10)

    assert line.target.attempts == [identity, identity]
    assert list(line.target.stored) == [identity]
    assert log.one("capture delivered")["duplicate"] is True


def test_quick_deliveries_are_deleted_together(line: Line) -> None:
    store(line.spool, 6)
    left = []
    for _ in range(4):
        line.step()
        left.append(line.spool.waiting())
    line.clock.now += 2 * SETTLE_S
    line.step()

    assert left == [5, 5, 5, 5]
    assert line.spool.waiting() == 2
    assert len(line.target.attempts) == 5


@pytest.mark.parametrize(
    "end", ["nothing is left", "the endpoint is unavailable", "the worker stops"]
)
def test_what_is_delivered_does_not_wait_to_be_deleted(line: Line, end: str) -> None:
    store(line.spool, 3)
    for _ in range(3):
        line.step()
    assert line.spool.waiting() == 2
    if end == "the worker stops":
        line.uploader.close()
    elif end == "nothing is left":
        line.step()
    else:
        store(line.spool, 1)
        line.target.failure = AWAY
        line.step()
        line.step()

    delivered = line.spool.counts()["delivered"]
    assert delivered == 3
    assert line.spool.waiting() == (1 if end == "the endpoint is unavailable" else 0)


def test_a_stop_while_the_disk_refuses_says_so(line: Line, log: Recorder) -> None:
    store(line.spool, 2)
    line.step()
    line.step()
    line.disk.refuses = READ_ONLY
    line.uploader.close()

    assert log.events == ["capture delivered", "spool unavailable"]
    assert line.spool.waiting() == 1


def test_a_delivery_that_the_disk_cannot_note_is_not_sent_again(line: Line, log: Recorder) -> None:
    store(line.spool, 3)
    line.disk.refuses = READ_ONLY
    waits = [line.step() for _ in range(5)]

    assert waits == [DISK_RETRY_S] * 5
    assert len(line.target.attempts) == 1
    assert line.uploader.is_stuck
    assert log.events == ["spool unavailable"]
    assert "Read-only" in (line.uploader.last_error or "")

    line.disk.refuses = None
    line.steps_for(5)
    assert line.spool.waiting() == 0
    assert len(line.target.attempts) == 3
    assert log.events[:3] == ["spool unavailable", "spool available", "capture delivered"]
    assert line.stats.total()["delivered"] == 3
    assert not line.uploader.is_stuck


def test_a_refused_capture_that_the_disk_cannot_reject_waits_on(line: Line, log: Recorder) -> None:
    ids = store(line.spool, 4)
    line.target.refused = {ids[0]}
    line.steps_for(2 * REJECTED_RETRY_S - 5)
    line.disk.refuses = READ_ONLY
    line.steps_for(REJECTED_RETRY_S)

    assert line.spool.waiting() == 1
    assert log.events.count("spool unavailable") == 1
    line.disk.refuses = None
    line.steps_for(6 * REJECTED_RETRY_S)
    assert line.spool.waiting() == 0
    assert line.spool.counts()["rejected"] == 1


def test_a_damaged_capture_does_not_stop_the_others(
    line: Line, log: Recorder, tmp_path: Path
) -> None:
    ids = store(line.spool, 3)
    [damaged] = (tmp_path / "spool").rglob(f"*{ids[0]}*")
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    line.steps_for(5)

    assert sorted(line.target.stored) == sorted(ids[1:])
    assert log.one("capture damaged")["capture"] == ids[0]
    assert line.spool.counts()["damaged"] == 1
    assert line.spool.waiting() == 0


def test_an_empty_spool_costs_no_request(line: Line, log: Recorder) -> None:
    line.steps_for(60)

    assert line.target.attempts == []
    assert log.events == []


def test_what_an_endpoint_has_no_place_for_is_told_once(line: Line, log: Recorder) -> None:
    store(line.spool, 5)
    texts = ("the project has no label person; it has Person",)
    line.target.left_out = texts
    line.steps_for(5)

    assert line.spool.waiting() == 0
    assert log.one("labels left out")["error"] == texts[0]
    assert log.one("labels left out")["log_level"] == "warning"


def test_an_endpoint_that_stores_no_clips_is_told_once(line: Line, log: Recorder) -> None:
    line.spool.put([new_capture(number, clip=(b"frame",)) for number in range(1, 4)])
    line.steps_for(5)

    assert line.spool.waiting() == 0
    assert log.one("clips left out")["log_level"] == "warning"


def test_a_bug_of_the_target_holds_and_does_not_end_the_worker(line: Line, log: Recorder) -> None:
    """Whatever it is: a library in Rust panics with a BaseException."""
    store(line.spool, 3)

    class PanicException(BaseException):
        pass

    for bug in (OverflowError("cannot convert\x1b[0m"), MemoryError(), PanicException("rust")):

        def fail(_: StoredCapture, bug: BaseException = bug) -> None:
            raise bug

        line.target.on_send = fail
        line.steps_for(2000)
        assert line.uploader.state is UploadState.BLOCKED
        assert type(bug).__name__ in (line.uploader.last_error or "")
        assert (line.uploader.last_error or "").isprintable()
    assert log.events.count("target failed") == 3, "each kind once"
    assert log.events.count("upload blocked") == 1
    assert line.spool.waiting() == 3
    line.target.on_send = None
    line.steps_for(1000)
    assert line.spool.waiting() == 0


def test_a_stop_while_waiting_for_a_turn_says_nothing_about_the_endpoint(
    line: Line, log: Recorder
) -> None:
    store(line.spool, 2)

    def stopping(_: StoredCapture) -> None:
        raise Stopping

    line.target.on_send = stopping
    line.step()
    line.target.on_send = None

    assert (line.spool.waiting(), line.spool.in_flight()) == (2, 0)
    assert line.uploader.state is UploadState.FLOWING
    line.steps_for(5)
    assert line.spool.waiting() == 0
    assert set(log.events) == {"capture delivered"}
