"""What other processes see of the daemon, and what they get when they ask."""

import base64
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest

from agent.errors import CameraLost
from agent.exchange.asks import Ask, AskKind, fetch, put
from agent.exchange.state import STATE_FILE, DaemonState, Limits, Phase, read_state
from agent.files import Disk
from agent.runtime.answers import FETCHED_S, FOLLOWED_S, MOST_OPEN, Answers, FrameView
from agent.runtime.exchange import FLASH_S, MEMORY_S, Exchange, StatePublisher
from agent.runtime.followed import CaptureState
from agent.runtime.live import LiveState, Process
from agent.runtime.supervisor import Supervisor
from agent.runtime.worker import Worker
from agent.spool.spool import Spool
from agent.system import new_id
from tests.fakes.captures import frame
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import MAKER, PlainEncoder
from tests.runtime.whole_agent import HungCamera, Recording, WholeAgent

LIMITS = Limits(100.0, 2_000_000_000, 0, 20.0, 5.0)
PROCESS = Process(7, 70, "boot", "0.1.0", "gate-3", started_at=0.0, target="test://", limits=LIMITS)


class FlakyCamera(HungCamera):
    """Gives frames until it is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.error: str | None = None
        self.let_go.set()

    def read(self) -> Any:
        if self.error is not None:
            raise CameraLost(self.error)
        return super().read()


@dataclass
class Beside:
    """A daemon whose steps a test calls, and the folder beside it."""

    agent: WholeAgent
    camera: FlakyCamera
    folder: Path
    exchange: Exchange
    live: LiveState
    clock: ManualClock

    def frame(self) -> None:
        """Read and analyse one frame."""
        self.agent.stages.readers[0].step()
        self.agent.stages.inference.step()

    def ask(self, kind: AskKind, camera: str = "") -> Any:
        """Ask, and return how to get the answer."""
        ask = Ask(str(uuid4()), kind, camera)
        put(self.folder, ask)
        self.exchange.step()
        return lambda: fetch(self.folder, ask)

    @property
    def state(self) -> DaemonState:
        state = read_state(self.folder)
        assert state is not None
        return state

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def beside(tmp_path: Path, spool: Spool, log: Recorder) -> Beside:
    clock, camera, folder = ManualClock(), FlakyCamera(), tmp_path / "run"
    agent = WholeAgent(camera, spool, log, clock=clock)
    stages = agent.stages
    live = LiveState(
        PROCESS,
        readers=stages.readers,
        mailbox=stages.mailbox,
        inference=stages.inference,
        writer=stages.writer,
        spool=spool,
        uploader=stages.uploader,
        model=None,
        clock=clock,
    )
    publisher = StatePublisher(folder, user=os.geteuid(), in_memory=True, disk=Disk(), log=log.log)
    publisher.begin(PROCESS.state(Phase.STARTING, clock, interval=0.0))
    answers = Answers(
        stages.readers,
        stages.inference,
        stages.stats.followed,
        FrameView(PlainEncoder(), MAKER),
        new_id=new_id,
        disk=Disk(),
        clock=clock,
    )
    exchange = Exchange(publisher, live, answers, user=os.geteuid(), clock=clock)
    return Beside(agent, camera, folder, exchange, live, clock)


def test_a_camera_is_what_it_is_now(beside: Beside) -> None:
    [camera] = beside.live.state(interval=2.0).cameras
    assert (camera.state, camera.last_frame_at, camera.quality) == ("opening", None, None)

    for _ in range(6):  # the queue of captures holds 8
        beside.clock.now += 0.5
        beside.frame()
        [camera] = beside.live.state(interval=2.0).cameras
    assert (camera.state, camera.quality) == ("live", "clear")
    assert camera.fps == camera.analysed_fps == pytest.approx(2.0)
    assert camera.last_frame_at == beside.clock.now
    assert camera.last_capture is not None
    assert camera.last_capture_time == frame().captured_at
    assert (camera.width, camera.height) == frame().pixels.shape[1::-1]

    beside.camera.error = "no \x1b[2Jroute rtsp://user:secret@host"
    beside.clock.now += 0.5
    lost_at = beside.clock.now
    beside.frame()
    beside.clock.now += 30
    beside.frame()
    [camera] = beside.live.state(interval=2.0).cameras
    assert (camera.state, camera.since_at) == ("lost", lost_at)
    assert camera.error == r"no \x1b[2Jroute rtsp://***@host"
    assert camera.fps == 0.0


def test_a_recording_that_ended_is_no_lost_camera(spool: Spool, log: Recorder) -> None:
    reader = WholeAgent(Recording([frame()]), spool, log).stages.readers[0]
    while reader.step() is not None:
        pass

    assert reader.report.condition == "ended"


def test_the_state_is_published_when_due_and_when_asked_for(beside: Beside) -> None:
    beside.exchange.step()
    first = beside.state.at
    beside.clock.now += MEMORY_S / 2
    beside.exchange.step()
    assert beside.state.at == first
    beside.ask(AskKind.STATE)
    assert beside.state.at == beside.clock.now
    beside.clock.now += MEMORY_S
    beside.exchange.step()
    assert beside.state.at == beside.clock.now
    assert beside.names == [STATE_FILE]


def test_a_folder_on_flash_is_written_once_a_minute(tmp_path: Path) -> None:
    publisher = StatePublisher(
        tmp_path, user=os.geteuid(), in_memory=False, disk=Disk(), log=Recorder().log
    )
    assert publisher.interval == FLASH_S


def test_the_first_state_of_a_run_is_not_that_of_the_start(
    beside: Beside, log: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On flash it stands for a minute."""
    phases, start = [], Worker.start

    def started(worker: Worker) -> None:
        phases.append(beside.live.phase)
        start(worker)

    monkeypatch.setattr(Worker, "start", started)
    stages = replace(beside.agent.stages, exchange=beside.exchange)
    supervisor = Supervisor(stages, clock=beside.clock, notifier=beside.agent.says, log=log.log)
    supervisor.stop()
    supervisor.run()

    assert set(phases) == {Phase.RUNNING}


def test_the_last_state_says_how_the_run_ended(beside: Beside) -> None:
    beside.live.phase = Phase.STOPPED
    beside.live.end = (78, "recording failed")
    beside.exchange.close()

    state = beside.state
    assert (state.phase, state.exit_code, state.stop_reason) == (
        "stopped",
        78,
        "recording failed",
    )


def test_a_folder_that_vanishes_is_made_again_and_one_that_refuses_is_said_once(
    beside: Beside, log: Recorder
) -> None:
    beside.folder.joinpath(STATE_FILE).unlink()
    beside.folder.rmdir()
    beside.exchange.step()
    assert beside.names == [STATE_FILE]

    beside.folder.joinpath(STATE_FILE).unlink()
    beside.folder.rmdir()
    beside.folder.write_bytes(b"")
    for _ in range(3):
        beside.clock.now += MEMORY_S
        beside.exchange.step()
    assert len([line for line in log.lines if line["event"] == "status unavailable"]) <= 2
    beside.folder.unlink()
    beside.clock.now += MEMORY_S
    beside.exchange.step()
    assert log.lines[-1]["event"] == "status available"


def test_a_request_has_an_id_at_once_and_is_followed_to_its_end(beside: Beside) -> None:
    beside.frame()
    answer = beside.ask(AskKind.CAPTURE)
    [first] = answer()["captures"]
    assert (first["camera"], first["state"]) == ("gate", "requested")

    stages = beside.agent.stages
    seen = []
    for step in (
        beside.frame,
        lambda: (stages.inference.step(), stages.writer.step()),
        lambda: [stages.uploader.step() for _ in range(4)] if stages.uploader else None,
    ):
        step()
        beside.exchange.step()
        [capture] = answer()["captures"]
        assert capture["id"] == first["id"]
        seen.append(capture["state"])
    assert seen == ["captured", "waiting", "delivered"]


def test_only_the_named_camera_is_captured_and_an_unknown_one_is_refused(beside: Beside) -> None:
    [capture] = beside.ask(AskKind.CAPTURE, "yard")()["captures"]

    assert capture == {
        "camera": "yard",
        "id": "",
        "state": "refused",
        "reason": "there is no such camera; the cameras are gate",
    }


def test_a_lost_camera_is_no_promise(beside: Beside) -> None:
    beside.frame()
    beside.camera.error = "no route"
    beside.frame()
    [capture] = beside.ask(AskKind.CAPTURE)()["captures"]
    beside.camera.error = None
    beside.clock.now += 60
    beside.frame()

    assert (capture["state"], capture["reason"]) == ("refused", "the camera is lost: no route")
    hits = beside.agent.queue.queue[-1].rules
    assert "requested" not in [hit.name for hit in hits]


def test_a_capture_that_the_disk_has_no_room_for_is_told(beside: Beside) -> None:
    answer = beside.ask(AskKind.CAPTURE)
    name = answer()["captures"][0]["id"]
    beside.agent.stats.followed.became(name, CaptureState.EVICTED, "disk_full")
    beside.exchange.step()

    [capture] = answer()["captures"]
    assert (capture["state"], capture["reason"]) == ("evicted", "disk_full")


def test_a_flood_of_requests_is_bounded(beside: Beside) -> None:
    for _ in range(3 * MOST_OPEN):
        answer = beside.ask(AskKind.CAPTURE)

    assert answer() is None
    assert len(beside.names) == 2 * MOST_OPEN + 1
    beside.clock.now += FOLLOWED_S
    beside.exchange.step()
    assert beside.names == [STATE_FILE]
    [capture] = beside.ask(AskKind.CAPTURE)()["captures"]
    assert capture["state"] == "requested"


def test_a_frame_to_look_at_has_its_record_and_its_age(beside: Beside) -> None:
    [none] = beside.ask(AskKind.FRAMES)()["frames"]
    assert none == {"camera": "gate", "error": "no frame yet"}

    beside.frame()
    beside.clock.now += 3
    [seen] = beside.ask(AskKind.FRAMES, "gate")()["frames"]
    assert (seen["camera"], seen["error"], seen["age_s"]) == ("gate", None, 3.0)
    assert len(base64.b64decode(seen["jpeg"])) == 50
    assert seen["record"]["detections"][0]["label"] == "car"
    json.dumps(seen)


def test_what_nobody_fetches_is_removed(beside: Beside) -> None:
    beside.frame()
    beside.ask(AskKind.FRAMES)
    beside.ask(AskKind.CAPTURE)
    assert len(beside.names) == 3
    beside.clock.now += FETCHED_S
    beside.exchange.step()
    assert len(beside.names) == 2
    beside.clock.now += FOLLOWED_S
    beside.exchange.step()
    assert beside.names == [STATE_FILE]


def test_what_was_fetched_is_followed_no_longer(beside: Beside) -> None:
    beside.ask(AskKind.CAPTURE)
    [path] = beside.folder.glob("*.answer")
    path.unlink()
    beside.frame()
    beside.exchange.step()

    assert beside.names == [STATE_FILE]


def test_nothing_is_encoded_while_nobody_asks(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(*_: object) -> None:
        raise AssertionError("encoded")

    monkeypatch.setattr(PlainEncoder, "encode", encode)
    beside.frame()
    for _ in range(5):
        beside.clock.now += 1
        beside.exchange.step()


def test_the_state_does_not_wait_for_a_disk_that_hangs(beside: Beside) -> None:
    """The spool holds its lock while a flush lasts; cameras are shown all the same."""
    spool = beside.agent.stages.spool
    beside.live.refresh()
    beside.frame()
    held, done = Event(), Event()

    def hang() -> None:
        with spool.arrived:
            held.set()
            done.wait(60)

    thread = Thread(target=hang, daemon=True)
    thread.start()
    held.wait(60)
    beside.clock.now += MEMORY_S
    beside.exchange.step()
    assert thread.is_alive(), "it waited for the lock"
    done.set()
    thread.join(60)

    assert beside.state.at == beside.clock.now
    assert beside.state.cameras[0].state == "live"
