"""Start, news for the service manager, and what each end means."""

from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest

from agent.domain import ClipSpan, Pixels, Prediction
from agent.errors import TargetUnavailable
from agent.progress import doing
from agent.record.validation import split_clip
from agent.runtime.figures import FigureSource
from agent.runtime.metrics import Metrics
from agent.runtime.supervisor import STOP_S, TICK_S, ExitCode, Supervisor
from agent.spool.spool import Spool
from agent.system import SystemClock
from tests.fakes.captures import frame
from tests.fakes.clock import DeadlineClock, FastClock, ManualClock
from tests.fakes.disk.real import HangingDisk
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import open_test_spool, store, wait_until
from tests.runtime.whole_agent import (
    HungCamera,
    NoRecording,
    Recording,
    WholeAgent,
    running,
    stop_beside,
)
from tests.upload.fake_target import FakeTarget


def recording(count: int) -> Recording:
    return Recording([frame(sequence=n) for n in range(count)])


def test_a_recording_is_analysed_stored_and_ends_with_nothing_lost(
    spool: Spool, log: Recorder
) -> None:
    agent = WholeAgent(recording(40), spool, log)

    assert agent.supervisor.run() is ExitCode.STOPPED
    counts = spool.counts()
    assert counts["stored"] == 40
    assert counts.get("delivered", 0) + spool.waiting() == 40
    assert log.one("agent stopped")["reason"] == "recordings ended"
    assert log.one("agent stopped")["lost"] == 0
    assert log.events.index("agent stopping") < log.events.index("agent stopped")
    assert log.events[-1] == "agent stopped"
    assert not agent.supervisor.left_behind


def test_each_capture_is_stored_with_what_was_analysed_around_it(
    spool: Spool, log: Recorder
) -> None:
    target = FakeTarget()
    target.failure = TargetUnavailable("down")
    agent = WholeAgent(recording(30), spool, log, target=target, span=ClipSpan(3.0, 2.0))
    assert agent.supervisor.run() is ExitCode.STOPPED

    numbers = set()
    while capture := spool.claim():
        number = capture.image[0]
        numbers.add(number)
        shown = {at: image[0] for at, image in split_clip(capture.record, capture.clip)}
        assert list(shown) == sorted(shown)
        assert shown == {at: number + at for at in shown}
        assert shown[0.0] == number
        analysed = min(number, 3) + 1 + min(29 - number, 2)
        assert len(shown) + capture.record["clip"]["dropped"] >= analysed
    assert numbers == set(range(30))
    assert log.one("agent stopped")["lost"] == 0


def test_the_service_manager_hears_of_start_and_stop(spool: Spool, log: Recorder) -> None:
    agent = WholeAgent(recording(1), spool, log)
    agent.supervisor.run()

    assert agent.says.said[0] == "READY=1"
    assert "STOPPING=1" in agent.says.said
    assert "WATCHDOG=1" not in agent.says.said


def test_a_recording_that_cannot_be_read_is_a_wrong_configuration(
    spool: Spool, log: Recorder
) -> None:
    agent = WholeAgent(NoRecording(), spool, log)

    assert agent.supervisor.run() is ExitCode.CONFIGURATION
    assert log.one("agent stopped")["reason"] == "recording failed"
    assert log.one("agent stopped")["log_level"] == "error"


def test_a_bug_ends_the_daemon_and_what_was_captured_is_stored(spool: Spool, log: Recorder) -> None:
    source = recording(20)
    agent = WholeAgent(source, spool, log)
    read, count = source.read, 0

    def read_then_break() -> object:
        nonlocal count
        count += 1
        if count == 10:
            wait_until(lambda: agent.stats.total()["captured"])
            agent.model.bug = ZeroDivisionError()
        return read()

    source.read = read_then_break  # type: ignore[method-assign,assignment]

    assert agent.supervisor.run() is ExitCode.BUG
    assert log.one("agent stopped")["reason"] == "bug"
    assert log.one("agent stopped")["lost"] == 0
    assert spool.counts()["stored"] == agent.stats.total()["captured"]


def test_the_end_of_a_thread_that_is_no_worker_is_a_bug(
    spool: Spool, log: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = HungCamera()
    agent = WholeAgent(camera, spool, log, clock=SystemClock())
    monkeypatch.setattr("threading.excepthook", agent.supervisor.thread_failed)

    def fail() -> None:
        raise ZeroDivisionError

    Thread(target=fail, name="deadlines", daemon=True).start()
    code = agent.supervisor.run()
    camera.let_go.set()

    assert code is ExitCode.BUG
    assert log.one("worker failed")["worker"] == "deadlines"


def test_captures_in_the_queue_are_stored_at_a_stop(spool: Spool, log: Recorder) -> None:
    """Memory is no place where captures may be lost."""
    camera, clock = HungCamera(), DeadlineClock(seconds=0.4)
    agent = WholeAgent(camera, spool, log, clock=clock, queue_length=3)
    for sequence in range(7):  # a queue of three is full, the rest waits before it
        agent.stages.mailbox.put(frame(sequence=sequence))
        agent.stages.inference.step()
    agent.supervisor.stop()
    codes: list[ExitCode] = []
    running(agent.supervisor, codes, clock).join(60)
    camera.let_go.set()

    assert codes == [ExitCode.STOPPED]
    assert log.one("agent stopped")["lost"] == 0
    # A full queue stopped the analysis after four; the newest frame waited in the mailbox.
    assert spool.counts()["stored"] == 5
    assert agent.stats.total()["captured"] == 5


def test_a_camera_that_hangs_in_its_driver_does_not_block_the_stop(
    spool: Spool, log: Recorder
) -> None:
    camera = HungCamera()
    clock = DeadlineClock()
    agent = WholeAgent(camera, spool, log, clock=clock)
    codes: list[ExitCode] = []
    main = running(agent.supervisor, codes, clock)
    assert camera.reading.wait(60)
    stop_beside("camera gate", agent.supervisor, main, clock)
    left_behind = agent.supervisor.left_behind
    camera.let_go.set()

    assert codes == [ExitCode.STOPPED]
    assert left_behind
    assert log.one("stop overdue")["workers"] == "camera gate"
    assert log.one("stop overdue")["lost"].startswith("no capture")
    wait_until(lambda: not agent.supervisor.left_behind)
    assert not camera.is_open


def test_a_disk_that_hangs_blocks_neither_the_watchdog_nor_the_stop(
    tmp_path: Path, clock: ManualClock, log: Recorder
) -> None:
    """The spool's lock is held as long as a sync takes: the main thread must not want it."""
    disk = HangingDisk("records")

    with open_test_spool(tmp_path, clock, log, disk=disk) as spool:
        clock_of_stop = DeadlineClock(seconds=1.0)
        agent = WholeAgent(recording(30), spool, log, clock=clock_of_stop, watchdog=3.0)
        codes: list[ExitCode] = []
        main = running(agent.supervisor, codes, clock_of_stop)
        assert disk.hanging.wait(60)
        fed = agent.says.said.count("WATCHDOG=1")
        wait_until(lambda: agent.says.said.count("WATCHDOG=1") > fed + 2)
        clock_of_stop.seconds = 5.0
        agent.supervisor.stop()
        main.join(60)
        left_behind = agent.supervisor.left_behind
        disk.let_go.set()
        wait_until(lambda: not agent.supervisor.left_behind)

    assert codes == [ExitCode.STOPPED]
    assert left_behind
    lost = log.one("agent stopped")["lost"]
    assert lost > 0
    assert log.one("agent stopped")["log_level"] == "error"
    overdue = [line for line in log.lines if line["event"] == "stop overdue"]
    [writer] = [line for line in overdue if "writer" in line["workers"]]
    assert writer["log_level"] == "error"
    assert "captures in memory that are not on disk" in writer["lost"]


def test_a_model_run_that_hangs_is_named_and_loses_no_other_frame_at_a_stop(
    spool: Spool, log: Recorder
) -> None:
    clock = DeadlineClock(seconds=2.0, until=lambda: "stop overdue" in log.events)
    agent = WholeAgent(recording(10), spool, log, clock=clock)
    detect, hanging, let_go = agent.model.detect, Event(), Event()

    def hang_on_the_first(pixels: Pixels) -> Prediction:
        if not pixels.any():
            hanging.set()
            let_go.wait(60)
        return detect(pixels)

    agent.model.detect = hang_on_the_first  # type: ignore[method-assign]
    codes: list[ExitCode] = []
    main = running(agent.supervisor, codes, clock)
    assert hanging.wait(60)
    wait_until(lambda: sum(not each.ended for each in agent.supervisor._inference) == 1)
    assert agent.stats.total()["analysed"] == 9
    agent.supervisor.stop()
    main.join(60)
    left_behind = agent.supervisor.left_behind
    let_go.set()
    wait_until(lambda: not agent.supervisor.left_behind)

    assert codes == [ExitCode.STOPPED]
    assert left_behind
    overdue = [line["workers"] for line in log.lines if line["event"] == "stop overdue"]
    assert overdue[0].startswith("inference ")
    assert "runs the model on a frame of gate" in overdue[0]
    assert log.one("agent stopped")["lost"] == 0
    assert spool.counts()["stored"] == 9


@pytest.mark.parametrize("asked", [True, False])
def test_a_target_that_hangs_does_not_block_the_stop(
    spool: Spool, log: Recorder, asked: bool
) -> None:
    target, hanging, let_go = FakeTarget(), Event(), Event()

    def hang(_: object) -> None:
        hanging.set()
        let_go.wait(60)

    target.on_send = hang
    store(spool, 1)
    camera = HungCamera()
    source = camera if asked else recording(1)
    agent = WholeAgent(source, spool, log, target=target, clock=FastClock(10))
    codes: list[ExitCode] = []
    main = Thread(target=lambda: codes.append(agent.supervisor.run()))
    main.start()
    assert hanging.wait(60)
    if asked:
        agent.supervisor.stop()
    main.join(60)
    let_go.set()
    camera.let_go.set()
    wait_until(lambda: not agent.supervisor.left_behind)

    assert codes == [ExitCode.STOPPED]
    overdue = [line for line in log.lines if line["event"] == "stop overdue"]
    [upload] = [line for line in overdue if "upload " in line["workers"]]  # one has the capture
    assert "stays on disk and is sent again" in upload["lost"]


def test_metrics_on_a_dead_mount_block_neither_the_watchdog_nor_the_stop(
    tmp_path: Path, spool: Spool, log: Recorder
) -> None:
    hanging, let_go = Event(), Event()

    def hang(_: Path, __: bytes) -> None:
        hanging.set()
        let_go.wait(60)

    camera, clock = HungCamera(), DeadlineClock(seconds=5.0)
    camera.let_go.set()
    agent = WholeAgent(camera, spool, log, clock=clock)
    stages = agent.stages
    metrics = Metrics(
        tmp_path / "agent.prom",
        FigureSource(stages.mailbox, stages.stats, spool, stages.uploader),
        publish=hang,
        clock=clock,
        log=log.log,
    )
    supervisor = Supervisor(
        replace(stages, metrics=metrics),
        clock=clock,
        notifier=agent.says,
        log=log.log,
        watchdog=3.0,
    )
    codes: list[ExitCode] = []
    main = running(supervisor, codes, clock)
    assert hanging.wait(60)
    wait_until(lambda: "metrics unavailable" in log.events)
    fed = agent.says.said.count("WATCHDOG=1")
    wait_until(lambda: agent.says.said.count("WATCHDOG=1") > fed + 2)
    asked_at = clock.monotonic()
    stop_beside("metrics", supervisor, main, clock)
    took = clock.monotonic() - asked_at
    let_go.set()
    wait_until(lambda: not supervisor.left_behind)

    assert codes == [ExitCode.STOPPED]
    assert took < STOP_S
    overdue = log.one("stop overdue")
    assert (overdue["workers"].partition(" ")[0], overdue["lost"]) == ("metrics", "nothing")


def test_the_end_of_a_stall_is_said_too(spool: Spool, log: Recorder) -> None:
    clock = ManualClock()
    agent = WholeAgent(recording(0), spool, log, clock=clock, watchdog=3.0)
    clock.now += 61
    agent.supervisor.watch()
    clock.now -= 61
    agent.supervisor.watch()

    assert log.one("worker recovered")["workers"] == log.one("worker stalled")["workers"]
    assert log.one("worker recovered")["log_level"] == "critical"


def test_the_watchdog_is_fed_three_times_an_interval(spool: Spool, log: Recorder) -> None:
    clock = ManualClock()
    agent = WholeAgent(recording(0), spool, log, clock=clock, watchdog=30.0)
    for _ in range(60):
        agent.supervisor.watch()
        clock.now += TICK_S

    assert agent.says.said == ["WATCHDOG=1"] * 6


def test_the_watchdog_is_not_fed_while_a_worker_is_overdue_and_that_is_said_once(
    spool: Spool, log: Recorder
) -> None:
    clock = ManualClock()
    agent = WholeAgent(recording(0), spool, log, clock=clock, watchdog=3.0)
    clock.now += 61  # longer than an inference may take
    for _ in range(20):
        clock.now += TICK_S
        agent.supervisor.watch()

    assert "WATCHDOG=1" not in agent.says.said
    assert log.one("worker stalled")["workers"] == "inference 0,inference 1"
    assert log.one("worker stalled")["log_level"] == "critical"


def test_a_delivery_that_hangs_is_named_and_the_watchdog_is_fed(
    spool: Spool, log: Recorder
) -> None:
    """As on a network disk that is gone: a restart would end the capturing and not the wait."""
    store(spool, 1)
    clock, camera, target = ManualClock(), HungCamera(), FakeTarget()
    hangs, go_on = Event(), Event()

    def hang(_: object) -> None:
        with doing("writes to dir:/mnt/usb"):
            hangs.set()
            go_on.wait(60)

    target.on_send = hang
    agent = WholeAgent(camera, spool, log, target=target, clock=clock, watchdog=3.0)
    runs = Thread(target=agent.supervisor.run)
    runs.start()
    assert hangs.wait(60)
    for _ in range(200):  # seconds: more than a request and the disk may take
        clock.now += 1.0
    hung = " (writes to dir:/mnt/usb)"
    wait_until(lambda: any(hung in str(line) for line in log.lines))
    fed = agent.says.said.count("WATCHDOG=1")

    def is_fed_again() -> bool:
        clock.now += 0.05
        return agent.says.said.count("WATCHDOG=1") > fed + 2

    wait_until(is_fed_again)
    go_on.set()
    agent.supervisor.stop()
    camera.let_go.set()
    runs.join(60)

    assert next(line["event"] for line in log.lines if hung in str(line)) == "upload stalled"
    assert not runs.is_alive()


def test_a_disk_that_refuses_for_hours_is_no_stall(
    tmp_path: Path, clock: ManualClock, log: Recorder
) -> None:
    """The watchdog would end the process, and with it the captures that wait in memory."""
    with open_test_spool(tmp_path, clock, log) as spool:
        agent = WholeAgent(HungCamera(), spool, log, clock=clock, watchdog=3.0, queue_length=1)
        for sequence in range(3):
            agent.stages.mailbox.put(frame(sequence=sequence))
            agent.stages.inference.step()

        assert agent.stages.inference.step() == pytest.approx(0.05)


def test_a_step_of_the_wall_clock_is_logged_once(spool: Spool, log: Recorder) -> None:
    clock = ManualClock()
    agent = WholeAgent(recording(0), spool, log, clock=clock)
    agent.supervisor.watch()
    clock.wall_offset -= 3600
    for _ in range(3):
        agent.supervisor.watch()

    assert log.one("clock stepped")["seconds"] == -3600
