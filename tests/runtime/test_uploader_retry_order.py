"""One failing capture never blocks the others, whatever it fails with."""

from itertools import pairwise

import pytest

from agent.domain import Receipt, StoredCapture
from agent.errors import TargetBlocked, TargetUnavailable
from agent.runtime.stats import Stats
from agent.runtime.uploader import Uploader
from agent.spool.spool import Spool
from agent.upload.backoff import Backoff
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
