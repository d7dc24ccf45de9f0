"""One thread, one step: waits, ends, fails in good order."""

import threading
from collections.abc import Callable

import pytest

from agent.progress import Stopping, doing, turn
from agent.runtime.worker import Step, Worker
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import wait_until


@pytest.fixture
def make(clock: ManualClock, log: Recorder) -> Callable[..., Worker]:
    def make(step: Step, **more: object) -> Worker:
        settings = {"timeout": 10.0, "ended": lambda: None, **more}
        return Worker("tester", step, clock=clock, log=log.log, **settings)  # type: ignore[arg-type]

    return make


def test_it_repeats_the_step_until_all_is_done(make: Callable[..., Worker]) -> None:
    answers: list[float | None] = [0.0, 0.001, None]
    told = threading.Event()
    worker = make(lambda: answers.pop(0), ended=told.set)
    worker.start()

    assert told.wait(60)
    assert worker.join(60)
    assert worker.ended
    assert not worker.failed
    assert answers == []


def test_a_stop_ends_a_wait_at_once(make: Callable[..., Worker]) -> None:
    waiting = threading.Event()

    def step() -> float:
        waiting.set()
        return 3600.0

    worker = make(step)
    worker.start()
    assert waiting.wait(60)
    worker.stop()

    assert worker.join(60)
    assert not worker.failed


class PanicException(BaseException):
    """As libraries written in Rust raise it: not an `Exception`."""


@pytest.mark.parametrize("bug", [ZeroDivisionError, PanicException, SystemExit, KeyboardInterrupt])
def test_a_bug_is_logged_with_its_traceback_and_ends_it(
    make: Callable[..., Worker], log: Recorder, bug: type[BaseException]
) -> None:
    told = threading.Event()

    def step() -> float:
        raise bug

    worker = make(step, ended=told.set)
    worker.start()

    assert told.wait(60)
    assert worker.join(60)
    assert worker.failed
    assert log.one("worker failed")["log_level"] == "critical"
    assert log.one("worker failed")["exc_info"] is True


def test_what_it_used_is_closed_by_the_same_thread(make: Callable[..., Worker]) -> None:
    threads: list[threading.Thread] = []
    worker = make(lambda: None, close=lambda: threads.append(threading.current_thread()))
    worker.start()

    assert worker.join(60)
    assert [thread.name for thread in threads] == ["tester"]


def test_a_join_has_a_deadline(make: Callable[..., Worker]) -> None:
    let_go = threading.Event()

    def step() -> None:
        let_go.wait(60)

    worker = make(step)
    worker.start()
    try:
        assert not worker.join(0.01)
        assert not worker.ended
    finally:
        let_go.set()
        assert worker.join(60)


def test_a_step_that_takes_longer_than_its_timeout_is_overdue(
    make: Callable[..., Worker], clock: ManualClock
) -> None:
    let_go, inside = threading.Event(), threading.Event()

    def step() -> None:
        inside.set()
        let_go.wait(60)

    worker = make(step, timeout=10.0)
    worker.start()
    try:
        assert inside.wait(60)
        assert not worker.overdue(clock.now + 10)
        assert worker.overdue(clock.now + 11)
    finally:
        let_go.set()
    assert worker.join(60)
    assert not worker.overdue(clock.now + 1e9)


def test_a_wait_that_a_step_asked_for_is_not_overdue(
    make: Callable[..., Worker], clock: ManualClock
) -> None:
    worker = make(lambda: 3600.0, timeout=10.0)
    worker.start()

    wait_until(lambda: not worker.overdue(clock.now + 3610))
    assert worker.overdue(clock.now + 3611)
    worker.stop()
    assert worker.join(60)


def test_a_named_part_of_a_step_has_the_time_of_a_step_and_a_wait_for_a_turn_has_no_limit(
    make: Callable[..., Worker], clock: ManualClock
) -> None:
    """A delivery of many slow requests is no stall, nor is the wait for somebody else's."""
    lock, said = threading.Lock(), []

    def look(seconds: float) -> None:
        clock.now += seconds
        said.append((worker.description, worker.overdue(clock.now)))

    def step() -> None:
        for number in range(5):
            with doing(f"request {number}"):
                look(9)
        with turn(lock, "its turn"):
            look(9)
        with doing("hangs"):
            look(11)

    worker = make(step)
    worker.start()
    assert worker.join(60)

    requests = [(f"tester (request {number})", False) for number in range(5)]
    assert said == [*requests, ("tester", False), ("tester (hangs)", True)]


def test_a_wait_for_a_turn_has_a_name_and_no_limit_and_ends_with_a_stop(
    make: Callable[..., Worker], clock: ManualClock
) -> None:
    lock, waits, ends = threading.Lock(), threading.Event(), []

    def step() -> None:
        waits.set()
        try:
            with turn(lock, "its turn to import"):
                pytest.fail("it has the lock")
        except Stopping:
            ends.append("stopping")

    worker = make(step)
    with lock:
        worker.start()
        wait_until(lambda: worker.description == "tester (waits for its turn to import)")
        clock.now += 1e6
        wait_until(lambda: not worker.overdue(clock.now))
        worker.stop()
        assert worker.join(60)

    assert ends == ["stopping"]
    assert not worker.failed


def test_what_a_thread_without_a_worker_does_is_not_noted() -> None:
    with doing("anything"), turn(threading.Lock(), "anything"):
        pass
