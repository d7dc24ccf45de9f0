"""Each frame is evaluated once, in order, with its neighbours; then its pixels are freed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Box, Detection, Frame, Observation
from agent.selection.frame_context import LOOK_AHEAD, ContextBuilder, FrameContext
from tests.selection.grey_images import SHAPE, noisy, scene, with_object
from tests.selection.synthetic_street import THRESHOLDS, observed


def at(time: float, *, stream: str = "day", number: int = 0) -> Observation:
    pixels = np.zeros((90, 160, 3), np.uint8)
    return Observation(Frame("gate", number, pixels, time, time, 0, number, stream), ())


def contexts_of(builder: ContextBuilder, frames: list[Observation]) -> list[FrameContext]:
    return [*(m for frame in frames for m in builder.push(frame)), *builder.flush()]


STEPS = st.lists(st.sampled_from([0.2, 0.2, 0.2, 0.2, 0.6, 5.0, 90.0, -30.0]), max_size=60)


@given(STEPS, st.sampled_from([0, 1, LOOK_AHEAD]), st.integers(1, 30))
def test_every_frame_is_evaluated_exactly_once_and_in_order(
    steps: list[float], look_ahead: int, streams: int
) -> None:
    frames, time = [], 100.0
    for number, step in enumerate(steps):
        time += step
        frames.append(at(time, stream=str(number // streams), number=number))

    contexts = contexts_of(ContextBuilder(THRESHOLDS, look_ahead), frames)

    assert [m.observation.frame.sequence for m in contexts] == list(range(len(frames)))
    for context in contexts:
        assert context.observation.frame.pixels.strides != (0, 0, 0)


def test_neighbours_come_nearest_first_on_both_sides() -> None:
    contexts = contexts_of(ContextBuilder(THRESHOLDS), [at(n / 5, number=n) for n in range(20)])

    assert [o.frame.sequence for o in contexts[10].before] == [9, 8, 7]
    assert [o.frame.sequence for o in contexts[10].after] == [11, 12, 13]


@pytest.mark.parametrize("later", [at(60.0, number=10), at(2.0, stream="other", number=10)])
def test_frames_beyond_a_gap_are_no_neighbours(later: Observation) -> None:
    contexts = contexts_of(
        ContextBuilder(THRESHOLDS), [*(at(n / 5, number=n) for n in range(10)), later]
    )

    assert contexts[9].after == ()
    assert contexts[10].before == ()


def test_frames_of_another_size_are_no_neighbours() -> None:
    """Boxes are in pixels: those of frames of different sizes do not compare."""
    frames = [at(n * 0.2, number=n) for n in range(6)]
    small = [
        replace(each, frame=replace(each.frame, pixels=np.zeros((2, 3, 3), np.uint8)))
        for each in frames[3:]
    ]
    contexts = contexts_of(ContextBuilder(THRESHOLDS), frames[:3] + small)

    sizes = [
        {each.frame.pixels.shape for each in (*c.before, c.observation, *c.after)} for c in contexts
    ]
    assert len(contexts) == 6
    assert all(len(each) == 1 for each in sizes)


def test_a_slow_stream_disables_temporal_rules_and_is_evaluated_at_once() -> None:
    builder = ContextBuilder(THRESHOLDS)
    late = []
    for n in range(20):
        contexts = builder.push(at(n * 1.0, number=n))
        late.append(n - contexts[-1].observation.frame.sequence if contexts else LOOK_AHEAD)

    assert builder.is_slow
    assert late[-1] == 0
    assert not contexts[-1].is_timed


def timed(
    times: list[float], *, stream: str = "day", builder: ContextBuilder | None = None
) -> list[bool]:
    frames = [at(time, stream=stream, number=n) for n, time in enumerate(times)]
    return [
        context.is_timed for context in contexts_of(builder or ContextBuilder(THRESHOLDS), frames)
    ]


@pytest.mark.parametrize("fps", [0.2, 0.5, 1.0, 1.5, 1.75])
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 6, 40])
def test_temporal_rules_are_disabled_below_two_frames_a_second(fps: float, frames: int) -> None:
    assert not any(timed([n / fps for n in range(frames)]))


@pytest.mark.parametrize("fps", [2.0, 5.0, 30.0])
def test_temporal_rules_are_enabled_from_the_first_frame_of_a_fast_stream(fps: float) -> None:
    assert all(timed([n / fps for n in range(40)]))


def test_the_rate_of_three_frames_is_unknown() -> None:
    assert timed([0.0, 0.2, 0.4]) == [False] * 3


def test_a_slow_recording_after_a_fast_one_disables_temporal_rules() -> None:
    builder = ContextBuilder(THRESHOLDS)
    assert all(timed([n / 5 for n in range(40)], builder=builder))
    assert not any(timed([float(n) for n in range(40)], stream="next", builder=builder))


@pytest.mark.parametrize("camera", [12.5, 15.0, 25.0, 30.0])
def test_two_frames_a_second_are_enough_at_any_camera_rate(camera: float) -> None:
    """Their times are multiples of the camera's frame time, not exactly half a second apart."""
    assert all(timed([round(n / 2 * camera) / camera for n in range(60)]))


@pytest.mark.parametrize("is_view", [False, True])
def test_pixels_of_evaluated_frames_are_freed(*, is_view: bool) -> None:
    """Only the evaluated frame and those after it keep pixels; array views too."""
    builder, kept = ContextBuilder(THRESHOLDS), []
    for n in range(30):
        pixels = np.zeros((180, 160, 3), np.uint8)
        pixels = pixels[::2] if is_view else pixels
        frame = Frame("gate", n, pixels, n / 5, n / 5, 0, n, "day")
        builder.push(Observation(frame, ()))
        kept.append(sum(any(o.frame.pixels.strides) for _, o in builder._frames))

    assert max(kept) <= LOOK_AHEAD + 1
    assert builder._frames[0][1].frame.pixels.shape == ((90, 160, 3) if is_view else (180, 160, 3))


def hidden(number: int, seed: int) -> Observation:
    """Return a person who stands still, in one of several scenes."""
    person = Detection("person", 0, 0.8, Box(500, 300, 560, 440))
    return observed(number, [person], noisy(scene(seed), number, 1.0))


def test_tracks_begin_again_at_a_cut_with_numbers_that_are_new() -> None:
    """A camera that cuts between views shows other objects at the same places."""
    views = [1 + n // 10 % 4 for n in range(80)]
    contexts = contexts_of(
        ContextBuilder(THRESHOLDS), [hidden(n, seed) for n, seed in enumerate(views)]
    )
    numbers = [{track.number for track in context.tracks} for context in contexts]

    assert [min(each) for each in numbers] == [n // 10 for n in range(80)]
    assert contexts[9].after == ()
    assert contexts[10].before == ()
    assert all(context.is_timed for context in contexts)


def test_neither_a_large_object_nor_the_noise_of_a_dark_wall_is_a_cut() -> None:
    plain = np.full(SHAPE, 20, np.uint8)
    images = [noisy(plain, n, 3.0) for n in range(10)]
    images += [with_object(noisy(plain, n, 3.0), share=0.3) for n in range(10, 20)]
    contexts = contexts_of(
        ContextBuilder(THRESHOLDS), [observed(n, [], image) for n, image in enumerate(images)]
    )

    assert [len(context.after) for context in contexts[:-LOOK_AHEAD]] == [LOOK_AHEAD] * 17


def test_the_synthetic_street_has_five_frames_a_second() -> None:
    assert [observed(n, []).frame.at for n in (0, 5)] == [0.0, 1.0]
