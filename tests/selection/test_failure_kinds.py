"""Each kind of failure fires its rule in its frames; correct detections fire few rules."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from agent.domain import Box, Detection, Grey
from agent.selection.rules import RULE_NAMES
from tests.selection.grey_images import noisy, scene
from tests.selection.synthetic_street import Walker, clean_street, scores

AT = 40  # frame in which the failure is planted
PERSON = Walker("person", 100, 200, 8.0)
TEMPORAL_AND_SCENE = [
    n for n in RULE_NAMES if n not in {"low_confidence", "low_margin", "rare_label"}
]


def walk(frames: int = 80) -> list[list[Detection]]:
    draw = random.Random(4)
    return [PERSON.at(n, draw) for n in range(frames)]


def fired(name: str, frames: list[list[Detection]]) -> set[int]:
    return {n for n, p in enumerate(scores(frames)[name]) if p > 0}


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("left", [0.0, 0.2])
def test_a_gap_is_a_flicker(length: int, left: float) -> None:
    frames = walk()
    for n in range(AT, AT + length):
        frames[n] = [replace(d, confidence=left) for d in frames[n] if left]

    assert fired("flicker", frames) == set(range(AT, AT + length))


def test_two_alternating_boxes_of_one_object_are_no_flicker() -> None:
    frames = walk()
    for n in range(0, 80, 2):
        box = frames[n][0].box
        frames[n].append(
            replace(
                frames[n][0],
                confidence=0.6,
                box=Box(box.x_min, box.y_min + 20, box.x_max, box.y_max),
            )
        )

    assert fired("flicker", frames) == set()


@pytest.mark.parametrize("length", [1, 2])
def test_a_ghost_of_a_single_frame_is_isolated(length: int) -> None:
    frames = walk()
    for n in range(AT, AT + length):
        frames[n].append(Detection("bus", 3, 0.7, Box(900, 100, 1100, 250)))

    assert fired("isolated", frames) == ({AT} if length == 1 else set())


def test_another_label_in_one_frame_is_a_class_flip() -> None:
    frames = walk()
    frames[AT] = [replace(frames[AT][0], label="car")]
    found = scores(frames)["class_flip"]

    assert max(found) == found[AT] == 0.5
    assert {n for n, p in enumerate(found) if p > 0} <= {AT, AT + 1}


def test_an_object_that_never_reaches_its_threshold_is_a_weak_track() -> None:
    frames = [[replace(d, confidence=0.4) for d in each] for each in walk()]

    assert fired("weak_track", frames) >= set(range(3, 70))


def test_two_labels_in_one_place_are_a_clash() -> None:
    frames = walk()
    frames[AT].append(replace(frames[AT][0], label="car", confidence=0.6))

    assert fired("clash", frames) == {AT}


@pytest.mark.parametrize(("usual", "then"), [(1, 8), (8, 1), (0, 3)])
def test_a_sudden_change_of_the_count_fires_only_where_it_changes(usual: int, then: int) -> None:
    def crowd(size: int) -> list[Detection]:
        return [Detection("person", 0, 0.8, Box(90 * i, 50, 90 * i + 60, 200)) for i in range(size)]

    found = fired("count_change", [crowd(usual)] * 100 + [crowd(then)] * 100)

    assert found
    assert found <= {100, 101, 102}


def test_a_moving_undetected_object_is_motion_without_detection() -> None:
    still = scene()

    def image(n: int) -> Grey:
        grey = noisy(still, n)
        if 30 <= n < 50:
            grey[60:110, 10 * (n - 25) : 10 * (n - 25) + 40] = 250
        return grey

    found = scores([[]] * 80, image)["motion_without_detection"]
    hits = {n for n, p in enumerate(found) if p > 0}

    assert hits >= set(range(30, 50))
    assert hits <= set(range(30, 52))


def test_a_moving_detected_object_is_no_motion_without_detection() -> None:
    still = scene()

    def image(n: int) -> Grey:
        grey = noisy(still, n)
        grey[50:85, 25 + 2 * n : 40 + 2 * n] = 250
        return grey

    assert fired_with(image) == set()


def fired_with(image: Callable[[int], Grey]) -> set[int]:
    found = scores(walk(), image)["motion_without_detection"]
    return {n for n, p in enumerate(found) if p > 0}


@cache
def noisy_images() -> list[Grey]:
    """Return images of one scene, each with other noise."""
    return [noisy(scene(), n) for n in range(50)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_correct_detections_fire_each_rule_in_fewer_than_1_percent_of_the_frames(
    seed: int,
) -> None:
    images = noisy_images()
    found = scores(clean_street(900, seed), lambda n: images[n % len(images)])

    for name in TEMPORAL_AND_SCENE:
        assert np.count_nonzero(found[name]) < 9, name


def test_a_label_seen_for_the_first_time_is_rare() -> None:
    frames = walk(300)
    frames[250].append(Detection("bus", 3, 0.9, Box(900, 100, 1100, 250)))

    assert fired("rare_label", frames) == {250}
