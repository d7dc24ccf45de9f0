"""What a selection spends on scenes that are still, empty or odd: each with its figure."""

import math
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from agent.domain import Box, ClassScore, Detection, Lane, Observation, Thresholds
from agent.selection.cover import UNSEEN
from agent.selection.rules import RULE_NAMES, rule_class
from agent.selection.suspects import MOST_NAMED, MOST_SUSPECTS
from tests.selection.grey_images import noisy, scene
from tests.selection.scenes import (
    CREDITS,
    HOUR,
    TEN_MINUTES,
    frames_of,
    hovering,
    lamp_images,
    night_images,
    rain_images,
    run,
    shown,
    still_images,
    varied,
)
from tests.selection.synthetic_street import Walker

PLACE = Box(500, 300, 580, 460)
PARKED = Detection("car", 2, 0.9, Box(800, 400, 1000, 500))
TEMPORAL = {name for name in RULE_NAMES if rule_class(name).is_temporal}


@pytest.mark.slow
def test_a_still_scene_with_an_object_at_the_threshold_costs_at_most_3_of_20_credits() -> None:
    draw = random.Random(1)
    outcome = run(
        frames_of(
            lambda n: shown(
                n, [PARKED, *hovering(n, PLACE, draw)], varied(still_images(), n), fps=2.0
            ),
            HOUR,
            fps=2.0,
        ),
        HOUR,
    )

    assert 1 <= len(outcome.purchases) <= 3


def test_a_scene_without_any_doubt_costs_nothing() -> None:
    outcome = run(
        frames_of(lambda n: shown(n, [PARKED], varied(still_images(), n)), TEN_MINUTES), TEN_MINUTES
    )

    assert outcome.captures == {}


@pytest.mark.parametrize(("spurious", "most"), [(0.0, 0), (0.05, 1)])
def test_an_empty_night_costs_at_most_one_credit(spurious: float, most: int) -> None:
    """Although the model reports faint boxes at random places of the noise."""
    draw = random.Random(2)

    def night(n: int) -> Observation:
        x, y = draw.uniform(0, 1100), draw.uniform(0, 600)
        box = Detection("person", 0, draw.uniform(0.05, 0.35), Box(x, y, x + 80, y + 100))
        return shown(n, [box] if draw.random() < spurious else [], varied(night_images(), n))

    outcome = run(frames_of(night, TEN_MINUTES), TEN_MINUTES)

    assert len(outcome.purchases) <= most
    assert all(capture.is_degraded for capture in outcome.purchased)


def test_rain_costs_nothing() -> None:
    outcome = run(
        frames_of(lambda n: shown(n, [PARKED], varied(rain_images(), n)), TEN_MINUTES), TEN_MINUTES
    )

    assert outcome.purchases == []


@pytest.mark.parametrize("random_share", [0.0, 0.2])
def test_of_a_loop_of_ten_images_no_score_credit_buys_the_same_bytes_twice(
    random_share: float,
) -> None:
    images = [scene(n) for n in range(1, 11)]
    draw = random.Random(3)
    boxes = [
        [
            Detection("person", 0, draw.uniform(0.4, 0.6), Box(x, 200, x + 60, 340))
            for x in range(100, 1000, 300)
        ]
        for _ in images
    ]
    outcome = run(
        frames_of(lambda n: shown(n, boxes[n % 10], images[n % 10]), TEN_MINUTES),
        TEN_MINUTES,
        credits_=100,
        random_share=random_share,
    )
    seen = set[int]()
    for capture in outcome.purchased:
        image = capture.observation.frame.sequence % 10
        assert capture.lane is Lane.RANDOM or image not in seen
        seen.add(image)

    assert len(seen) == 10


@pytest.mark.parametrize("frames", [1, 7, 60])
def test_a_flickering_lamp_costs_at_most_two_credits(frames: int) -> None:
    """It is lit for so many frames, then off for as many."""
    images = lamp_images()

    def lamp(n: int) -> Observation:
        return shown(n, [PARKED], varied(images[n // frames % 2 :: 2], n))

    outcome = run(frames_of(lamp, TEN_MINUTES), TEN_MINUTES)

    assert outcome.rules == {"motion_without_detection"}
    assert 1 <= len(outcome.purchases) <= 2


@pytest.mark.slow
def test_a_crowd_of_60_faint_boxes_has_a_bounded_number_of_suspects() -> None:
    draw = random.Random(4)
    places = [(20 + 120 * (n % 10), 20 + 110 * (n // 10)) for n in range(60)]

    def crowd(n: int) -> Observation:
        people = [d for x, y in places for d in hovering(n, Box(x, y, x + 60, y + 90), draw)]
        return shown(n, people, varied(still_images(), n))

    outcome = run(frames_of(crowd, 300.0), 300.0)

    assert max(len(each.suspects) for each in outcome.evaluations) == MOST_SUSPECTS
    assert max(len(capture.suspects) for capture in outcome.captures.values()) <= MOST_NAMED
    assert max(len(capture.hint) for capture in outcome.captures.values()) < 9000
    assert 2 <= len(outcome.purchases) <= CREDITS / 2


def test_a_moving_camera_costs_nothing_unless_the_model_is_in_doubt() -> None:
    wide = np.concatenate([scene(n) for n in range(1, 5)], axis=1)
    walker = Walker("person", 100, 300, 3.0)

    def panned(n: int, *, is_doubtful: bool) -> Observation:
        draw = random.Random(n)
        left = int(480 + 440 * math.sin(n / 40))
        people = [replace(d, confidence=0.95) for d in walker.at(n % 300, draw)]
        if is_doubtful and n % 300 > 200:
            people = hovering(n, people[0].box, draw)
        return shown(n, people, noisy(wide[:, left : left + 320], n % 9))

    certain = run(frames_of(lambda n: panned(n, is_doubtful=False), 600.0), 600.0)
    doubtful = run(frames_of(lambda n: panned(n, is_doubtful=True), 600.0), 600.0)

    assert certain.purchases == []
    assert 5 <= len(doubtful.purchases) <= CREDITS
    assert all(c.observation.frame.sequence % 300 > 197 for c in doubtful.purchased)


@pytest.mark.slow
@pytest.mark.parametrize(("changes", "least", "most"), [(0, 1, 1), (30, 25, 30)])
def test_of_a_classifier_each_doubtful_scene_is_purchased_once(
    changes: int, least: int, most: int
) -> None:
    """Its scene changes so many times; both classes have nearly the same confidence."""
    draw, frames = random.Random(6), int(TEN_MINUTES * 2.5)

    def classified(n: int) -> Observation:
        seed = 1 + n * max(1, changes) // frames if changes else 1
        best = draw.uniform(0.5, 0.56)
        classes = (ClassScore("cat", 0, best), ClassScore("dog", 1, 1 - best))
        return shown(n, (), noisy(scene(seed), n % 9, 1.0), classes=classes)

    outcome = run(frames_of(classified, TEN_MINUTES), TEN_MINUTES, credits_=100)

    assert "low_margin" in outcome.rules <= {"low_margin", "low_confidence"}
    assert all(s.track is None and s.box is None for c in outcome.purchased for s in c.suspects)
    assert least <= len(outcome.purchases) <= most


def doubtful_walks(confidence: float) -> list[Observation]:
    """Return people who cross the view; each is in doubt for a second.

    `confidence` is that of doubt; all others are as far from it in logits for any value.
    """
    at_threshold = math.log(confidence / (1 - confidence))
    draw, frames = random.Random(8), []
    for n in range(1500):
        walk, step = divmod(n, 60)
        x = 1200 - 20 * step if walk % 2 else 20 * step
        logits = draw.gauss(0, 0.4) if 20 <= step < 25 else 2.5 + draw.gauss(0, 0.1)
        confident = 1 / (1 + math.exp(-at_threshold - logits))
        person = Detection("person", 0, confident, Box(x, 80, x + 60, 240))
        image = varied(still_images(), n)
        if step < 50:
            look = np.random.default_rng(walk).integers(0, 256, (5, 3))
            image[20:60, x // 4 : x // 4 + 15] = np.kron(look, np.ones((8, 5)))
        frames.append(shown(n, [person] if step < 50 else [], image, fps=5.0))
    return frames


def test_a_model_of_low_or_high_confidences_is_purchased_from_as_any_other() -> None:
    """Its threshold is as far from its confidences in logits."""
    purchased = {
        threshold: [
            capture.observation.frame.sequence
            for capture in run(
                doubtful_walks(threshold), 300.0, thresholds=Thresholds(threshold)
            ).purchased
        ]
        for threshold in (0.15, 0.2, 0.5, 0.85)
    }

    assert len(purchased[0.5]) >= CREDITS / 2
    assert all(sequence % 60 in range(17, 29) for sequence in purchased[0.5])
    assert {tuple(each) for each in purchased.values()} == {tuple(purchased[0.5])}


def test_confidences_of_0_15_to_0_25_at_a_threshold_of_0_2_are_all_in_doubt() -> None:
    draw = random.Random(9)

    def faint(n: int) -> Observation:
        people = [
            Detection("car", 0, draw.uniform(0.15, 0.25), Box(x, 100, x + 60, 160))
            for x in range(10, 1200, 100)
        ]
        return shown(n, people, varied(still_images(), n))

    outcome = run(frames_of(faint, 120.0), 120.0, thresholds=Thresholds(0.2))

    assert outcome.rules >= {"low_confidence", "flicker", "isolated"}
    assert outcome.purchases[0].value > 3
    assert len(outcome.purchases) <= CREDITS / 4


@pytest.mark.parametrize("lane", [[0], [0, 130, 260, 390, 520]])
def test_objects_that_move_by_their_own_length_are_purchased_once_each(lane: list[int]) -> None:
    """All of them hover at the threshold, and a credit comes with each frame.

    No track adds more than the highest `p` of a rule, so that the sum tells whether tracks hold.
    """
    draw, frames = random.Random(10), 24

    def fast(n: int) -> Observation:
        cars = [
            Detection(
                "car", 2, draw.uniform(0.42, 0.58), Box(x + 40 * n, 300, x + 40 * n + 40, 324)
            )
            for x in lane
        ]
        return shown(n, cars)

    outcome = run((fast(n) for n in range(frames)), frames / 2.5, credits_=10 * frames)
    total = sum(purchase.value for purchase in outcome.purchases)

    assert 0.3 * len(lane) <= total
    assert total <= len(lane) * 0.65 + UNSEEN * len(outcome.purchases)


def test_at_one_frame_a_second_temporal_rules_are_silent_and_the_others_work() -> None:
    draw = random.Random(11)
    outcome = run(
        frames_of(
            lambda n: shown(n, hovering(n, Box(n % 900, 300, n % 900 + 80, 460), draw), fps=1.0),
            600.0,
            fps=1.0,
        ),
        600.0,
    )

    assert "low_confidence" in outcome.rules
    assert not outcome.rules & TEMPORAL
    assert outcome.purchases


def test_a_camera_that_cuts_between_four_views_buys_each_object_about_once() -> None:
    draw = random.Random(12)

    def cut(n: int) -> Observation:
        view = n // 20 % 4
        box = Box(200 * view + 100, 300, 200 * view + 180, 460)
        return shown(n, hovering(n, box, draw), varied(still_images(view + 1), n))

    outcome = run(frames_of(cut, TEN_MINUTES), TEN_MINUTES)
    views = Counter(c.observation.frame.sequence // 20 % 4 for c in outcome.purchased)

    assert set(views) == {0, 1, 2, 3}
    assert max(views.values()) <= 2
