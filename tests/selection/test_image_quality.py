"""Image quality is assessed against what the camera usually shows."""

from collections.abc import Iterable

import numpy as np
import pytest

from agent.domain import Grey
from agent.selection.image_quality import (
    ImageQuality,
    QualityMonitor,
    is_blank,
    quality_alone,
)
from tests.selection.grey_images import SHAPE, blurred, noisy, scene


def monitor_after(images: Iterable[Grey]) -> tuple[QualityMonitor, float]:
    """Return a monitor that has seen these images, one a second, and the time."""
    monitor, at = QualityMonitor(), 0.0
    for image in images:
        at += 1.0
        monitor.assess(image, at)
    return monitor, at


def usual() -> tuple[QualityMonitor, float]:
    return monitor_after(noisy(scene(), n) for n in range(40))


@pytest.mark.parametrize(
    ("image", "quality"),
    [
        (noisy(scene(), 99), ImageQuality.CLEAR),
        (np.full(SHAPE, 12, np.uint8), ImageQuality.DARK),
        (np.full(SHAPE, 254, np.uint8), ImageQuality.OVEREXPOSED),
        (noisy(blurred(scene()), 1, 1.0), ImageQuality.BLURRED),
        (noisy(np.full(SHAPE, 90, np.uint8), 1, 0.5), ImageQuality.COVERED),
        (noisy(scene(), 39), ImageQuality.FROZEN),  # equal to the image before
    ],
)
def test_each_quality_is_recognised(image: Grey, quality: ImageQuality) -> None:
    monitor, at = usual()

    assert monitor.assess(image, at + 1) is quality


def test_a_camera_that_is_always_out_of_focus_is_not_called_blurred() -> None:
    monitor, at = monitor_after(noisy(blurred(scene()), n, 1.0) for n in range(40))

    assert monitor.assess(noisy(blurred(scene()), 99, 1.0), at + 1) is ImageQuality.CLEAR


def test_no_image_is_called_blurred_before_the_usual_sharpness_is_known() -> None:
    monitor, at = monitor_after(noisy(scene(), n) for n in range(5))

    assert monitor.assess(noisy(blurred(scene()), 1), at + 1) is ImageQuality.CLEAR


def test_a_quality_is_lasting_after_ten_seconds() -> None:
    monitor, began = usual()
    lasting = []
    for second in range(1, 14):
        monitor.assess(noisy(np.full(SHAPE, 10, np.uint8), second), began + second)
        lasting.append(monitor.lasting)

    assert lasting[:10] == [ImageQuality.CLEAR] * 10
    assert lasting[10:] == [ImageQuality.DARK] * 3


def test_dark_images_do_not_change_the_usual_sharpness() -> None:
    monitor, at = usual()
    for second in range(200):
        monitor.assess(noisy(np.full(SHAPE, 10, np.uint8), second), at + second)

    assert monitor.assess(noisy(blurred(scene()), 1), at + 201) is ImageQuality.BLURRED


def test_dark_frames_are_degraded_and_frozen_ones_unusable() -> None:
    assert {each for each in ImageQuality if each.is_degraded} == {
        ImageQuality.DARK,
        ImageQuality.OVEREXPOSED,
        ImageQuality.BLURRED,
    }
    assert {each for each in ImageQuality if each.is_unusable} == {
        ImageQuality.FROZEN,
        ImageQuality.COVERED,
    }


@pytest.mark.parametrize("level", [0, 24, 26, 90, 249, 255])
def test_an_image_alone_is_assessed_as_the_first_of_a_camera(level: int) -> None:
    image = np.full(SHAPE, level, np.uint8)
    image[::7] = 255 - level

    assert quality_alone(image) is QualityMonitor().assess(image, 0.0)


@pytest.mark.parametrize(("contrast", "blank"), [(0, True), (3, True), (4, False), (5, False)])
def test_an_image_with_a_deviation_below_two_grey_levels_is_blank(
    contrast: int, *, blank: bool
) -> None:
    image = np.full(SHAPE, 50, np.uint8)
    image[::2] += contrast

    assert is_blank(image) is blank
