"""The wall clock is data: whatever it does, captures are sent at the same moments."""

import random

import pytest

from agent.errors import TargetBlocked, TargetUnavailable
from agent.runtime.stats import Stats
from agent.runtime.uploader import Uploader
from agent.spool.spool import Spool
from agent.upload.backoff import Backoff
from agent.upload.response import Response, require_proof
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import store
from tests.upload.fake_target import Failure, FakeTarget

YEARS_50 = 50 * 365.25 * 86400.0

AWAY = TargetUnavailable("cannot reach fake: it refuses connections")
HELD = TargetBlocked("cannot deliver captures: 401")


def told_to_wait(seconds: int) -> TargetUnavailable:
    """As an endpoint with a right clock says it, to a device with any."""
    date = "Wed, 21 Oct 2026 07:28:00 GMT"
    until = f"Wed, 21 Oct 2026 07:{28 + seconds // 60}:00 GMT"
    with pytest.raises(TargetUnavailable) as caught:
        require_proof(Response(503, retry_after=until, date=date), "x", "y")
    return caught.value


def moments(spool: Spool, clock: ManualClock, log: Recorder, steps: list[float]) -> list[float]:
    """When each attempt was made, while the wall clock jumps by one of `steps` now and then."""
    script: list[Failure | None] = [AWAY, AWAY, told_to_wait(120), None, HELD, HELD, None, AWAY]
    target = FakeTarget(*script)
    times: list[float] = []
    target.on_send = lambda _: times.append(round(clock.now - 1000.0, 3))
    jitter = random.Random(7)
    pace = Backoff(lambda bound: jitter.uniform(0.0, bound))
    uploader = Uploader(spool, target, pace, stats=Stats(), clock=clock, log=log.log)
    store(spool, 8)
    for number in range(120):
        if number % 10 == 3:
            clock.wall_offset += steps[number // 10 % len(steps)]
        clock.now += max(uploader.step(), 0.5)
    return times


@pytest.mark.parametrize("steps", [[YEARS_50, 0.0], [-YEARS_50, 0.0], [YEARS_50, -YEARS_50]])
def test_steps_of_50_years_change_no_waiting_time(
    spool: Spool, clock: ManualClock, log: Recorder, steps: list[float]
) -> None:
    jumping = moments(spool, clock, log, steps)
    while spool.waiting():
        capture = spool.claim()
        assert capture is not None
        spool.acknowledge(capture.id)
    clock.now, clock.wall_offset = 1000.0, ManualClock().wall_offset

    assert jumping == moments(spool, clock, log, [0.0])
    assert len(jumping) > 8
