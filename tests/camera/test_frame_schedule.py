"""Frame schedule, clock of a recording, and detection of frozen images."""

import math
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.camera.schedule import FrameSchedule, FreezeWatch, RecordingClock


def taken(times: list[float], fps: float, jitter: float = 0.0) -> list[int]:
    schedule = FrameSchedule(fps, jitter=jitter)
    indexes = []
    for index, at in enumerate(times):
        if schedule.due(at):
            schedule.take(at)
            indexes.append(index)
    return indexes


AT_25 = [index / 25 for index in range(26)]

TAKEN = [
    pytest.param(AT_25, 0, list(range(26)), id="0 takes every frame"),
    pytest.param(AT_25, 5, [0, 5, 10, 15, 20, 25], id="every fifth of 25"),
    pytest.param(AT_25, 10, [0, 3, 5, 8, 10, 13, 15, 18, 20, 23, 25], id="first at or after k/10"),
    pytest.param(AT_25, 25, list(range(26)), id="the rate of the stream"),
    pytest.param(AT_25, 60, list(range(26)), id="more than the stream has"),
    pytest.param(AT_25, 0.5, [0], id="one in two seconds"),
    pytest.param([9.4 + at for at in AT_25], 5, [0, 5, 10, 15, 20, 25], id="counted from first"),
    pytest.param([0, 0.033, 0.067, 0.1, 0.133], 30, [0, 1, 2, 3, 4], id="rounded to milliseconds"),
    pytest.param([0, 5.13, 5.16, 5.19, 5.22], 5, [0, 1, 4], id="missed slots are not made up"),
    pytest.param([0, 5.2, 5.24, 5.36, 5.4], 5, [0, 1, 4], id="a gap that ends on a slot"),
    pytest.param([0, 0.0004, 0.0008, 0.0012], 1000, [0, 2], id="finer than the rounding"),
]


@pytest.mark.parametrize(("times", "fps", "indexes"), TAKEN)
def test_a_stream_is_reduced_to_fps(times: list[float], fps: float, indexes: list[int]) -> None:
    assert taken(times, fps) == indexes


@pytest.mark.parametrize("rate", [24.98, 25.0, 25.02])
def test_network_jitter_drops_almost_no_frames_of_a_camera_at_about_fps(rate: float) -> None:
    """Also if the camera's clock is a little slower or faster than ours."""
    network_jitter = [0.009 * math.sin(index * index) for index in range(2500)]
    times = [index / rate + late for index, late in enumerate(network_jitter)]

    assert len(taken(times, 25, jitter=0.25)) >= 2490
    assert len(taken(times, 25, jitter=0)) < 2490


def test_the_slot_of_a_due_frame_that_was_not_taken_goes_to_the_next_frame() -> None:
    schedule = FrameSchedule(1)
    schedule.take(0.0)

    assert schedule.due(1.0)
    assert schedule.due(1.1)
    schedule.take(1.1)
    assert not schedule.due(1.9)
    assert schedule.due(2.0)


@given(
    gaps=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=60),
    fps=st.floats(0.1, 60.0),
)
def test_no_stream_gives_more_frames_than_fps(gaps: list[float], fps: float) -> None:
    times = list(accumulate(gaps))
    indexes = taken(times, fps)

    assert indexes[0] == 0
    assert len(indexes) <= math.floor((times[-1] - times[0]) * fps + 0.25) + 1


POSITIONS = [
    pytest.param(25, [0, 0.04, 0.08], [0, 0.04, 0.08], id="as stated"),
    pytest.param(25, [1.4, 1.44], [1.4, 1.44], id="starts later"),
    pytest.param(10, [0, 0, 0, 0], [0, 0.1, 0.2, 0.3], id="never stated: counted"),
    pytest.param(0, [0, 0], [0, 0.04], id="no rate either: 25 a second"),
    pytest.param(10, [0, 1, 2, 0, 1, 2], [0, 1, 2, 2.1, 3.1, 4.1], id="joined"),
    pytest.param(10, [5, 6, 9000, 9001], [5, 6, 6.1, 7.1], id="joined, a later clock"),
    pytest.param(math.nan, [math.nan] * 2, [0, 0.04], id="not a number"),
    pytest.param(math.inf, [math.inf] * 2, [0, 0.04], id="infinite"),
    pytest.param(10, [-5, -4.9], [0, 0.1], id="before the start"),
    pytest.param(10, [0, 0.1, 0.0, 0.3], [0, 0.1, 0.2, 0.3], id="one step back"),
    pytest.param(10, [0, 1e9, 0.2], [0, 0.1, 0.2], id="one jump"),
]


@pytest.mark.parametrize(("fps", "stated", "positions"), POSITIONS)
def test_a_recording_has_a_position_for_each_frame(
    fps: float, stated: list[float], positions: list[float]
) -> None:
    clock = RecordingClock(fps)

    assert [clock.position(at) for at in stated] == pytest.approx(positions)


@given(st.lists(st.floats() | st.floats(0, 100), min_size=2))
def test_positions_always_increase(stated: list[float]) -> None:
    clock = RecordingClock(25)
    positions = [clock.position(at) for at in stated]

    assert all(before < after for before, after in pairwise(positions))


def test_an_image_that_does_not_change_for_stall_seconds_is_frozen() -> None:
    watch = FreezeWatch(stall=2.0)

    seen = []
    for now, pixel_hash in [(0.0, 1), (1.0, 1), (1.9, 1), (2.0, 1), (2.5, 2), (4.4, 2), (4.5, 2)]:
        watch.record(pixel_hash, now)
        seen.append((watch.same_for, watch.frozen))

    assert seen == [
        (0.0, False),
        (1.0, False),
        (1.9, False),
        (2.0, True),
        (0.0, False),
        (pytest.approx(1.9), False),
        (2.0, True),
    ]
