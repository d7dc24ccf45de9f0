"""The slots of the random lane go on over reboots, and the sample stays unbiased."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from agent.selection.random_lane import RandomLane
from tests.fakes.captures import frame
from tests.selection.frames import drawn

FPS = 10  # frames a slot of one second
SEEN = (FPS - 1) / FPS  # an instant after the last frame of its slot has no frame
LOST = 9  # frames since the last `memory` that a power cut may forget
PIXELS = np.zeros((4, 6, 3), np.uint8)


def resumed(text: str | None, boot: str, seed: str = "gate") -> RandomLane:
    lane = RandomLane(1.0, seed)
    lane.resume(text, boot)
    return lane


def over_boots(
    seed: str,
    boots: Sequence[tuple[int, bool]],
    *,
    saved_each: int = LOST,
    saves_draws: bool = False,
) -> list[tuple[int, int]]:
    """Return the draws of a device, each as boot and frame.

    Args:
        seed: of the random lane.
        boots: of each the number of frames, and whether it ends without a power cut.
        saved_each: frames between two calls of `memory`.
        saves_draws: bug: `memory` is also written with each capture.
    """
    found = []
    text = None
    for number, (frames, is_clean) in enumerate(boots):
        lane = resumed(text, f"boot {number}", seed)
        for step in range(frames):
            sampling = lane.draw(frame(step / FPS, stream=lane.boot, pixels=PIXELS))
            if sampling is not None:
                assert sampling.weight == sampling.slot_seconds == 1.0
                found.append((number, step))
            if (step + 1) % saved_each == 0 or (saves_draws and sampling is not None):
                text = lane.memory()
        if is_clean:
            text = lane.memory()
    return found


def test_many_boots_draw_as_many_frames_as_one_long_one() -> None:
    """Of slots that began again with each boot, 60 boots of half a slot would draw 17 to 37."""
    for number in range(5):
        boots = [(FPS // 2 + 1, True)] * 60
        draws = len(over_boots(f"seed {number}", boots, saved_each=1))

        assert draws == pytest.approx(30 * SEEN, abs=3)


def bias(*, saves_draws: bool) -> tuple[float, float]:
    """Return how far draws after power cuts, and all others, are off, in standard deviations."""
    after_cut, others = Counter[str](), Counter[str]()
    for number in range(400):
        plan = Random(number)
        boots = [(plan.randrange(4, 2 * FPS), plan.random() < 0.3) for _ in range(6)]
        found = set(over_boots(f"seed {number}", boots, saves_draws=saves_draws))
        for boot, ((frames, _), (_, was_clean)) in enumerate(
            zip(boots[1:], boots, strict=False), 1
        ):
            for step in range(1, frames):  # nothing stands for the time before the first one
                counts = after_cut if step < LOST and not was_clean else others
                counts["frames"] += 1
                counts["drawn"] += (boot, step) in found
    expected = [counts["frames"] / FPS * SEEN for counts in (after_cut, others)]
    actual = [counts["drawn"] for counts in (after_cut, others)]
    first, second = (
        (one - mean) / math.sqrt(mean) for one, mean in zip(actual, expected, strict=True)
    )
    return first, second


def test_each_frame_is_drawn_with_the_same_chance_also_after_power_cuts() -> None:
    """So that the weights of the draws sum up to the time in which frames were watched."""
    after_cut, others = bias(saves_draws=False)

    assert abs(after_cut) < 3
    assert abs(others) < 3


def test_a_state_that_is_written_with_captures_is_caught() -> None:
    """What a power cut repeats then depends on the draws."""
    assert max(map(abs, bias(saves_draws=True))) > 4


def test_boots_that_end_before_anything_is_saved_have_instants_of_their_own() -> None:
    found = over_boots("gate", [(LOST - 1, False)] * 200)

    assert len(found) == pytest.approx(200 * (LOST - 2) / FPS, rel=0.25)
    assert len({step for _, step in found}) == LOST - 2


def test_a_restart_within_a_boot_changes_no_instant() -> None:
    text = resumed(None, "boot 0").memory()
    times = [step / FPS for step in range(40 * FPS)]
    whole = drawn(resumed(text, "boot 0"), times, stream="boot 0")
    lane = resumed(text, "boot 0")
    first = drawn(lane, times[: 20 * FPS], stream="boot 0")
    again = resumed(lane.memory(), "boot 0")
    second = drawn(again, times[20 * FPS :], stream="boot 0")

    assert {times[n] for n in whole} - {times[20 * FPS]} == {
        *(times[n] for n in first),
        *(times[20 * FPS + n] for n in second),
    }


def test_recordings_and_devices_that_lost_their_state_begin_again() -> None:
    times = [step / FPS for step in range(100 * FPS)]
    text = json.dumps(("boot 0", "boot 0", 7.3, 5.0))
    fresh = drawn(resumed(None, "boot 1"), times, stream="clip.mp4")

    assert drawn(resumed(text, "boot 1"), times, stream="clip.mp4") == fresh
    first, second = (drawn(resumed(None, boot), times, stream=boot) for boot in ("a", "b"))
    assert first.keys() != second.keys()


@pytest.mark.parametrize(
    "text",
    ["", "unreadable", "1", "[]", '["a", "b", 1]', '["a", "b", "c", 1]', '["a", "b", NaN, 1]'],
)
def test_a_damaged_state_counts_as_none(text: str) -> None:
    times = [step / FPS for step in range(20 * FPS)]

    assert drawn(resumed(text, "boot"), times) == drawn(resumed(None, "boot"), times)


def test_slots_begin_before_a_boot_without_the_time_when_it_was_off() -> None:
    lane = RandomLane(60.0, "gate")
    lane.resume(json.dumps(("boot 0", "boot 0", 100.0, 50.0)), "boot 1")
    starts = [lane.drawn(frame(at, stream="boot 1"), 60.0)[0] for at in (0.0, 29.0, 31.0, 91.0)]

    assert starts == [-30.0, -30.0, 30.0, 90.0]
