"""The frames of the last seconds: which one a moment means, and what they may cost."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Capture, EncodedBy, Frame, Lane, Observation
from agent.errors import RefusalKind, RequestRefused
from agent.record.timestamp import timestamp
from agent.runtime.clip_ring import Moment
from agent.runtime.recent import BACKLOG, DROPPED, RECENT_S, RecentFrames
from agent.runtime.stats import Stats
from agent.selection.selector import FrameEvaluation, SelectionOutcome
from tests.fakes.captures import detection, frame
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder


class Ring:
    """The ring of the cameras "gate" and "yard", and what the pipeline tells it."""

    def __init__(
        self, clock: ManualClock, log: Recorder, *, fps: float = 5.0, limit: int = 64_000_000
    ) -> None:
        self.clock = clock
        self.stats = Stats()
        self.camera_error: str | None = None
        self.sequence = 0
        self.recent = RecentFrames(
            ["gate", "yard"],
            lambda frame: bytes([frame.sequence % 256]) * 1000,
            fps=fps,
            why=lambda _: self.camera_error,
            stats=self.stats,
            clock=clock,
            log=log.log,
            limit=limit,
            idle=0.0,
        )

    def see(self, camera: str = "gate", *, own: bytes | None = None) -> Frame:
        """Analyse a frame of now."""
        made = replace(
            frame(self.clock.now, camera=camera, sequence=self.sequence),
            captured_at=self.clock.wall(),
            jpeg=own,
        )
        self.sequence += 1
        self.recent.analysed(Observation(made, (detection(0.4),)))
        return made

    def play(self, seconds: float, *, fps: float = 5.0) -> None:
        for _ in range(round(seconds * fps)):
            self.see()
            self.recent.step()
            self.clock.now += 1 / fps

    def refusal(self, at: str | float | None, camera: str = "gate") -> RequestRefused:
        with pytest.raises(RequestRefused) as caught:
            self.recent.find(camera, at)
        return caught.value


@pytest.fixture
def ring(clock: ManualClock, log: Recorder) -> Ring:
    return Ring(clock, log)


def test_the_frame_of_a_moment_is_the_nearest_one(ring: Ring) -> None:
    ring.play(6)  # 30 frames, the last one 0.2 s ago

    assert ring.recent.find("gate").frame.sequence == 29
    assert ring.recent.find("gate", "-3s").frame.sequence == 15
    assert ring.recent.find("gate", "-2920ms").frame.sequence == 15
    assert ring.recent.find("gate", 0.6).frame.sequence == 27


def test_a_time_that_was_shown_finds_its_frame_after_the_clock_was_set(ring: Ring) -> None:
    ring.play(2)
    shown = timestamp(ring.recent.find("gate", "-1s").frame.captured_at)
    for step in (3600.0, -7200.0):
        ring.clock.wall_offset += step
        ring.play(1)

        assert ring.recent.find("gate", shown).frame.sequence == 5


def test_a_program_with_the_new_time_means_the_frame_of_that_moment(ring: Ring) -> None:
    """Its clock was set too; the frame was captured before."""
    ring.play(2)
    ring.clock.wall_offset += 3600.0

    assert ring.recent.find("gate", timestamp(ring.clock.wall() - 1.0)).frame.sequence == 5


def test_frames_of_more_than_ten_seconds_ago_are_gone(ring: Ring) -> None:
    ring.play(30)

    for at in ("-12s", timestamp(ring.clock.wall() - 12.0)):
        refusal = ring.refusal(at)
        assert refusal.kind is RefusalKind.GONE
        assert str(refusal) == (
            f"cannot find the frame of gate at {at}: the frame of 12 s ago is gone; the last 10 s "
            "are kept"
        )
    assert ring.recent.find("gate", "-9.9s")
    assert len(ring.recent.frames("gate")) == pytest.approx(5 * RECENT_S, abs=6)


def test_what_is_to_come_cannot_be_found_but_clocks_differ_a_little(ring: Ring) -> None:
    ring.play(2)

    assert ring.recent.find("gate", timestamp(ring.clock.wall() + 0.9)).frame.sequence == 9
    assert ring.refusal(timestamp(ring.clock.wall() + 60)).kind is RefusalKind.INVALID


def test_a_camera_that_nobody_has_is_named_with_those_that_there_are(ring: Ring) -> None:
    refusal = ring.refusal(None, camera="gat")

    assert refusal.kind is RefusalKind.UNKNOWN
    assert str(refusal) == "there is no camera 'gat'; the cameras are gate, yard"


def test_without_a_frame_the_reason_is_told(ring: Ring) -> None:
    ring.camera_error = "the camera is lost: no route"

    refusal = ring.refusal(None)

    assert refusal.kind is RefusalKind.NOT_NOW
    assert str(refusal).endswith("none was analysed yet: the camera is lost: no route")


def test_a_camera_that_is_lost_gives_the_frames_that_were_seen_and_no_others(ring: Ring) -> None:
    ring.play(2)
    ring.camera_error = "the camera is lost: no route"
    ring.clock.now += 5

    assert ring.recent.find("gate").frame.sequence == 9
    assert ring.recent.find("gate", "-6s").frame.sequence == 5
    refusal = ring.refusal("-1s")
    assert refusal.kind is RefusalKind.NOT_NOW
    assert "its newest is of 5 s ago: the camera is lost: no route" in str(refusal)

    ring.clock.now += 60
    assert ring.refusal(None).kind is RefusalKind.NOT_NOW


def test_slow_frames_are_near_for_longer(clock: ManualClock, log: Recorder) -> None:
    ring = Ring(clock, log, fps=0.1)
    ring.see()
    clock.now += 9

    assert ring.recent.find("gate", "-2s").frame.sequence == 0
    clock.now += 5
    assert ring.recent.find("gate").frame.sequence == 0


def test_frames_of_an_unknown_rate_are_near_for_as_long_as_they_are_apart(
    clock: ManualClock, log: Recorder
) -> None:
    """As those of an application that pushes one for each product."""
    ring = Ring(clock, log, fps=0)
    for _ in range(3):
        ring.see()
        clock.now += 6

    assert ring.recent.find("gate", "-2.5s").frame.sequence == 2


def test_an_outage_does_not_make_far_frames_near(ring: Ring) -> None:
    ring.play(3)
    ring.clock.now += 6
    ring.play(1)

    assert ring.refusal("-4s").kind is RefusalKind.GONE


def test_the_cameras_own_jpeg_is_kept_as_it_is(ring: Ring) -> None:
    ring.see(own=b"own")

    found = ring.recent.find("gate")

    assert found.is_encoded
    assert (found.frame.jpeg, found.frame.encoded_by) == (b"own", EncodedBy.CAMERA)
    assert found.frame.pixels.shape == (4, 6, 3)


def test_other_frames_are_encoded_by_the_thread_and_lose_their_pixels(ring: Ring) -> None:
    seen = ring.see()
    assert not ring.recent.find("gate").is_encoded

    ring.recent.step()

    found = ring.recent.find("gate")
    assert found.is_encoded
    assert (found.frame.jpeg, found.frame.encoded_by) == (b"\0" * 1000, EncodedBy.AGENT)
    assert found.frame.pixels.shape == seen.pixels.shape
    assert not any(found.frame.pixels.strides)


def test_what_the_rules_found_and_the_capture_are_added(ring: Ring) -> None:
    ring.see()
    seen = ring.see()
    ring.see()
    ring.recent.evaluated(FrameEvaluation(seen, SelectionOutcome.LOW_VALUE, value=0.03))
    ring.recent.captured(Capture(Observation(seen, ()), Lane.RANDOM, (), 0.0, id="that one"))
    ring.recent.step()

    first, second, third = ring.recent.frames("gate")
    assert (first.evaluation, first.capture) == (None, "")
    assert (third.evaluation, third.capture) == (None, "")
    assert second.capture == "that one"
    assert second.evaluation is not None
    assert second.evaluation.value == 0.03
    assert not any(second.evaluation.frame.pixels.strides)


def test_frames_that_are_near_to_each_other_share_a_clip(ring: Ring) -> None:
    """Each clip in memory costs work, and 25 of them a second would be too much."""
    began = ring.clock.now
    moments = [Moment(began + number / 25) for number in range(11)]
    for number, moment in enumerate(moments):
        seen = frame(moment.at, sequence=number)
        ring.recent.analysed(Observation(seen, (), surroundings=moment))
        ring.recent.step()

    kept = [each.observation.surroundings for each in ring.recent.frames("gate")]
    assert kept == [moments[0]] * 5 + [moments[5]] * 5 + [moments[10]]


def test_the_pipeline_never_waits_and_what_is_not_kept_is_counted(ring: Ring) -> None:
    for _ in range(BACKLOG + 3):
        ring.see()

    assert ring.stats.total()[DROPPED] == 3
    ring.recent.step()
    assert [each.frame.sequence for each in ring.recent.frames("gate")] == list(range(BACKLOG))


def test_few_large_frames_may_wait(ring: Ring) -> None:
    large = np.broadcast_to(np.zeros((), np.uint8), (6000, 6000, 3))
    for sequence in range(3):
        ring.recent.analysed(Observation(frame(sequence=sequence, pixels=large), ()))

    assert ring.stats.total()[DROPPED] == 2
    for sequence in range(3, 6):
        ring.recent.step()
        ring.recent.analysed(Observation(frame(sequence=sequence, pixels=large), ()))
        ring.recent.analysed(Observation(frame(sequence=sequence, pixels=large[:1]), ()))
    assert ring.stats.total()[DROPPED] == 5
    ring.recent.step()
    for _ in range(BACKLOG):
        ring.see()
    assert ring.stats.total()[DROPPED] == 5


def test_a_frame_that_cannot_be_encoded_is_not_kept(clock: ManualClock, log: Recorder) -> None:
    ring = Ring(clock, log)
    ring.recent._encode = lambda _: b""  # as of a frame of 70,000 pixels
    ring.see()
    ring.recent.step()

    assert ring.recent.frames("gate") == ()
    assert ring.recent.used == 0
    assert ring.stats.total()[DROPPED] == 1


def test_the_camera_with_the_most_loses_its_oldest_and_it_is_said_once(
    clock: ManualClock, log: Recorder
) -> None:
    ring = Ring(clock, log, limit=100_000)
    ring.see("yard")
    ring.recent.step()
    ring.play(8)

    assert ring.recent.used <= 100_000
    assert len(ring.recent.frames("yard")) == 1
    assert ring.recent.frames("gate")[-1].frame.sequence == 40
    assert log.one("recent frames shortened")["camera"] == "gate"
    refusal = ring.refusal("-7s")
    assert refusal.kind is RefusalKind.GONE


def test_frames_that_are_kept_for_as_long_as_promised_are_no_news(
    clock: ManualClock, log: Recorder
) -> None:
    """And where less is kept, the log does not only say how little was missing at first."""
    ring = Ring(clock, log)
    ring.play(10.5)
    ring.recent.limit = ring.recent.used
    ring.play(5)
    assert log.events == []

    for part in (0.8, 0.3):
        ring.recent.limit = int(ring.recent.limit * part)
        ring.play(5)

    assert set(log.events) == {"recent frames shortened"}
    told = [line["kept_s"] for line in log.lines]
    assert 9 < told[0] < 10
    assert told[1] < told[0] / 2


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 4000)), max_size=60))
def test_memory_is_what_is_there(steps: list[tuple[float, int]]) -> None:
    """Whatever comes in whatever order, no byte is counted twice or forgotten."""
    clock = ManualClock()
    ring = Ring(clock, Recorder(), limit=60_000)
    for wait, size in steps:
        clock.now += wait
        ring.see("gate" if size % 2 else "yard", own=bytes(size) if size % 3 else None)
        if size % 5 == 0:
            ring.recent.step()

        kept = [each for name in ("gate", "yard") for each in ring.recent.frames(name)]
        assert ring.recent.used == sum(each.bytes for each in kept)
        assert ring.recent.used <= 60_000
