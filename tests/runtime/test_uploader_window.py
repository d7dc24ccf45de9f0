"""Captures wait for their hours, and the log and `flush` say so."""

import time
from collections.abc import Iterator

import pytest

from agent.runtime.drain import Drain
from agent.runtime.stats import Stats
from agent.runtime.uploader import Uploader
from agent.spool.spool import Spool
from agent.upload.backoff import OPENING_BOUND, Backoff
from agent.upload.upload_window import UploadWindow
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import store
from tests.upload.fake_target import FakeTarget

NIGHT = UploadWindow(60, 300)
MIDNIGHT = 1_779_926_400.0  # 2026-05-28 00:00 UTC
MINUTE = 60.0
HOUR = 3600.0


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC0")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def set_clock(clock: ManualClock, hours: float) -> None:
    clock.wall_offset = MIDNIGHT + hours * HOUR - clock.now


def uploader_of(spool: Spool, target: FakeTarget, clock: ManualClock, log: Recorder) -> Uploader:
    return Uploader(
        spool,
        target,
        Backoff(lambda bound: bound, first_bound=0.0),
        stats=Stats(),
        clock=clock,
        log=log.log,
        window=NIGHT,
    )


def test_a_day_of_steps_delivers_within_the_window_alone(
    spool: Spool, clock: ManualClock, log: Recorder
) -> None:
    set_clock(clock, 12)
    target = FakeTarget()
    hours: list[float] = []
    target.on_send = lambda _: hours.append((clock.wall() - MIDNIGHT) / HOUR % 24)
    uploader = uploader_of(spool, target, clock, log)
    for _ in range(24 * 6):
        store(spool, 1)
        for _ in range(20):
            clock.now += max(uploader.step(), MINUTE / 2)

    assert len(hours) == 6 * (24 - 12 + 5)
    assert min(hours) >= 1
    assert max(hours) < 5
    assert log.events.count("upload window closed") == 2
    assert log.events.count("upload window opened") == 1
    assert log.one("upload window opened")["window"] == "01:00-05:00"
    closed = next(line for line in log.lines if line["event"] == "upload window closed")
    assert closed["opens"] == "at 2026-05-29 01:00"


def test_devices_that_wait_for_the_same_minute_do_not_begin_in_the_same_second(
    spool: Spool, clock: ManualClock, log: Recorder
) -> None:
    set_clock(clock, 0.999)
    store(spool, 1)
    uploader = uploader_of(spool, FakeTarget(), clock, log)

    assert uploader.step() == pytest.approx(3.6)
    clock.now += 3.6
    assert uploader.step() == 30.0
    clock.now += 30.0
    assert uploader.step() == pytest.approx(30.0)
    clock.now += 30.0
    assert uploader.step() == 0.0
    assert spool.waiting() == 0


def test_a_clock_that_steps_opens_and_closes_at_once(
    spool: Spool, clock: ManualClock, log: Recorder
) -> None:
    clock.wall_offset = -clock.now  # 1970
    store(spool, 3)
    target = FakeTarget()
    uploader = uploader_of(spool, target, clock, log)

    assert uploader.step() == 30.0
    assert "when the clock is set (NTP): it says 1970-01-01" in str(uploader.closed)
    set_clock(clock, 2)
    assert uploader.step() == 30.0
    assert uploader.closed is None
    clock.now += OPENING_BOUND
    assert uploader.step() == 0.0
    set_clock(clock, 6)
    assert uploader.step() == 30.0
    assert len(target.stored) == 1
    assert uploader.condition == "closed"


def test_flush_ends_outside_the_window_and_says_when_it_opens(
    spool: Spool, clock: ManualClock, log: Recorder
) -> None:
    set_clock(clock, 6)
    store(spool, 2)
    target = FakeTarget()
    drain = Drain(
        spool,
        target,
        Backoff(lambda _: 0.0, first_bound=0.0),
        workers=2,
        clock=clock,
        log=log.log,
        window=NIGHT,
    )
    drain.run(lambda: None)

    assert target.attempts == []
    assert drain.reason == ("the upload window 01:00-05:00 is closed; it opens at 2026-05-29 01:00")
