"""The motion gate sees small things that move, and nothing in noise, slow light and shake."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.camera.thumbnail import small_grey
from agent.domain import Grey
from agent.selection.motion_gate import (
    LEARN_FRAMES,
    LEARN_S,
    RUN_EVERY_S,
    SMALLEST_PART,
    Gate,
    MotionGate,
)
from tests.selection.grey_images import scene

FPS = 5
LEARNT = LEARN_FRAMES + 1  # frames, if they come slowly enough
SLOW_S = LEARN_S / LEARN_FRAMES
HD = (720, 1280)
STILL = scene()
SHEETS = [np.random.default_rng(n).normal(0, 1, (180, 320)) for n in range(11)]
LARGE_SHEETS = [np.random.default_rng(n).normal(0, 1, (*HD, 3)).astype(np.float32) for n in (0, 1)]


class Watched:
    """A gate that gets frames at 5 fps, and what it decided."""

    def __init__(self) -> None:
        self.gate = MotionGate()
        self.runs: list[bool] = []
        self.at = 0.0

    def see(self, grey: Grey, *, must_run: bool = False, pause: float = 1 / FPS) -> bool:
        """Show the next frame; return whether the model must run."""
        self.at += pause
        step = pause if self.runs else None
        decision = self.gate.decide(grey, self.at, step=step, must_run=must_run)
        self.runs.append(decision is Gate.RUN)
        return self.runs[-1]


def noisy(image: Grey, seed: int, sigma: float = 2.0) -> Grey:
    """Return the image with sensor noise of `sigma` grey levels."""
    return np.clip(image + sigma * SHEETS[seed * 7 % 11], 0, 255).astype(np.uint8)


def large(image: NDArray[np.float32], seed: int, sigma: float) -> Grey:
    """Return the thumbnail of a 720p image with sensor noise."""
    noise = np.roll(LARGE_SHEETS[seed % 2], 77 * seed, axis=1)
    return small_grey(np.clip(image + sigma * noise, 0, 255).astype(np.uint8))


def quiet() -> Watched:
    """Return a gate that knows a still scene."""
    watched = Watched()
    for number in range(LEARNT):
        watched.see(noisy(STILL, number), pause=SLOW_S)
    return watched


def test_the_model_runs_on_each_frame_until_the_noise_is_known() -> None:
    watched = quiet()

    assert all(watched.runs[:LEARN_FRAMES])
    assert not watched.see(noisy(STILL, 1))


@pytest.mark.parametrize("fps", [0.5, 1, 5, 25])
def test_a_still_scene_is_analysed_at_least_every_ten_seconds(fps: float) -> None:
    watched = quiet()
    before, ran_at = watched.at, [watched.at]
    while watched.at < before + 35:
        if watched.see(noisy(STILL, len(watched.runs)), pause=1 / fps):
            ran_at.append(watched.at)

    assert np.diff([*ran_at, watched.at]).max() <= RUN_EVERY_S + 1e-6
    assert len(ran_at) <= 5


@pytest.mark.parametrize(("sigma", "size"), [(0, HD), (15, HD), (15, (240, 320))])
def test_sensor_noise_is_no_motion(sigma: float, size: tuple[int, int]) -> None:
    """Of 15 grey levels a pixel, also where the thumbnail averages nothing."""
    random = np.random.default_rng(2)
    image = np.kron(random.integers(40, 200, (size[0] // 10, size[1] // 10)), np.ones((10, 10)))
    watched = Watched()
    for number in range(LEARNT + 50):
        rows, columns = size
        noise = np.roll(LARGE_SHEETS[number % 2], 77 * number, axis=1)[:rows, :columns]
        pixels = np.clip(image[..., None] + sigma * noise, 0, 255).astype(np.uint8)
        watched.see(small_grey(pixels), pause=SLOW_S if number < LEARNT else 1 / FPS)

    assert sum(watched.runs[-50:]) <= 2


@pytest.mark.parametrize("contrast", [20, -25])
def test_the_smallest_object_that_is_promised_is_seen_in_each_frame(contrast: int) -> None:
    side = int((SMALLEST_PART * HD[0] * HD[1]) ** 0.5)
    random = np.random.default_rng(3)
    image = np.kron(random.integers(60, 190, (9, 16, 1)), np.ones((80, 80, 3)))
    image = image.astype(np.float32)
    watched = Watched()
    for number in range(LEARNT):
        watched.see(large(image, number, 5), pause=SLOW_S)
    assert not watched.see(large(image, 50, 5))

    seen = []
    for number in range(10):
        shown = image.copy()
        left = 205 + number * side
        shown[333 : 333 + side, left : left + side] += contrast
        seen.append(watched.see(large(shown, number, 5)))

    assert all(seen)


def test_a_slow_object_is_seen_once_it_has_moved_enough() -> None:
    watched = quiet()
    runs = 0
    for number in range(60):
        image = STILL.copy()
        image[60:90, 100 + number // 2 : 130 + number // 2] = 250
        runs += watched.see(noisy(image, number))

    assert runs >= 15


@pytest.mark.parametrize("drift", [-0.3, 0.3])
def test_light_that_changes_slowly_is_no_motion(drift: float) -> None:
    watched = quiet()
    for number in range(100):  # the sun behind a thin cloud: 6 grey levels in 20 s
        light = np.clip(STILL.astype(np.float64) + drift * number / 5, 0, 255).astype(np.uint8)
        watched.see(noisy(light, number))

    assert sum(watched.runs[-100:]) <= 4


def test_a_camera_that_shakes_by_a_pixel_is_no_motion() -> None:
    random = np.random.default_rng(4)
    image = np.kron(random.integers(90, 150, (18, 32, 1)), np.ones((40, 40, 3))).astype(np.float32)
    watched = Watched()
    for number in range(LEARNT + 40):
        shaken = np.roll(image, random.integers(-1, 2, 2), (0, 1))
        watched.see(large(shaken, number, 5), pause=SLOW_S if number < LEARNT else 1 / FPS)

    assert sum(watched.runs[-40:]) <= 3


def test_after_a_motion_the_frames_that_rules_compare_are_analysed_too() -> None:
    watched = quiet()
    image = STILL.copy()
    image[60:90, 100:130] = 250
    after = [watched.see(noisy(image, number)) for number in range(30)]

    assert all(after[:4])
    assert not any(after[10:])


@pytest.mark.parametrize("change", ["moved", "night", "gap"])
def test_another_scene_is_learnt_from_the_beginning(change: str) -> None:
    watched = quiet()
    image = scene(2) if change == "moved" else STILL
    if change == "night":
        image = (image // 4).astype(np.uint8)
    watched.see(noisy(image, 0), pause=30.0 if change == "gap" else 0.2)
    after = [watched.see(noisy(image, n), pause=0.2) for n in range(LEARNT)]

    assert all(after)


def test_a_place_where_things_always_move_stays_seen() -> None:
    """Otherwise a crowd would teach the gate to ignore it."""
    watched = Watched()
    for number in range(3 * LEARNT):
        image = noisy(STILL, number)
        if number % 3:
            image[60:120, 40 * (number % 5) : 40 * (number % 5) + 60] = 240
        watched.see(image, pause=0.5)

    assert all(watched.runs)


@settings(max_examples=10, deadline=None)
@given(st.sets(st.integers(0, 99), max_size=20))
def test_a_frame_that_must_be_analysed_is_never_skipped(wanted: set[int]) -> None:
    watched = quiet()
    after = [watched.see(noisy(STILL, n), must_run=n in wanted) for n in range(100)]

    assert all(after[n] for n in wanted)


def test_near_a_threshold_several_frames_in_a_row_are_analysed() -> None:
    calm, doubtful = quiet(), quiet()
    doubtful.gate.is_doubtful = True
    for number in range(100):
        calm.see(noisy(STILL, number))
        doubtful.see(noisy(STILL, number))

    assert [len(run) for run in in_a_row(calm.runs[-100:])] == [1, 1]
    assert [len(run) for run in in_a_row(doubtful.runs[-100:])][:1] == [4]


def in_a_row(runs: list[bool]) -> list[list[bool]]:
    """Return the groups of frames in a row on which the model ran."""
    text = "".join("x" if run else " " for run in runs)
    return [[True] * len(part) for part in text.split()]
