"""Pixels, duplicates and hours: what is measured, and what counts as odd."""

from datetime import UTC, timedelta, timezone
from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.camera.images.file import decode_image
from agent.dataset.health.coverage import hour_gaps
from agent.dataset.health.duplicates import exact_groups, near_groups, neighbours, superfluous
from agent.dataset.health.pixels import PixelFacts, measure_pixels
from agent.dataset.health.quality import LIMITS, Issue, odd_sizes, scores
from agent.dataset.moments import Moment
from agent.domain import Pixels
from tests.dataset.health.folders import captured, drawn, encoded, report_on

HASHES = st.lists(st.none() | st.integers(0, 2**256 - 1) | st.sampled_from([2**256 - 1, 7, 3, 1]))


def scene(seed: int = 1) -> Pixels:
    return decode_image(drawn(seed, 640, 360))


def sized(width: int, height: int) -> PixelFacts:
    return measure_pixels(np.zeros((height, width, 3), np.uint8))


def issues(pixels: Pixels) -> set[Issue]:
    found = scores(measure_pixels(pixels))
    return {issue for issue, score in found.items() if score < LIMITS[issue]}


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (scene(), set()),
        (scene() // 8, {Issue.DARK}),
        (255 - scene() // 30, {Issue.LIGHT}),
        (np.full((300, 400, 3), 128, np.uint8), {Issue.LOW_INFORMATION}),
        (scene()[:100], {Issue.ODD_ASPECT_RATIO}),
        (np.ascontiguousarray(scene()[:, :90]), {Issue.ODD_ASPECT_RATIO}),
    ],
)
def test_an_issue_is_found_by_its_score(pixels: Pixels, expected: set[Issue]) -> None:
    assert expected <= issues(pixels)
    assert expected or not issues(pixels)


def test_blur_lowers_the_score_step_by_step() -> None:
    found = [
        scores(measure_pixels(cv2.GaussianBlur(scene(), (0, 0), sigma)))[Issue.BLURRY]
        for sigma in (1, 5, 15, 40)
    ]

    assert found == sorted(found, reverse=True)


def test_perceived_brightness_weights_colours() -> None:
    """Green looks brighter than red, red brighter than blue: sqrt of 0.691, 0.241 and 0.068."""
    measured = []
    for channel in range(3):
        pixels = np.zeros((60, 80, 3), np.uint8)
        pixels[:, :, channel] = 255
        measured.append(measure_pixels(pixels).brightness)

    assert measured == pytest.approx([0.068**0.5, 0.691**0.5, 0.241**0.5])


def test_the_entropy_of_two_levels_is_one_bit() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:32] = 200

    facts = measure_pixels(pixels)

    assert facts.entropy == pytest.approx(1.0)
    assert facts.is_grey


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 300), (4000, 3), (64, 64), (65, 17)])
def test_images_of_any_shape_are_measured(width: int, height: int) -> None:
    facts = measure_pixels(np.full((height, width, 3), 90, np.uint8))

    assert (facts.width, facts.height) == (width, height)
    assert facts.brightness == pytest.approx(90 / 255)


def test_a_size_beyond_three_interquartile_ranges_is_odd() -> None:
    usual = [sized(100 + n, 100 + n) for n in range(20)]

    assert odd_sizes([*usual, sized(900, 900)]) == [*[False] * 20, True]
    assert odd_sizes([sized(64, 64)] * 5) == [False] * 5
    assert odd_sizes([]) == []


def test_near_duplicates_are_within_eight_bits_of_their_first() -> None:
    first = 2**255 + 12345
    hashes = [first, first ^ 0xFF, first ^ 0x1FF, None, first ^ 0xFF, 0]

    assert near_groups(hashes) == [[0, 1, 4]]  # 8 bits; the third has 9


@given(HASHES)
def test_each_image_is_in_one_group_at_most(hashes: list[int | None]) -> None:
    groups = near_groups(hashes)

    members = [number for group in groups for number in group]
    assert len(members) == len(set(members))
    assert superfluous(groups) == len(members) - len(groups)
    for first, *rest in groups:
        assert rest
        for number in rest:
            assert ((hashes[first] or 0) ^ (hashes[number] or 0)).bit_count() <= 8


def test_equal_files_are_one_group() -> None:
    assert exact_groups(["a", "b", "", "a", "", "c", "b", "a"]) == [[0, 3, 7], [1, 6]]


def test_only_held_out_images_near_a_training_image_leak() -> None:
    hashes = [7 << 9, 7 << 9, 255 << 100, 7 << 9, None, 0, 0]
    splits = ["train", "val", "val", "", "val", "train", "test"]

    near = neighbours(hashes, ["a", "b", "c", "d", "", "e", "e"], splits)

    assert near.every.tolist() == [2, 2, 0, 2, 0, 1, 1]
    assert near.leaking(splits) == [1, 6]  # by its hash; and as an exact copy of a plain colour


@given(HASHES, st.randoms(use_true_random=False))
def test_leaks_do_not_depend_on_the_order(hashes: list[int | None], random: Random) -> None:
    order = list(range(len(hashes)))
    random.shuffle(order)
    splits = ["train" if number % 2 else "val" for number in range(len(hashes))]
    names = [str(number) for number in range(len(hashes))]

    first = neighbours(hashes, names, splits)
    second = neighbours([hashes[n] for n in order], [names[n] for n in order],
                        [splits[n] for n in order])  # fmt: skip

    assert first.leaking_at_random(0.2) == pytest.approx(second.leaking_at_random(0.2))
    assert first.leaking(splits) == sorted(
        order[n] for n in second.leaking([splits[n] for n in order])
    )


def test_a_random_split_leaks_unless_all_copies_are_held_out() -> None:
    near = neighbours([1 << 60] * 3 + [1 << 90 | 2**30 - 1], ["a", "b", "c", "d"], [""] * 4)

    assert near.leaking_at_random(0.2) == pytest.approx(3 / 4 * (1 - 0.2**2))


@pytest.mark.parametrize(
    ("covered", "gaps"),
    [
        (range(6, 18), [(18, 6)]),
        ([], []),
        (range(24), []),
        ([12], [(13, 12)]),
        ([0, 23], [(1, 23)]),
        ([0, 1, 2, 8, 9], [(3, 8), (10, 0)]),
    ],
)
def test_hours_without_an_image_are_gaps(covered: list[int], gaps: list[tuple[int, int]]) -> None:
    hours = [int(hour in covered) for hour in range(24)]

    assert sorted(hour_gaps(hours)) == sorted(gaps)


@given(st.lists(st.integers(0, 1), min_size=24, max_size=24).filter(any))
def test_gaps_and_covered_hours_are_the_whole_day(hours: list[int]) -> None:
    empty = {
        (begin + step) % 24 for begin, end in hour_gaps(hours) for step in range((end - begin) % 24)
    }

    assert empty == {hour for hour, count in enumerate(hours) if not count}


def test_hours_are_those_of_the_time_zone_and_of_synchronized_clocks(tmp_path: Path) -> None:
    for number in range(3):
        captured(
            tmp_path,
            number,
            drawn(number),
            clock_synchronized=number > 0,
            captured_at="2026-05-31T23:30:00.000Z",
            boot_id=f"boot {number}",
        )

    utc = report_on(tmp_path)["coverage"]
    assert utc["time_zone"] == str(UTC)
    assert utc["hours"]["test / gate"][23] == 2
    assert utc["days"]["test / gate"][6] == 2
    assert utc["not_synchronized"] == 1
    assert utc["cameras"] == {"test / gate": 3}


def test_another_zone_has_other_hours() -> None:
    from agent.dataset.health.coverage import coverage
    from agent.dataset.health.examine import Examined
    from agent.dataset.health.findings import ImagesByKey
    from agent.dataset.health.subject import HealthImage

    image = HealthImage(
        "a", Path("a"), (), moment=Moment("d", "gate", wall=20_000 * 86_400 + 23.5 * 3600)
    )
    found = ImagesByKey()

    report = coverage([Examined(image)], timezone(timedelta(hours=2)), found)

    assert report["hours"]["d / gate"][1] == 1
    assert found.of("hour:1:d / gate") == [0]


def test_grey_and_coloured_files_are_told_apart(tmp_path: Path) -> None:
    grey = cv2.cvtColor(scene(), cv2.COLOR_BGR2GRAY)
    captured(tmp_path, 1, encoded(grey))
    captured(tmp_path, 2, encoded(scene(2)))

    assert report_on(tmp_path)["quality"]["issues"]["grayscale"] == 1
