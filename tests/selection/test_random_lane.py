"""The random lane is unbiased: uniform in time and independent of what the frames show."""

import math
import random
import statistics
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.selection.random_lane import RandomLane
from tests.fakes.captures import frame
from tests.fakes.clock import WALL
from tests.selection.frames import chi_square, drawn

GRID = 64  # grid times of a slot of one second: exact as floats

SECONDS = st.lists(st.integers(0, 12 * GRID), unique=True, min_size=1).map(
    lambda steps: [step / GRID for step in sorted(steps)]
)
SEEDS = st.text(max_size=5)


def instants(seed: str, slots: int, stream: str = "boot") -> dict[int, float]:
    """Return the first grid time at or after each slot's instant, by slot."""
    times = [-1 / GRID, *(step / GRID for step in range(slots * GRID))]
    found = drawn(RandomLane(1.0, seed), times, stream=stream)
    return {math.floor(times[index]): times[index] for index in found}


@pytest.mark.parametrize("seed", ["gate-7", "yard", "0"])
def test_the_instants_of_many_slots_are_uniform_and_independent(seed: str) -> None:
    bins, slots = 10, 4_000
    times = [slot + (part + 1) / bins - 1e-9 for slot in range(slots) for part in range(bins)]
    offsets = [index % bins for index in drawn(RandomLane(1.0, seed), times)]
    counts = [offsets.count(part) for part in range(bins)]

    assert slots - 1 <= len(offsets) <= slots
    assert chi_square(counts) < 27.8  # 9 degrees of freedom, p = 0.001
    assert abs(statistics.correlation(offsets[:-1], offsets[1:])) < 3.3 / math.sqrt(slots)


@given(SEEDS, SECONDS)
def test_the_first_frame_at_or_after_the_instant_is_drawn(seed: str, times: list[float]) -> None:
    due = instants(seed, 13)
    expected = []
    for slot, instant in due.items():
        at_or_after = [at for at in times if instant <= at < slot + 1]
        # An instant before the very first frame has no frame.
        if at_or_after and any(at < instant for at in times):
            expected.append(at_or_after[0])

    assert [times[index] for index in drawn(RandomLane(1.0, seed), times)] == expected


@given(SEEDS, SECONDS, st.data())
def test_a_restart_changes_no_instant_and_repeats_none(
    seed: str, times: list[float], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(times)))
    whole = set(drawn(RandomLane(1.0, seed), times))
    before = set(drawn(RandomLane(1.0, seed), times[:cut]))
    after = {cut + index for index in drawn(RandomLane(1.0, seed), times[cut:])}

    # Only an instant in the gap of the restart may be missed.
    assert whole - {cut} == before | after


@given(st.floats(0.001, 1e6), st.lists(st.floats(0.0, 1e6), min_size=2, max_size=50))
def test_a_slot_is_drawn_at_most_once_whatever_the_times_are(
    interval: float, gaps: list[float]
) -> None:
    times = list(accumulate(gaps))
    found = drawn(RandomLane(interval, "seed"), times)
    slots = [math.floor(times[index] / interval) for index in found]

    assert len(set(slots)) == len(slots)
    assert {(each.weight, each.slot_seconds) for each in found.values()} <= {(interval, interval)}


def test_a_slot_without_a_frame_after_its_instant_stays_empty() -> None:
    due = instants("gate", 40)
    missed = [slot for slot, instant in due.items() if 0.2 < instant - slot < 0.8]
    times = [
        step / GRID
        for step in range(40 * GRID)
        if not (step // GRID in missed and step / GRID >= due[step // GRID])
    ]
    found = drawn(RandomLane(1.0, "gate"), times)

    assert missed
    assert {math.floor(times[index]) for index in found} == set(due) - set(missed) - {0} | (
        {0} - set(missed) if due[0] > 0 else set()
    )


def test_a_recording_may_begin_at_zero_and_its_first_slot_counts() -> None:
    firsts = [
        min(drawn(RandomLane(1.0, str(seed)), [step / GRID for step in range(GRID)]), default=None)
        for seed in range(100)
    ]

    assert sum(first is not None for first in firsts) >= 95
    assert 0 not in firsts


def test_other_streams_and_cameras_have_other_instants() -> None:
    boot, again = instants("gate", 200), instants("gate", 200)
    others = [instants("gate", 200, stream="boot 2"), instants("yard", 200)]
    lane, camera = RandomLane(1.0, "gate"), {}
    for step in range(-1, 200 * GRID):
        if lane.draw(frame(step / GRID, camera="yard")) is not None:
            camera[step // GRID] = step / GRID

    assert boot == again
    for other in (*others, camera):
        same = sum(boot.get(slot) == at for slot, at in other.items())
        assert same < 15  # by chance about 3 of 200


def test_a_new_stream_draws_no_instant_before_its_first_frame() -> None:
    lane = RandomLane(1.0, "gate")
    for step in range(10 * GRID):
        lane.draw(frame(step / GRID, stream="boot 1"))

    assert lane.draw(frame(5.99, stream="boot 2")) is None


def test_the_record_of_a_draw_says_when_its_slot_began_by_the_wall_clock() -> None:
    lane = RandomLane(60.0, "gate")
    found = [(at, lane.draw(frame(float(at)))) for at in range(600)]

    for at, sampling in found:
        if sampling is not None:
            assert sampling.slot_start == WALL + at // 60 * 60


def test_without_an_interval_nothing_is_drawn() -> None:
    assert drawn(RandomLane(None, "gate"), [step / 10 for step in range(1000)]) == {}


@pytest.mark.parametrize("seed", ["a", "b", "c"])
def test_the_weighted_mean_of_the_draws_is_the_mean_over_time(seed: str) -> None:
    """A frame rate that varies by a factor of nine with the content does not bias the sample.

    Slots must be much longer than the gaps between frames: an instant that no frame of its slot
    follows is lost, a share of gap / interval.
    """
    numbers = random.Random(7)

    def seen_at(at: float) -> float:
        return 5.0 + 4.0 * math.sin(at / 50.0)

    times = [0.0]
    while times[-1] < 18_000.0:
        times.append(times[-1] + numbers.expovariate(seen_at(times[-1])))
    over_time = sum((b - a) * seen_at(b) for a, b in pairwise(times)) / times[-1]
    of_frames = statistics.fmean(seen_at(at) for at in times)

    found = drawn(RandomLane(60.0, seed), times)
    weights = [sampling.weight for sampling in found.values()]
    values = [seen_at(times[index]) for index in found]
    mean = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    error = statistics.stdev(values) / math.sqrt(len(values))

    assert abs(mean - over_time) < 3 * error
    assert abs(of_frames - over_time) > 6 * error  # an unweighted mean over frames would be biased
