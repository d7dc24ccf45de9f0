"""Images are encoded within the size limit and still show the frame."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import EncodedImage, Pixels
from agent.record.image import LONGEST_SIDE, JpegEncoder
from tests.fakes.captures import observed_pixels
from tests.search import examples


def gradient(width: int, height: int) -> Pixels:
    """Return an image whose blue grows to the right and red downwards."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, :, 0] = np.linspace(0, 255, width).astype(np.uint8)
    pixels[:, :, 2] = np.linspace(0, 255, height).astype(np.uint8)[:, None]
    return pixels


def decoded(image: EncodedImage) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(pixels, np.uint8)


def test_an_image_is_stored_as_it_was_read() -> None:
    pixels = gradient(320, 240)

    image = JpegEncoder(quality=95).encode(observed_pixels(pixels))

    assert image.media_type == "image/jpeg"
    assert image.data[:2] == b"\xff\xd8"
    assert (image.width, image.height) == (320, 240)
    assert np.abs(decoded(image).astype(int) - pixels).mean() < 3


@pytest.mark.parametrize(
    ("size", "max_side", "stored"),
    [
        ((320, 240), 0, (320, 240)),
        ((320, 240), 320, (320, 240)),
        ((320, 240), 1000, (320, 240)),
        ((320, 240), 160, (160, 120)),
        ((240, 320), 160, (120, 160)),
        ((1280, 721), 640, (640, 360)),
        ((4000, 1), 100, (100, 1)),
        ((1, 4000), 100, (1, 100)),
        ((1, 1), 0, (1, 1)),
        ((640, 480), 1, (1, 1)),
        ((LONGEST_SIDE + 500, 2), 0, (LONGEST_SIDE, 2)),  # longer than JPEG allows
        ((LONGEST_SIDE + 500, 2), LONGEST_SIDE + 100, (LONGEST_SIDE, 2)),
    ],
)
def test_no_side_is_longer_than_allowed(
    size: tuple[int, int], max_side: int, stored: tuple[int, int]
) -> None:
    image = JpegEncoder(quality=90, max_side=max_side).encode(observed_pixels(gradient(*size)))

    assert (image.width, image.height) == stored
    assert decoded(image).shape == (stored[1], stored[0], 3)


def test_a_shrunken_image_shows_the_same() -> None:
    image = JpegEncoder(quality=95, max_side=160).encode(observed_pixels(gradient(320, 240)))

    assert np.abs(decoded(image).astype(int) - gradient(160, 120)).mean() < 4


def test_a_higher_quality_has_more_bytes_and_less_error() -> None:
    pixels = np.random.default_rng(7).integers(0, 256, (64, 64, 3), np.uint8)
    images = [
        JpegEncoder(quality=quality).encode(observed_pixels(pixels)) for quality in (1, 50, 100)
    ]
    errors = [np.abs(decoded(image).astype(int) - pixels).mean() for image in images]

    assert sorted(len(image.data) for image in images) == [len(image.data) for image in images]
    assert sorted(errors, reverse=True) == errors


def test_encoding_does_not_change_the_frame() -> None:
    pixels = gradient(64, 48)
    JpegEncoder(quality=50, max_side=10).encode(observed_pixels(pixels))

    assert (pixels == gradient(64, 48)).all()


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 300))
@settings(deadline=None, max_examples=examples(60))
def test_any_shape_keeps_its_aspect_ratio(width: int, height: int, max_side: int) -> None:
    image = JpegEncoder(quality=50, max_side=max_side).encode(
        observed_pixels(gradient(width, height))
    )

    limit = max_side or max(width, height)
    assert max(image.width, image.height) == min(limit, max(width, height))
    assert abs(image.width / width - image.height / height) <= 1 / min(width, height)
    assert decoded(image).shape == (image.height, image.width, 3)
