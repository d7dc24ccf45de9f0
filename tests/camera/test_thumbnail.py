"""The small grey image averages all pixels of a frame of any shape."""

import cv2
import numpy as np
import pytest

from agent.camera.thumbnail import HEIGHT, WIDTH, small_grey
from agent.domain import Pixels

SHAPES = [(1080, 1920), (720, 1280), (576, 768), (480, 640), (1081, 1921), (360, 640), (90, 160)]


def scene(height: int, width: int) -> Pixels:
    """Return a smooth image with random colours."""
    coarse = np.random.default_rng(5).integers(20, 236, (9, 16, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.mark.parametrize(("height", "width"), [*SHAPES, (1, 1), (7, 3000)])
def test_it_has_the_same_size_for_every_frame(height: int, width: int) -> None:
    assert small_grey(np.zeros((height, width, 3), np.uint8)).shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_it_is_close_to_an_exact_area_average(height: int, width: int) -> None:
    pixels = scene(height, width)
    exact = cv2.resize(pixels.astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    expected = cv2.cvtColor(exact, cv2.COLOR_BGR2GRAY)

    assert np.abs(small_grey(pixels) - expected).max() < 2.5


@pytest.mark.parametrize(("height", "width"), [(1080, 1920), (720, 1280)])
def test_noise_is_averaged_over_all_pixels(height: int, width: int) -> None:
    """Sampling every other pixel would leave twice as much noise."""
    noise = np.random.default_rng(7).normal(0, 12, (height, width))
    pixels = np.clip(128 + noise, 0, 255).astype(np.uint8)[:, :, None].repeat(3, 2)

    assert small_grey(pixels).std() == pytest.approx(12 * HEIGHT / height, rel=0.12)
