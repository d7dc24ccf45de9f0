"""One failing capture never blocks the others, whatever it fails with."""

from itertools import pairwise

import pytest

from agent.domain import Receipt, StoredCapture
from agent.errors import CaptureRejected, TargetBlocked, TargetUnavailable
from agent.runtime.stats import Stats
from agent.runtime.uploader import Uploader
from agent.spool.spool import Spool
from agent.upload.backoff import REJECTED_MAX, Backoff
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import store
from tests.upload.fake_target import Failure, FakeTarget


class Choking(FakeTarget):
    """Fails over some captures alone."""

    def __init__(self, failure: Failure, bad: set[str]) -> None:
        super().__init__()
        self.bad = bad
        self.choke = failure

    def send(self, capture: StoredCapture) -> Receipt:
        if capture.id in self.bad:
            self.attempts.append(capture.id)
            raise self.choke
        return super().send(capture)


@pytest.mark.parametrize(
    "failure",
    [TargetUnavailable("cannot deliver: 500"), TargetBlocked("cannot deliver: 403")],
    ids=["unavailable", "held"],
)
def test_the_most_valuable_captures_fail_and_all_others_pass(
    spool: Spool, clock: ManualClock, log: Recorder, failure: Failure
) -> None:
    ids = store(spool, 20)
    target = Choking(failure, bad=set(ids[:3]))
    pace = Backoff(lambda bound: bound, first_bound=0.0)
    uploader = Uploader(spool, target, pace, stats=Stats(), clock=clock, log=log.log)
    began = clock.now
    while spool.waiting() > 3 and clock.now < began + 4 * 3600:
        clock.now += max(uploader.step(), 0.1)

    assert sorted(target.stored) == sorted(ids[3:])
    assert spool.in_flight() == 0


def test_the_capture_that_fails_is_still_tried_and_passes_when_it_can(
    spool: Spool, clock: ManualClock, log: Recorder
) -> None:
    [first, *_] = store(spool, 2)
    target = Choking(TargetUnavailable("cannot deliver: 500"), bad={first})
    pace = Backoff(lambda bound: bound, first_bound=0.0)
    uploader = Uploader(spool, target, pace, stats=Stats(), clock=clock, log=log.log)
    times = []
    for _ in range(300):
        before = len(target.attempts)
        wait = uploader.step()
        if len(target.attempts) > before and target.attempts[-1] == first:
            times.append(clock.now)
        clock.now += max(wait, 0.1)

    assert len(times) > 10
    assert max(later - earlier for earlier, later in pairwise(times)) <= 301
    target.bad.clear()
    for _ in range(20):
        clock.now += max(uploader.step(), 0.1)
    assert first in target.stored
    assert spool.waiting() == 0


def refused_first(spool: Spool, count: int, bad: int) -> tuple[list[str], FakeTarget]:
    """Store captures, and return their ids with a target that refuses the most valuable ones."""
    ids = store(spool, count)
    target = FakeTarget()
    target.refused = set(ids[:bad])
    return ids, target


def uploader_of(
    spool: Spool, target: FakeTarget, clock: ManualClock, log: Recorder, pace: Backoff
) -> Uploader:
    return Uploader(spool, target, pace, stats=Stats(), clock=clock, log=log.log)


@pytest.mark.parametrize(("count", "bad"), [(62, 3), (62, 10), (62, 30), (13, 12), (300, 150)])
def test_refused_captures_at_the_head_of_the_line_do_not_block_the_others(
    spool: Spool, clock: ManualClock, log: Recorder, count: int, bad: int
) -> None:
    """A device that is on for less than a minute delivers."""
    ids, target = refused_first(spool, count, bad)
    uploader = uploader_of(spool, target, clock, log, Backoff(lambda bound: bound))
    began = clock.now
    while clock.now < began + 45:
        clock.now += max(uploader.step(), 0.2)

    assert "upload blocked" not in log.events
    assert set(target.stored) <= set(ids[bad:])
    assert len(target.stored) >= min(count - bad, 20)


def test_where_everything_is_refused_all_is_kept_and_blocked_after_a_dozen(
    spool: Spool, clock: ManualClock, log: Recorder
) -> None:
    store(spool, 40)
    target = FakeTarget()
    target.failure = CaptureRejected("cannot deliver the capture: 422")
    uploader = uploader_of(spool, target, clock, log, Backoff(lambda bound: bound))
    began = clock.now
    while clock.now < began + 3600:
        clock.now += max(uploader.step(), 0.5)
        if uploader.condition == "blocked" and "upload blocked" in log.events:
            break

    assert len(target.attempts) == len(set(target.attempts)) == REJECTED_MAX
    while clock.now < began + 6 * 3600:
        clock.now += max(uploader.step(), 0.5)
    assert spool.waiting() == 40
    assert spool.counts().get("rejected", 0) == 0
    assert "capture rejected" not in log.events


class Gullible(Backoff):
    """A planted fault: blames each capture, also where none was ever accepted."""

    def _is_ours(self, rejections: object) -> bool:
        del rejections
        return False


class Stubborn(Backoff):
    """A planted fault: never looks for others than the next in order."""

    def seeks_others(self, now: float) -> bool:
        del now
        return False


@pytest.mark.parametrize("fault", [Gullible, Stubborn])
def test_the_tests_above_would_see_a_planted_fault(
    spool: Spool, clock: ManualClock, log: Recorder, fault: type[Backoff]
) -> None:
    ids, target = refused_first(spool, 62, 30)
    if fault is Gullible:
        target.refused = set(ids)
    uploader = uploader_of(spool, target, clock, log, fault(lambda bound: bound))
    began = clock.now
    while clock.now < began + (3600 if fault is Gullible else 45):
        clock.now += max(uploader.step(), 0.2)

    if fault is Gullible:
        assert spool.counts()["rejected"] > 0
    else:
        assert target.stored == {}
