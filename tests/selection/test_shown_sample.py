"""Shown predictions are drawn with exactly the probability that is stated."""

import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Frame
from agent.selection.shown_sample import ShownSample, slot_seconds
from tests.fakes.captures import frame

SLOT_S = 20.0
SEEDS = 200

Shown = Sequence[tuple[str, float]]  # camera and time of each shown frame, in order
Run = tuple[float, Shown]  # from the start of a process to its end


@dataclass(frozen=True, slots=True)
class Drawn:
    camera: str
    at: float
    probability: float


def drawn(runs: Sequence[Run], seed: str, kind: type[ShownSample]) -> Iterator[Drawn]:
    """Show the frames of each run to a sample of its own, as each process makes one."""
    for start, shown in runs:
        sample = kind(SLOT_S, seed, "boot", start)
        for camera, at in shown:
            probability = sample.draw(frame(at, camera=camera), at)
            if probability is not None:
                yield Drawn(camera, at, probability)


def screen(start: float, seconds: float) -> Shown:
    """A page that shows a frame each second, on two cameras that take turns."""
    return [("ab"[n % 2], start + 0.4 + n) for n in range(int(seconds))]


def visits(start: float, seconds: float) -> Shown:
    """A person who comes and goes: single frames, bursts, and gaps longer than slots."""
    dice = random.Random(start)
    at = start
    shown: list[tuple[str, float]] = []
    while True:
        at += dice.choice([0.7, 1.0, 3.3, 8.0, 75.0])
        if at > start + seconds:
            return shown
        shown.append((dice.choice("abc"), at))


DISPLAYS: dict[str, Sequence[Run]] = {
    "a page that stays open": [(0.0, screen(0.0, 120.0))],
    "visits": [(5.0, visits(5.0, 600.0))],
    "restarts": [
        (3.0, screen(3.0, 31.0)),
        (36.0, visits(36.0, 90.0)),
        (140.0, screen(140.0, 47.0)),
    ],
}


def error(runs: Sequence[Run], kind: type[ShownSample] = ShownSample) -> float:
    """Return how far the Horvitz-Thompson estimate of the number is off, in standard errors.

    The error is that of a sample whose slots are independent, at least that of this one.
    """
    count = sum(len(shown) for _, shown in runs)
    weights = [1 / each.probability for n in range(SEEDS) for each in drawn(runs, str(n), kind)]
    variance = sum(weight * (weight - 1) for weight in weights)
    return (sum(weights) - SEEDS * count) / math.sqrt(variance)


@pytest.mark.parametrize("name", DISPLAYS)
def test_the_weights_of_the_drawn_add_up_to_the_number_of_the_shown(name: str) -> None:
    assert abs(error(DISPLAYS[name])) < 4


@pytest.mark.parametrize("name", DISPLAYS)
def test_each_shown_frame_is_drawn_as_often_as_its_probability_says(name: str) -> None:
    runs = DISPLAYS[name]
    stated: dict[tuple[str, float], float] = {}
    times: Counter[tuple[str, float]] = Counter()
    for n in range(SEEDS):
        for each in drawn(runs, f"other {n}", ShownSample):
            stated[each.camera, each.at] = each.probability
            times[each.camera, each.at] += 1

    for key, p in stated.items():
        spread = math.sqrt(p * (1 - p) / SEEDS)
        assert abs(times[key] / SEEDS - p) < 5 * spread + 1 / SEEDS, key


class EqualForAll(ShownSample):
    """As if each frame of a slot were as likely as any other."""

    def probability(self, at: float, previous: float) -> float:
        return 1.0 / self.interval


class WithoutTheSlot(ShownSample):
    """As if the gap before a frame counted also where it is of an earlier slot."""

    def probability(self, at: float, previous: float) -> float:
        return min(1.0, (at - previous) / self.interval)


@pytest.mark.parametrize("kind", [EqualForAll, WithoutTheSlot])
def test_a_probability_that_is_wrong_is_seen(kind: type[ShownSample]) -> None:
    assert abs(error(DISPLAYS["visits"], kind)) > 8


def slots_served_twice(kind: type[ShownSample]) -> bool:
    for n in range(SEEDS):
        slots = Counter(
            (each.camera, each.at // SLOT_S) for each in drawn(DISPLAYS["restarts"], str(n), kind)
        )
        if max(slots.values(), default=0) > 1:
            return True
    return False


class WithoutTheStart(ShownSample):
    """As if a process served the instants before its start too."""

    def draw(self, frame: Frame, at: float) -> float | None:
        self.start = -math.inf
        return super().draw(frame, at)


def test_no_instant_is_served_twice_over_restarts() -> None:
    assert not slots_served_twice(ShownSample)
    assert slots_served_twice(WithoutTheStart)


def test_another_boot_camera_or_device_has_other_instants() -> None:
    def at(boot: str, camera: str, seed: str) -> list[float]:
        sample = ShownSample(SLOT_S, seed, boot, 0.0)
        times = [float(second) for second in range(1, 400)]
        return [time for time in times if sample.draw(frame(time, camera=camera), time)]

    first = at("boot", "gate", "device")
    assert first == at("boot", "gate", "device")
    for other in (("next", "gate", "device"), ("boot", "yard", "device"), ("boot", "gate", "two")):
        assert first != at(*other)


@given(
    st.text(max_size=5),
    st.lists(st.floats(0.01, 5.0, allow_nan=False), min_size=1, max_size=200),
    st.sampled_from([0.5, 20.0, 864.0]),
)
def test_a_flood_is_drawn_from_once_a_slot(seed: str, gaps: list[float], slot: float) -> None:
    sample = ShownSample(slot, seed, "boot", 0.0)
    at, slots = 0.0, []
    for gap in gaps:
        at += gap
        assert sample.is_newer("gate", at)
        probability = sample.draw(frame(at), at)
        assert not sample.is_newer("gate", at)
        if probability is not None:
            assert 0 < probability <= 1
            slots.append(at // slot)

    assert len(slots) == len(set(slots))


def test_the_slots_of_all_cameras_give_the_captures_of_a_day() -> None:
    assert slot_seconds(24.0, 1) == 3600.0
    assert slot_seconds(0.5, 1) == 2 * 86_400.0
    assert slot_seconds(3.0, 4) == 4 * 28_800.0
