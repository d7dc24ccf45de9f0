"""The heartbeat: when a status is sent, and that nothing else is disturbed by it."""

import threading
from collections.abc import Iterator

import pytest

from agent.errors import AgentError, StatusRefused, TargetBlocked, TargetUnavailable
from agent.runtime import device_heartbeat
from agent.runtime.device_heartbeat import (
    GAP_WAIT_S,
    REFUSED_S,
    SETTLE_S,
    SPREAD_S,
    DeviceHeartbeat,
    HeartbeatPlan,
    first_after,
)
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.limits import LIMIT_S
from tests.runtime.runtime_builders import wait_until

EVERY_S = 900.0
FIRST_S = SETTLE_S + SPREAD_S


class FakePlace:
    """An endpoint that takes statuses, unless told otherwise."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.asked = 0
        self.failure: BaseException | None = None
        self.answers = threading.Event()
        self.answers.set()

    def send_status(self, device: str, status: bytes) -> None:
        self.asked += 1
        self.answers.wait(60)
        if self.failure is not None:
            raise self.failure
        self.taken.append(device.encode() + b" " + status)


class Bench:
    """A heartbeat with its surroundings."""

    def __init__(self, interval: float = EVERY_S) -> None:
        self.clock = ManualClock()
        self.place = FakePlace()
        self.recorder = Recorder()
        self.is_sending = False
        self.status = b"status"
        self.heartbeat = DeviceHeartbeat(
            HeartbeatPlan(self.place, "https://example.org", "gate-07", interval),
            self._status,
            is_sending=lambda: self.is_sending,
            jitter=lambda bound: bound,
            clock=self.clock,
            log=self.recorder.log,
        )

    def _status(self, is_last: bool) -> bytes:
        return b"last" if is_last else self.status

    def pass_time(self, seconds: float, *, by: float = 1.0) -> None:
        """Let time pass in steps, as the worker does."""
        for _ in range(int(seconds / by)):
            self.clock.now += by
            self.heartbeat.step()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step and a stop wait for the answer, which surely comes."""
    monkeypatch.setattr(device_heartbeat, "_POLL_S", LIMIT_S)
    monkeypatch.setattr(device_heartbeat, "LAST_S", LIMIT_S)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.place.answers.set()


def test_the_first_comes_soon_and_then_one_each_interval(bench: Bench) -> None:
    bench.pass_time(SETTLE_S, by=0.5)
    assert bench.place.asked == 0
    bench.pass_time(SPREAD_S)
    assert bench.place.taken == [b"gate-07 status"]
    bench.pass_time(EVERY_S * 4)
    assert bench.place.asked == 5
    assert bench.heartbeat.state.sent is not None
    assert bench.recorder.events == []


def test_devices_that_start_at_once_do_not_come_at_once() -> None:
    waits = [first_after(f"device-{n}", EVERY_S) for n in range(1000)]
    assert waits == [first_after(f"device-{n}", EVERY_S) for n in range(1000)]
    for second in range(int(SPREAD_S)):
        begin = SETTLE_S + second
        assert sum(begin <= wait < begin + 1 for wait in waits) < 40  # of 17 on average
    assert max(waits) <= FIRST_S


def test_a_short_interval_is_kept_too() -> None:
    bench = Bench(interval=1.0)
    bench.pass_time(12.0, by=0.25)
    assert 9 <= bench.place.asked <= 12


def test_it_waits_while_captures_are_sent_but_not_for_ever(bench: Bench) -> None:
    bench.is_sending = True
    bench.pass_time(first_after("gate-07", EVERY_S) + GAP_WAIT_S - 2)
    assert bench.place.asked == 0
    bench.pass_time(3)
    assert bench.place.asked == 1


def test_it_goes_as_soon_as_no_capture_is_sent(bench: Bench) -> None:
    bench.is_sending = True
    bench.pass_time(first_after("gate-07", EVERY_S) + 3)
    bench.is_sending = False
    bench.pass_time(1)
    assert bench.place.asked == 1


@pytest.mark.parametrize("error", [TargetUnavailable("cannot reach"), TargetBlocked("401")])
def test_after_failures_the_newest_is_sent_less_and_less_often(
    bench: Bench, error: AgentError
) -> None:
    bench.place.failure = error
    bench.pass_time(FIRST_S + 14 * 60)
    assert 5 <= bench.place.asked <= 7  # after 15, 30, 60, 120, 240 and 480 s
    assert bench.heartbeat.state.error == str(error)
    bench.pass_time(EVERY_S * 4)
    assert bench.place.asked <= 12
    bench.place.failure = None
    bench.status = b"newest"
    bench.pass_time(EVERY_S)
    assert bench.place.taken == [b"gate-07 newest"]
    assert bench.heartbeat.state.error is None
    assert bench.recorder.events == [
        "heartbeat delayed",
        "heartbeat resumed",
    ]


def test_an_endpoint_may_ask_for_a_longer_pause(bench: Bench) -> None:
    bench.place.failure = TargetUnavailable("429", retry_after=3600.0)
    bench.pass_time(3590)
    assert bench.place.asked == 1


def test_an_endpoint_without_a_place_is_asked_each_day(bench: Bench) -> None:
    bench.place.failure = StatusRefused("the endpoint answers 404")
    bench.pass_time(FIRST_S + REFUSED_S - 120, by=60.0)
    assert bench.place.asked == 1
    assert bench.heartbeat.state.is_refused
    bench.pass_time(REFUSED_S, by=60.0)
    assert bench.place.asked == 2
    assert bench.recorder.one("heartbeat refused")["error"] == "the endpoint answers 404"


def test_an_endpoint_that_never_answers_holds_up_neither_the_step_nor_a_stop(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_heartbeat, "_POLL_S", 0.01)
    monkeypatch.setattr(device_heartbeat, "LAST_S", 0.02)
    bench.place.answers.clear()
    bench.pass_time(FIRST_S, by=FIRST_S)
    wait_until(lambda: bench.place.asked)
    for _ in range(3):
        bench.clock.now += EVERY_S
        bench.heartbeat.step()
    assert bench.place.asked == 1  # at most one is under way
    bench.heartbeat.close()
    assert bench.place.asked == 1


def test_a_stop_sends_a_last_one(bench: Bench) -> None:
    bench.pass_time(FIRST_S)
    bench.heartbeat.close()
    assert bench.place.taken == [b"gate-07 status", b"gate-07 last"]


def test_a_stop_without_a_network_sends_none(bench: Bench) -> None:
    bench.heartbeat.close()
    bench.place.failure = TargetUnavailable("cannot reach")
    bench.pass_time(FIRST_S)
    asked = bench.place.asked
    bench.heartbeat.close()
    assert bench.place.asked == asked


def test_steps_of_the_wall_clock_change_nothing(bench: Bench) -> None:
    bench.pass_time(FIRST_S)
    for step in (1e8, -2e8, 1e8):
        bench.clock.wall_offset += step
        bench.pass_time(60.0)
    assert bench.place.asked == 1


def test_a_bug_in_a_target_ends_nothing(bench: Bench) -> None:
    bench.place.failure = ZeroDivisionError("oops")
    bench.pass_time(FIRST_S + EVERY_S)
    assert bench.place.asked > 1
    assert bench.recorder.one("target failed")["target"] == "https://example.org"
    assert "a bug" in str(bench.heartbeat.state.error)
