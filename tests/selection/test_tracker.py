"""Objects keep their tracks, relative to the threshold of the model and however fast they move."""

import random
from collections.abc import Callable, Sequence

import pytest

from agent.domain import Box, Detection, Thresholds
from agent.selection.tracker import MOST_DETECTIONS, Track, Tracker
from tests.selection.synthetic_street import THRESHOLDS, Walker

MEMORY, MAX_MISSED = 7, 3
LENGTH, HEIGHT = 40.0, 24.0  # of a car, in pixels


def tracker(thresholds: Thresholds = THRESHOLDS, *, memory: int = MEMORY) -> Tracker:
    return Tracker(thresholds, memory=memory, max_missed=MAX_MISSED)


def car(x: float, y: float = 100.0, confidence: float = 0.8) -> Detection:
    return Detection("car", 0, confidence, Box(x, y, x + LENGTH, y + HEIGHT))


def tracks_after(of: Tracker, frames: Sequence[Sequence[Detection]]) -> list[Track]:
    """Return the tracks that still live after these frames."""
    for detections in frames:
        of.update(sorted(detections, key=lambda d: -d.confidence))
    return of.tracks


def test_objects_keep_their_track_while_they_move_and_cross() -> None:
    draw = random.Random(7)
    walkers = [
        Walker("person", 0, 200, 10.0),
        Walker("bicycle", 600, 230, -10.0, (90, 90)),
        Walker("car", 0, 500, 25.0, (170, 90)),
    ]
    frames = [[d for walker in walkers for d in walker.at(n, draw)] for n in range(60)]

    assert [track.frames for track in tracks_after(tracker(), frames)] == [60] * 3


@pytest.mark.parametrize(("missed", "tracks"), [(MAX_MISSED, 1), (MAX_MISSED + 1, 2)])
def test_a_track_survives_a_short_absence(missed: int, tracks: int) -> None:
    draw = random.Random(7)
    walker = Walker("person", 0, 200, 10.0)
    frames = [[] if 10 <= n < 10 + missed else walker.at(n, draw) for n in range(30)]

    assert len(tracks_after(tracker(memory=30), frames)) == tracks


def alone(n: int) -> list[Detection]:
    return [car(LENGTH * n)]


def diagonal(n: int) -> list[Detection]:
    return [car(LENGTH * n, 50 + 8 * n)]


def scattered(n: int) -> list[Detection]:
    """Return five cars with a common motion, one after the other at the first frame."""
    return [
        car(x + LENGTH * n, y) for x, y in ((0, 0), (150, 60), (20, 120), (300, 180), (90, 240))
    ]


def row(n: int) -> list[Detection]:
    """Return a row of cars, two lengths apart from each other."""
    return [car(3 * LENGTH * each + LENGTH * n) for each in range(6)]


def lanes(n: int) -> list[Detection]:
    """Return two lanes in opposite directions."""
    return [
        *(car(3 * LENGTH * each + LENGTH * n, 100) for each in range(4)),
        *(car(900 + 3 * LENGTH * each - LENGTH * n, 160) for each in range(4)),
    ]


@pytest.mark.parametrize("scene", [alone, diagonal, scattered, row, lanes])
def test_objects_that_move_by_their_own_length_a_frame_keep_their_tracks(
    scene: Callable[[int], list[Detection]],
) -> None:
    tracks = tracks_after(tracker(), [scene(n) for n in range(20)])

    assert [track.frames for track in tracks] == [20] * len(scene(0))
    assert all(abs(track.velocity[0]) == LENGTH for track in tracks if track.velocity)


def test_a_new_object_is_expected_to_move_as_its_neighbours_do() -> None:
    """All speed up to 1.6 lengths a frame, which is too far for a match by distance alone."""

    def moved(n: int) -> float:
        return LENGTH * (min(n, 5) + 1.6 * max(0, n - 5))

    row_of_six = [[car(3 * LENGTH * each + moved(n)) for each in range(6)] for n in range(18)]
    arrives = 12
    frames = [
        [*cars, car(-2 * LENGTH + moved(n) - moved(arrives), 130)] if n >= arrives else cars
        for n, cars in enumerate(row_of_six)
    ]

    assert [track.frames for track in tracks_after(tracker(), frames)] == [*[18] * 6, 6]


def test_an_object_that_moves_fast_and_misses_a_frame_keeps_its_track() -> None:
    frames = [[] if n in {5, 9} else alone(n) for n in range(14)]

    assert [track.frames for track in tracks_after(tracker(), frames)] == [12]


def test_what_is_too_far_or_of_another_size_is_another_object() -> None:
    large = Detection("car", 0, 0.8, Box(40, 80, 40 + 3 * LENGTH, 80 + 3 * HEIGHT))

    assert len(tracks_after(tracker(), [[car(0)], [car(1.5 * LENGTH)]])) == 2
    assert len(tracks_after(tracker(), [[car(0)], [large]])) == 2


@pytest.mark.parametrize("label", ["car", "bus"])
def test_a_track_prefers_its_own_label_but_not_only(label: str) -> None:
    other = Detection(label, 0, 0.9, Box(4, 100, 4 + LENGTH, 100 + HEIGHT))
    own = car(6, confidence=0.7)
    [first, _] = tracks_after(tracker(), [[car(5)], [own, other]])

    assert first.seen[1] is (own if label == "bus" else other)
    assert len(tracks_after(tracker(), [[car(5)], [other]])) == 1


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.5, 0.8])
def test_confidences_count_relative_to_the_threshold(threshold: float) -> None:
    """A model whose confidences hover at its threshold is tracked, whatever the threshold is."""
    draw = random.Random(3)
    frames = [
        [
            car(x + LENGTH * n, y, draw.uniform(0.75, 1.15) * threshold)
            for x, y in ((0, 0), (150, 60), (20, 120))
        ]
        for n in range(30)
    ]
    tracks = tracks_after(tracker(Thresholds(threshold)), frames)

    assert [track.frames for track in tracks] == [30] * 3


def test_clutter_far_below_the_threshold_is_not_tracked() -> None:
    faint = [[car(100, confidence=0.1)]] * 5

    assert tracks_after(tracker(Thresholds(0.5)), faint) == []
    assert len(tracks_after(tracker(Thresholds(0.2)), faint)) == 1


def test_a_detection_near_the_threshold_chooses_its_track_before_a_faint_one() -> None:
    certain, faint = car(14, confidence=0.6), car(2, confidence=0.2)
    [first, _] = tracks_after(tracker(), [[car(0)], [certain, faint]])

    assert first.seen[1] is certain


def test_a_crowd_of_faint_boxes_at_random_places_stays_bounded() -> None:
    draw = random.Random(7)
    of = tracker()
    for _ in range(300):
        places = [(draw.uniform(0, 1200), draw.uniform(0, 700)) for _ in range(200)]
        of.update([car(x, y, draw.uniform(0.15, 0.4)) for x, y in places])

    assert len(of.tracks) <= MOST_DETECTIONS * MEMORY
    assert all(len(track.seen) <= MEMORY for track in of.tracks)


def test_sixty_faint_boxes_that_stand_still_are_sixty_tracks() -> None:
    draw = random.Random(7)
    places = [(100.0 * (n % 10), 60.0 * (n // 10)) for n in range(60)]
    frames = [
        [car(x + draw.gauss(0, 2), y, draw.uniform(0.3, 0.45)) for x, y in places]
        for _ in range(100)
    ]

    assert [track.frames for track in tracks_after(tracker(), frames)] == [100] * 60
