"""The camera's own JPEG is kept where the image would show the same, and nowhere else."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from agent.domain import Box, Detection, EncodedBy, Observation
from agent.record.image import LARGEST_OWN, JpegEncoder
from tests.fakes.captures import observed_pixels

PERSON = Detection("person", 0, 0.06, Box(5.0, 5.0, 20.0, 20.0))


def jpeg() -> bytes:
    pixels = np.random.default_rng(5).integers(0, 256, (48, 64, 3), np.uint8)
    return bytes(cv2.imencode(".jpg", pixels)[1])


def seen(own: bytes, *detections: Detection) -> Observation:
    observation = observed_pixels(np.zeros((48, 64, 3), np.uint8), *detections)
    return replace(observation, frame=replace(observation.frame, jpeg=own))


@pytest.mark.parametrize("max_side", [0, 64, 1000])
def test_the_camera_s_bytes_are_kept(max_side: int) -> None:
    own = jpeg()

    image = JpegEncoder(quality=30, max_side=max_side, redact=["person"]).encode(seen(own))

    assert image.data == own
    assert (image.width, image.height) == (64, 48)
    assert image.encoded_by is EncodedBy.CAMERA
    assert image.hidden == ()


def test_one_that_is_too_large_to_be_sent_is_encoded_again() -> None:
    image = JpegEncoder(quality=90).encode(seen(jpeg() + bytes(LARGEST_OWN)))

    assert image.encoded_by is EncodedBy.AGENT
    assert len(image.data) < 10_000


def test_a_redacted_box_needs_an_image_of_its_own() -> None:
    image = JpegEncoder(quality=90, redact=["person"]).encode(seen(jpeg(), PERSON))

    assert image.encoded_by is EncodedBy.AGENT
    assert len(image.hidden) == 1


def test_a_masked_frame_never_uses_the_camera_s_bytes() -> None:
    observation = seen(jpeg())
    region = (((0.0, 0.0), (9.0, 0.0), (9.0, 9.0)),)
    observation = replace(observation, frame=replace(observation.frame, masks=region))

    image = JpegEncoder(quality=90).encode(observation)

    assert image.encoded_by is EncodedBy.AGENT
    assert [part.polygon for part in image.hidden] == list(region)


def test_a_shrunken_image_is_encoded() -> None:
    image = JpegEncoder(quality=90, max_side=32).encode(seen(jpeg()))

    assert (image.width, image.encoded_by) == (32, EncodedBy.AGENT)
