"""A slow load, as the service manager hears of it."""

import select
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest

from agent.errors import ModelUnusable, TemporaryError
from agent.ports import LoadedModel
from agent.runtime.load_heartbeat import LoadHeartbeat
from agent.runtime.model import CurrentModel, ModelChange
from agent.runtime.supervisor import Supervisor
from agent.spool.spool import Spool
from agent.system import SystemdNotifier
from tests.fakes.captures import frame
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.limits import LIMIT_S
from tests.runtime.runtime_builders import MODEL, wait_until
from tests.runtime.test_model import OTHER, Fixed, MemoryModelStore
from tests.runtime.whole_agent import HungCamera, WholeAgent


class Manager:
    """The receiving end of sd_notify(3): whole messages, in their order."""

    def __init__(self, path: Path) -> None:
        self.notifier = SystemdNotifier(str(path))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(60)

    def hear(self) -> str:
        return self._socket.recv(4096).decode()

    def hear_until(self, words: str) -> str:
        while words not in (message := self.hear()):
            pass
        return message

    def waiting(self) -> list[str]:
        """Return what was said and not read yet."""
        found = []
        while select.select([self._socket], [], [], 0)[0]:
            found.append(self.hear())
        return found

    def close(self) -> None:
        self._socket.close()


class SlowLoad:
    """Loads until the test lets it."""

    def __init__(self) -> None:
        self.began = Event()
        self.go = Event()

    def __call__(self) -> LoadedModel:
        self.began.set()
        assert self.go.wait(60)
        return Fixed(OTHER)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.runtime.load_heartbeat.BEAT_S", 0.01)
    monkeypatch.setattr("agent.runtime.requested.ASKED_S", 0.01)


def test_a_start_asks_for_time_again_and_again_until_the_model_is_loaded(
    manager: Manager, clock: ManualClock
) -> None:
    heartbeat = LoadHeartbeat(1800, notifier=manager.notifier, clock=clock)
    load, loaded = SlowLoad(), []
    start = Thread(target=lambda: loaded.append(heartbeat.awaited(load)))
    start.start()

    assert manager.hear() == "EXTEND_TIMEOUT_USEC=1800000000\nSTATUS=loading the model, 0 s"
    clock.now += 600
    later = manager.hear_until("600 s")
    assert later == "EXTEND_TIMEOUT_USEC=1200000000\nSTATUS=loading the model, 600 s"
    assert manager.hear() == later
    load.go.set()
    start.join(60)

    assert [model.info for model in loaded] == [OTHER]
    assert set(manager.waiting()) <= {later}  # a socket that is full would take no more
    heartbeat.tell()
    assert manager.waiting() == []


def test_a_load_beyond_its_limit_is_not_put_off_any_more(
    manager: Manager, clock: ManualClock
) -> None:
    heartbeat = LoadHeartbeat(1800, notifier=manager.notifier, clock=clock)
    with heartbeat.under_way():
        manager.hear()
        clock.now += 1800
        heartbeat.tell()
    manager.notifier.notify("the next message")

    assert manager.hear() == "the next message"


def test_a_load_that_hangs_is_reported_by_name_after_its_limit(
    manager: Manager, clock: ManualClock
) -> None:
    heartbeat = LoadHeartbeat(240, notifier=manager.notifier, clock=clock)
    load, errors = SlowLoad(), []

    def start() -> None:
        try:
            heartbeat.awaited(load)
        except TemporaryError as error:
            errors.append(str(error))

    thread = Thread(target=start)
    thread.start()
    assert load.began.wait(60)
    clock.now += 241
    thread.join(60)
    load.go.set()

    assert len(errors) == 1
    assert "cannot load the model: it took longer than 240 s" in errors[0]


def test_a_failed_load_fails_as_it_would_alone(
    manager: Manager, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.runtime.load_heartbeat.BEAT_S", LIMIT_S)  # one message alone

    def fail() -> LoadedModel:
        raise ModelUnusable("cannot load the model")

    heartbeat = LoadHeartbeat(60, notifier=manager.notifier, clock=clock)
    with pytest.raises(ModelUnusable, match="cannot load the model"):
        heartbeat.awaited(fail)
    manager.hear()
    heartbeat.tell()
    manager.notifier.notify("the next message")

    assert manager.hear() == "the next message"


def with_change(
    spool: Spool, log: Recorder, clock: ManualClock, manager: Manager, load: SlowLoad
) -> Supervisor:
    """A daemon of a hung camera whose model is about to be changed."""
    stages = WholeAgent(HungCamera(), spool, log, clock=clock).stages
    heartbeat = LoadHeartbeat(1800, notifier=manager.notifier, clock=clock)
    change = ModelChange(
        CurrentModel(Fixed(MODEL)), load, MemoryModelStore(), heartbeat=heartbeat, log=log.log
    )
    return Supervisor(
        replace(stages, model_change=change),
        clock=clock,
        notifier=manager.notifier,
        log=log.log,
        watchdog=90,
    )


def test_a_load_while_running_keeps_the_watchdog_fed_and_extended(
    spool: Spool, log: Recorder, clock: ManualClock, manager: Manager
) -> None:
    """Each ping moves the watchdog's end back, so a request for time must follow it."""
    load = SlowLoad()
    supervisor = with_change(spool, log, clock, manager, load)
    [worker] = supervisor._change
    worker.start()
    supervisor.reload()
    assert load.began.wait(60)
    assert manager.hear().startswith("EXTEND_TIMEOUT_USEC=1800000000\n")

    for passed in (31, 62):
        clock.now += 31
        for other in supervisor._workers:
            other._due = clock.now + 1 if other is not worker else other._due
        supervisor.watch()
        assert manager.hear() == "WATCHDOG=1"
        assert manager.hear().startswith(f"EXTEND_TIMEOUT_USEC={(1800 - passed) * 1_000_000}\n")

    load.go.set()
    wait_until(lambda: "model changed" in log.events)
    clock.now += 31
    for other in supervisor._workers:
        other._due = clock.now + 1
    supervisor.watch()
    manager.notifier.notify("the next message")
    assert [manager.hear(), manager.hear()] == ["WATCHDOG=1", "the next message"]
    worker.stop()
    assert worker.join(60)


def test_a_load_that_hangs_starves_the_watchdog(
    spool: Spool, log: Recorder, clock: ManualClock, manager: Manager
) -> None:
    load = SlowLoad()
    supervisor = with_change(spool, log, clock, manager, load)
    [worker] = supervisor._change
    worker.start()
    supervisor.reload()
    assert load.began.wait(60)
    manager.hear()

    clock.now += 1800 + 61
    for other in supervisor._workers:
        other._due = clock.now + 1 if other is not worker else other._due
    supervisor.watch()
    manager.notifier.notify("the next message")

    assert log.one("worker stalled")["workers"] == "model"
    assert manager.hear() == "the next message"
    load.go.set()
    worker.stop()
    assert worker.join(60)


def test_frames_are_analysed_while_a_model_is_loaded(log: Recorder, clock: ManualClock) -> None:
    load, current = SlowLoad(), CurrentModel(Fixed(MODEL))
    heartbeat = LoadHeartbeat(60, notifier=SystemdNotifier(None), clock=clock)
    change = ModelChange(current, load, MemoryModelStore(), heartbeat=heartbeat, log=log.log)
    change.ask()
    other = Thread(target=change.step)
    other.start()
    assert load.began.wait(60)

    assert current.detect(frame().pixels).model == MODEL
    load.go.set()
    other.join(60)
    assert log.events == ["model changed"]
