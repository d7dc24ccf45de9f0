"""Emptying a spool without a daemon ends: done, held, or away too long."""

from pathlib import Path
from threading import Event

import pytest

from agent.domain import StoredCapture
from agent.errors import CaptureRejected
from agent.runtime.drain import GIVE_UP_S, Drain
from agent.spool.spool import Spool
from agent.upload.backoff import Backoff
from tests.fakes.clock import ManualClock
from tests.fakes.disk.real import RefusingDisk
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import open_test_spool, store
from tests.runtime.test_uploader import AWAY, HELD, READ_ONLY
from tests.upload.fake_target import FakeTarget


def drain_of(spool: Spool, target: FakeTarget, log: Recorder, *, workers: int = 2) -> Drain:
    pace = Backoff(lambda _: 0.0, first_bound=0.0)
    return Drain(spool, target, pace, workers=workers, clock=ManualClock(step=1.0), log=log.log)


def nothing() -> None:
    """No progress bar."""


def test_all_is_delivered_and_progress_is_told(spool: Spool, log: Recorder) -> None:
    ids = store(spool, 10)
    target = FakeTarget()
    left: list[int] = []
    drain = drain_of(spool, target, log)
    drain.run(lambda: left.append(spool.waiting()))

    assert sorted(target.stored) == sorted(ids)
    assert left[-1] == 0
    assert (drain.delivered, drain.rejected, drain.failed) == (10, 0, False)


def test_an_empty_spool_is_done_at_once(spool: Spool, log: Recorder) -> None:
    drain = drain_of(spool, FakeTarget(), log)
    drain.run(nothing)

    assert drain.delivered == 0


@pytest.mark.parametrize("failure", [AWAY, HELD])
def test_it_gives_up_with_the_reason_when_the_endpoint_accepts_nothing(
    spool: Spool, log: Recorder, failure: Exception
) -> None:
    store(spool, 3)
    target = FakeTarget()
    target.failure = failure  # type: ignore[assignment]
    drain = drain_of(spool, target, log)
    drain.run(nothing)

    assert drain.reason == str(failure)
    assert spool.waiting() == 3
    assert spool.in_flight() == 0


def test_it_gives_up_when_the_local_disk_refuses(
    tmp_path: Path, clock: ManualClock, log: Recorder
) -> None:
    disk = RefusingDisk()
    with open_test_spool(tmp_path, clock, log, disk=disk) as spool:
        store(spool, 2)
        disk.refuses = READ_ONLY
        drain = drain_of(spool, FakeTarget(), log)
        drain.run(nothing)

        assert "Read-only" in drain.reason
        assert spool.waiting() == 2


def test_a_slow_delivery_is_not_given_up(spool: Spool, log: Recorder) -> None:
    """A request has a deadline of its own; while it runs, the endpoint is not unavailable."""
    store(spool, 1)
    target = FakeTarget()
    go_on = Event()

    def slowly(_: StoredCapture) -> None:
        assert go_on.wait(60)

    target.on_send = slowly
    drain = drain_of(spool, target, log, workers=1)
    rounds = 0

    def progressed() -> None:
        nonlocal rounds
        rounds += 1
        if rounds > 2 * GIVE_UP_S:  # each round is a second of its clock
            go_on.set()

    drain.run(progressed)

    assert drain.delivered == 1


def test_a_bug_in_the_target_is_a_hold_and_its_traceback_is_logged_once(
    spool: Spool, log: Recorder
) -> None:
    store(spool, 1)
    target = FakeTarget()

    def bug(_: StoredCapture) -> None:
        raise ZeroDivisionError

    target.on_send = bug
    drain = drain_of(spool, target, log)
    drain.run(nothing)

    assert not drain.failed
    assert "ZeroDivisionError" in drain.reason
    assert spool.waiting() == 1
    assert log.events.count("target failed") == 1


def test_a_refused_capture_is_rejected_and_not_waited_for(spool: Spool, log: Recorder) -> None:
    ids = store(spool, 4)
    target = FakeTarget()
    target.refused = {ids[3]}
    drain = drain_of(spool, target, log)
    drain.run(nothing)

    assert (drain.delivered, drain.rejected, spool.waiting()) == (3, 1, 0)


def test_refused_captures_at_the_head_of_the_line_do_not_end_it(
    spool: Spool, log: Recorder
) -> None:
    ids = store(spool, 62)
    target = FakeTarget()
    target.refused = set(ids[:30])
    drain = drain_of(spool, target, log)
    drain.run(nothing)

    assert drain.delivered == 32
    assert drain.rejected + spool.waiting() == 30


def test_where_everything_is_refused_it_keeps_all_and_says_why(spool: Spool, log: Recorder) -> None:
    store(spool, 20)
    target = FakeTarget()
    target.failure = CaptureRejected("cannot deliver the capture: 422")
    drain = drain_of(spool, target, log)
    drain.run(nothing)

    assert (drain.delivered, drain.rejected, spool.waiting()) == (0, 0, 20)
    said = "every capture is refused, the last one so: cannot deliver the capture: 422"
    assert drain.reason == said


def test_the_reason_it_ended_for_stays_when_a_credit_comes_too_late(
    spool: Spool, log: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(spool, 1)
    said = iter(["the next credit in 1 s"])
    monkeypatch.setattr(spool, "wait_reason", lambda: next(said, None))
    drain = drain_of(spool, FakeTarget(), log, workers=0)
    drain.run(nothing)

    assert drain.reason == "the next credit in 1 s"
