"""Whether a daemon runs: by lock, process, start and boot, never by the age of a file."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.cli.daemon import ANSWER_S, NoDaemon, asked, daemon_of
from agent.errors import AgentError, TemporaryError
from agent.exchange.asks import AskKind, fetch
from agent.exchange.folder import exchange_path, prepare
from agent.exchange.state import (
    STATE_FILE,
    CameraState,
    DaemonState,
    FeedbackState,
    Limits,
    Phase,
    encoded,
)
from agent.factories.status_facts import FileSystem, exit_code, facts_of
from agent.files import Disk
from agent.runtime.daemon_view import SILENT_S, Presence
from agent.settings.declarations import Settings
from agent.settings.load import load
from agent.settings.units import show_size
from agent.spool.layout import RESERVE_BYTES, SpoolPaths
from agent.spool.lock import owned
from agent.spool.status import SpoolStatus, read_status
from agent.system import SystemClock, boot_id, process_start
from tests.fakes.clock import ManualClock

NOW = 5000.0
LIMITS = Limits(
    budget_per_day=100.0, spool_max=2_000_000_000, spool_min_free=0, camera_stall=20.0, fps=5.0
)

FILE_SYSTEM = "agent.factories.status_facts._file_system"


def state(**facts: Any) -> DaemonState:
    """The state of this process, published a second ago."""
    camera = CameraState("gate", "live", since_at=NOW - 100, last_frame_at=NOW - 1, quality="clear")
    own = DaemonState(
        process=os.getpid(),
        process_start=process_start() or 0,
        boot=boot_id(),
        phase=Phase.RUNNING,
        at=NOW - 1,
        wall=1_780_000_000.0,
        started_at=NOW - 3600,
        interval=2.0,
        version="0.1.0",
        device="gate-3",
        limits=LIMITS,
        cameras=(camera,),
        model="nanodet",
        model_sha256="0" * 64,
        model_provider="CPUExecutionProvider",
        target="https://example.org",
        upload="flowing",
    )
    return replace(own, **facts)


class Machine:
    """A spool, its lock and its exchange folder."""

    def __init__(self, folder: Path) -> None:
        self.spool = folder / "spool"
        self.spool.mkdir(mode=0o700)
        self.exchange = folder / "run"
        prepare(self.exchange, Disk())
        self.clock = ManualClock()
        self.clock.now = NOW

    def publish(self, published: DaemonState) -> None:
        Disk().publish(self.exchange / STATE_FILE, encoded(published))

    @contextlib.contextmanager
    def daemon(self, published: DaemonState | None = None) -> Iterator[None]:
        with owned(SpoolPaths(self.spool).lock, exchange=self.exchange):
            if published is not None:
                self.publish(published)
            yield

    def presence(self) -> Presence:
        return daemon_of(self.spool, self.clock).presence


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("facts", "presence"),
    [
        ({}, Presence.RUNNING),
        ({"wall": 0.0}, Presence.RUNNING),  # the device booted in 1970
        ({"wall": 4e9}, Presence.RUNNING),  # the clock was stepped back since
        ({"at": NOW - SILENT_S - 5}, Presence.SILENT),
        ({"at": NOW + 100}, Presence.RUNNING),
        ({"interval": 60.0, "at": NOW - 61}, Presence.RUNNING),
        ({"phase": Phase.STARTING, "at": NOW - 1000}, Presence.STARTING),
        ({"phase": Phase.STOPPING}, Presence.STOPPING),
        ({"phase": Phase.STOPPED}, Presence.STOPPING),  # the process has not ended yet
    ],
)
def test_a_state_of_the_owner_counts(
    machine: Machine, facts: dict[str, Any], presence: Presence
) -> None:
    with machine.daemon(state(**facts)):
        assert machine.presence() is presence


@pytest.mark.parametrize("facts", [{"process": 1}, {"process_start": 1}, {"boot": "another"}])
def test_a_state_of_another_process_is_not_the_owners(
    machine: Machine, facts: dict[str, Any]
) -> None:
    with machine.daemon(state(**facts)):
        view = daemon_of(machine.spool, machine.clock)

    assert view.presence in {Presence.STARTING, Presence.SILENT}
    assert view.state is None


def test_without_the_lock_nobody_runs_however_young_the_state(machine: Machine) -> None:
    assert machine.presence() is Presence.NONE
    with machine.daemon(state()):
        pass
    assert machine.presence() is Presence.KILLED
    machine.publish(state(phase=Phase.STOPPED))
    assert machine.presence() is Presence.STOPPED


def test_an_owner_that_is_no_daemon_keeps_the_folder_of_the_latest_one(machine: Machine) -> None:
    with machine.daemon(state()):
        pass
    with owned(SpoolPaths(machine.spool).lock):
        assert machine.presence() is Presence.KILLED
        with (
            pytest.raises(TemporaryError, match=rf"process {os.getpid()} .*uses the spool"),
            asked(machine.spool, AskKind.CAPTURE, "", clock=machine.clock),
        ):
            pass
    assert machine.presence() is Presence.KILLED


def test_who_asks_waits_a_moment_for_a_daemon_that_is_starting(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            machine.publish(state())

    monkeypatch.setattr("agent.cli.daemon.pause", wait)
    starting = state(phase=Phase.STARTING, interval=0.0)
    with (
        machine.daemon(starting),
        asked(machine.spool, AskKind.FRAMES, "gate", clock=machine.clock) as answering,
    ):
        assert answering.view.presence is Presence.RUNNING
    assert len(waits) == 3

    with (
        machine.daemon(starting),
        pytest.raises(TemporaryError, match="it is starting"),
        asked(machine.spool, AskKind.FRAMES, "gate", clock=machine.clock),
    ):
        pass
    assert sum(waits[3:]) == pytest.approx(ANSWER_S)


def test_a_daemon_that_waits_for_its_disk_is_starting(machine: Machine) -> None:
    with machine.daemon():
        pass
    machine.publish(state(phase=Phase.STARTING, disk_error="Read-only file system"))
    assert machine.presence() is Presence.STARTING
    machine.publish(state(phase=Phase.STARTING, disk_error="x", process_start=1))
    assert machine.presence() is Presence.KILLED


def test_without_a_lock_the_folder_of_the_service_is_looked_into(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full before the first start has no lock."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(machine.exchange.parent))
    path = exchange_path(str(machine.exchange.parent), machine.spool, in_spool=machine.spool)
    machine.exchange.rename(path)
    machine.exchange = path
    machine.publish(state(phase=Phase.STARTING, disk_error="No space left on device"))

    assert machine.presence() is Presence.STARTING


@pytest.mark.parametrize(
    ("published", "error"),
    [
        (None, NoDaemon),
        (state(phase=Phase.STARTING), TemporaryError),
        (state(phase=Phase.STOPPING), TemporaryError),
    ],
)
def test_who_cannot_answer_is_not_asked(
    machine: Machine,
    published: DaemonState | None,
    error: type[AgentError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent.cli.daemon.pause", lambda _: None)
    with contextlib.ExitStack() as stack:
        if published is not None:
            stack.enter_context(machine.daemon(published))
        with (
            pytest.raises(error),
            asked(machine.spool, AskKind.FRAMES, "", clock=machine.clock),
        ):
            pass
    assert not list(machine.exchange.glob("*.ask"))


@pytest.mark.parametrize("name", ["yard", "../../etc/passwd", "a\x1b[2J", "x" * 500])
def test_a_camera_that_the_daemon_does_not_have_is_not_asked_for(
    machine: Machine, name: str
) -> None:
    with (
        machine.daemon(state()),
        pytest.raises(AgentError, match="the cameras are gate") as caught,
        asked(machine.spool, AskKind.FRAMES, name, clock=machine.clock),
    ):
        pass

    assert caught.value.exit_code == 1
    assert "\x1b" not in str(caught.value)


def test_an_ask_is_withdrawn_when_the_asker_is_interrupted(machine: Machine) -> None:
    def interrupted() -> None:
        with asked(machine.spool, AskKind.FRAMES, "", clock=machine.clock) as answering:
            assert fetch(answering.folder, answering.ask) is None
            raise KeyboardInterrupt

    with machine.daemon(state()), pytest.raises(KeyboardInterrupt):
        interrupted()

    assert not list(machine.exchange.glob("*.ask"))


def test_a_folder_of_another_user_is_not_believed(machine: Machine) -> None:
    """Root may ask: the lock and the folder must have one owner."""
    with machine.daemon(state()):
        machine.exchange.chmod(0o777)
        view = daemon_of(machine.spool, machine.clock)

    assert view.state is None


# Whether a person is needed


def settings(machine: Machine, **values: str) -> Settings:
    """Settings of this spool; `values` by the names of the environment, without AGENT_."""
    ours = {"CAMERAS": "gate=/dev/video0", "SPOOL_DIR": str(machine.spool), "SPOOL_MIN_FREE": "0"}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AGENT_")]:
            patch.delenv(name)
        for name, value in (ours | values).items():
            patch.setenv(f"AGENT_{name}", value)
        return load()


def facts(machine: Machine, published: DaemonState | None, **values: str) -> dict[str, Any]:
    with contextlib.ExitStack() as stack:
        if published is not None:
            stack.enter_context(machine.daemon(published))
        view = daemon_of(machine.spool, machine.clock)
        return facts_of(spool_status(machine), view, settings(machine, **values))


def spool_status(machine: Machine) -> SpoolStatus:
    return read_status(machine.spool, now=SystemClock().wall())


def test_all_is_well(machine: Machine) -> None:
    found = facts(machine, state())

    assert (found["needs"], exit_code(found)) == ([], 0)
    assert (found["uptime_s"], found["state_age_s"]) == (3600.0, 1.0)


def lost(**more: Any) -> DaemonState:
    camera = replace(state().cameras[0], **more)
    return state(cameras=(camera,))


@pytest.mark.parametrize(
    ("published", "need"),
    [
        (lost(state="lost", since_at=NOW - 40), "camera gate: lost for 40s"),
        (lost(state="failed"), "camera gate: the recording cannot be read"),
        (lost(last_frame_at=NOW - 90), "camera gate: no frame for 1.5 m"),
        (lost(quality="frozen"), "camera gate: the image is frozen"),
        (
            lost(quality="frozen", error="mask 1 lies outside"),
            "camera gate: its whole image is hidden: mask 1 lies outside",
        ),
        (
            lost(state="opening", last_frame_at=None, since_at=NOW - 90),
            "camera gate: no frame since it was opened 1.5 m ago",
        ),
        (state(upload="blocked", last_error="401"), "nothing can be delivered: 401"),
        (state(model_error="not ONNX"), "the known-good model runs: not ONNX"),
        (
            state(feedback=FeedbackState(error="torn")),
            "the feedback file is not in use: torn",
        ),
        (state(disk_error="read-only"), "the disk refuses writes: read-only"),
        (state(stalled=("writer",)), "no progress in writer"),
        (state(at=NOW - 60), "the daemon does not answer: its state is 1.0 m old"),
    ],
)
def test_a_person_is_needed(machine: Machine, published: DaemonState, need: str) -> None:
    found = facts(machine, published)

    assert (found["needs"], exit_code(found)) == ([need], 1)


@pytest.mark.parametrize(
    "published",
    [
        state(upload="delayed", last_error="no route"),
        lost(quality="dark"),
        lost(state="ended", last_frame_at=NOW - 900),
        lost(state="opening", last_frame_at=None, since_at=NOW - 3),
        state(phase=Phase.STARTING, cameras=()),
    ],
)
def test_what_recovers_without_help_needs_nobody(machine: Machine, published: DaemonState) -> None:
    found = facts(machine, published)

    assert (found["needs"], exit_code(found)) == ([], 0)


def test_slow_cameras_are_given_their_time(machine: Machine) -> None:
    slow = replace(lost(last_frame_at=NOW - 90), limits=replace(LIMITS, fps=0.02))

    assert facts(machine, slow)["needs"] == []


def test_limits_are_those_of_the_daemon_whatever_the_terminal_has_set(machine: Machine) -> None:
    """A second terminal rarely has the variables of the daemon."""
    limits = replace(LIMITS, budget_per_day=0.0, spool_max=5_000_000, spool_min_free=7)
    here = {"BUDGET_PER_DAY": "30", "SPOOL_MAX": "1GB"}

    found = facts(machine, state(limits=limits), **here)
    names = ("budget_per_day", "credits_left", "max_bytes", "min_free_bytes")
    assert [found[name] for name in names] == [0.0, -1, 5_000_000, 7]
    assert facts(machine, None, **here)["budget_per_day"] == 30


def test_a_full_disk_is_not_well_and_is_not_far_away(machine: Machine) -> None:
    found = facts(machine, state())
    assert (found["disk"], found["hours_until_full"]) == ("ok", None)
    full = facts(machine, state(limits=replace(LIMITS, spool_min_free=900 * 10**12)))
    assert (full["disk"], full["hours_until_full"], exit_code(full)) == ("full", 0.0, 1)
    assert "900TB must stay free" in str(full["needs"])


def test_a_disk_that_the_daemon_found_full_is_full_until_clearly_more_is_free(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the reserve was freed, so that some bytes are free again."""
    free = [RESERVE_BYTES + 1_000_000]
    monkeypatch.setattr(
        FILE_SYSTEM,
        lambda _: FileSystem(free[0], 10**9, None, False),
    )
    assert facts(machine, state())["disk"] == "ok"
    full = facts(machine, state(is_disk_short=True))
    assert (full["disk"], exit_code(full)) == ("full", 1)
    assert f"the spool needs {show_size(RESERVE_BYTES)}" in str(full["needs"])
    free[0] = 10 * RESERVE_BYTES
    assert facts(machine, state(is_disk_short=True))["disk"] == "ok"
    free[0] = RESERVE_BYTES
    assert facts(machine, None)["disk"] == "full"


def test_a_disk_that_became_read_only_is_said_without_a_daemon(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that waits for such a disk cannot publish its state there."""
    monkeypatch.setattr(FILE_SYSTEM, lambda _: FileSystem(10**9, 10**9, 500, True))
    found = facts(machine, None)

    assert found["disk"] == "refused"
    assert "capture-agent export DIR" in str(found["needs"])


def test_a_file_system_without_room_for_files_is_full_though_bytes_are_free(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [0]
    monkeypatch.setattr(
        FILE_SYSTEM,
        lambda _: FileSystem(10**10, 10**11, left[0], False),
    )
    full = facts(machine, None)
    assert full["disk"] == "full"
    assert any("inodes" in need and "10GB are free" in need for need in full["needs"])
    left[0] = 1
    assert facts(machine, None)["disk"] == "ok"


def test_a_full_spool_needs_nobody(machine: Machine) -> None:
    status = replace(spool_status(machine), occupied=3_000_000_000)
    with machine.daemon(state()):
        view = daemon_of(machine.spool, machine.clock)
        found = facts_of(status, view, settings(machine))

    assert (found["disk"], found["hours_until_full"], exit_code(found)) == ("spool full", 0.0, 0)


def test_captures_that_were_refused_need_somebody(machine: Machine) -> None:
    rejected = SpoolPaths(machine.spool).rejected
    cache = SpoolPaths(machine.spool).cache
    cache.mkdir()
    status = replace(spool_status(machine), in_rejected=2)
    assert not rejected.exists()
    with machine.daemon(state()):
        view = daemon_of(machine.spool, machine.clock)
        found = facts_of(status, view, settings(machine))

    assert found["needs"] == ["the endpoint refused 2 captures: capture-agent rejected list"]


@pytest.mark.parametrize(
    ("published", "need"),
    [
        (None, "the daemon does not run"),
        (state(phase=Phase.STOPPED, exit_code=0), "the daemon does not run"),
        (
            state(phase=Phase.STOPPED, exit_code=78),
            "the daemon does not run: it ended with the exit code 78",
        ),
        (state(), "the daemon does not run: it was killed or crashed"),
    ],
)
def test_no_daemon_has_a_code_of_its_own(
    machine: Machine, published: DaemonState | None, need: str
) -> None:
    if published is not None:
        with machine.daemon(published):
            pass
    found = facts(machine, None)

    assert (found["needs"], exit_code(found)) == ([need], 3)
    assert found["cameras"][0]["state"] == "off"
