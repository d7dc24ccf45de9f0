"""Which images teach little, by what this camera usually shows."""

from collections.abc import Iterable

import numpy as np
import pytest

from agent.domain import Grey
from agent.selection.image_quality import ImageQuality, QualityMonitor
from tests.selection.grey_images import SHAPE, blurred, noisy, scene


def used_to(images: Iterable[Grey]) -> tuple[QualityMonitor, float]:
    """A monitor that has seen these, one a second."""
    monitor, at = QualityMonitor(), 0.0
    for image in images:
        at += 1.0
        monitor.assess(image, at)
    return monitor, at


def usual() -> tuple[QualityMonitor, float]:
    return used_to(noisy(scene(), n) for n in range(40))


@pytest.mark.parametrize(
    ("image", "quality"),
    [
        (noisy(scene(), 99), ImageQuality.CLEAR),
        (np.full(SHAPE, 12, np.uint8), ImageQuality.DARK),
        (np.full(SHAPE, 254, np.uint8), ImageQuality.OVEREXPOSED),
        (noisy(blurred(scene()), 1, 1.0), ImageQuality.BLURRED),
        (noisy(np.full(SHAPE, 90, np.uint8), 1, 0.5), ImageQuality.COVERED),
        (noisy(scene(), 39), ImageQuality.FROZEN),  # the very image before
    ],
)
def test_a_picture_is_judged_against_what_the_camera_usually_shows(
    image: Grey, quality: ImageQuality
) -> None:
    monitor, at = usual()

    assert monitor.assess(image, at + 1) is quality


def test_a_camera_that_is_always_soft_is_not_blurred() -> None:
    monitor, at = used_to(noisy(blurred(scene()), n, 1.0) for n in range(40))

    assert monitor.assess(noisy(blurred(scene()), 99, 1.0), at + 1) is ImageQuality.CLEAR


def test_nothing_is_called_blurred_before_there_is_a_usual() -> None:
    monitor, at = used_to(noisy(scene(), n) for n in range(5))

    assert monitor.assess(noisy(blurred(scene()), 1), at + 1) is ImageQuality.CLEAR


def test_a_condition_is_told_once_it_has_lasted_ten_seconds() -> None:
    monitor, began = usual()
    told = []
    for second in range(1, 14):
        monitor.assess(noisy(np.full(SHAPE, 10, np.uint8), second), began + second)
        told.append(monitor.lasting)

    assert told[:10] == [ImageQuality.CLEAR] * 10
    assert told[10:] == [ImageQuality.DARK] * 3


def test_a_dark_hour_does_not_change_what_is_sharp() -> None:
    monitor, at = usual()
    for second in range(200):
        monitor.assess(noisy(np.full(SHAPE, 10, np.uint8), second), at + second)

    assert monitor.assess(noisy(blurred(scene()), 1), at + 201) is ImageQuality.BLURRED


def test_dark_frames_may_be_bought_and_frozen_ones_never() -> None:
    assert {each for each in ImageQuality if each.is_degraded} == {
        ImageQuality.DARK,
        ImageQuality.OVEREXPOSED,
        ImageQuality.BLURRED,
    }
    assert {each for each in ImageQuality if each.is_unusable} == {
        ImageQuality.FROZEN,
        ImageQuality.COVERED,
    }
