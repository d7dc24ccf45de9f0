"""The camera's own JPEG is kept where the image would show the same, and nowhere else."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from agent.domain import Box, Detection, EncodedBy, Observation
from agent.record.image import JpegEncoder, faithful_jpeg, pixels_of
from agent.record.jpeg_header import quality_of
from tests.fakes.captures import observed_pixels

PERSON = Detection("person", 0, 0.06, Box(5.0, 5.0, 20.0, 20.0))


def jpeg(width: int = 64, height: int = 48, *options: int) -> bytes:
    pixels = np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)
    return bytes(cv2.imencode(".jpg", pixels, list(options))[1])


def seen(own: bytes, *detections: Detection) -> Observation:
    observation = observed_pixels(np.zeros((48, 64, 3), np.uint8), *detections)
    return replace(observation, frame=replace(observation.frame, jpeg=own))


def with_exif(data: bytes, order: bytes, orientation: int) -> bytes:
    """Put the orientation of the camera into a JPEG, as `II` or `MM` writes numbers."""

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, "little" if order == b"II" else "big")

    entry = number(0x112, 2) + number(3, 2) + number(1, 4) + number(orientation, 2) + b"\0\0"
    tiff = order + number(42, 2) + number(8, 4) + number(1, 2) + entry + number(0, 4)
    segment = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2) + segment + data[2:]


@pytest.mark.parametrize(
    "own",
    [
        jpeg(),
        jpeg(64, 48, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        with_exif(jpeg(), b"II", 1),
        with_exif(jpeg(), b"MM", 1),
    ],
)
@pytest.mark.parametrize("max_side", [0, 64, 1000])
def test_the_camera_s_bytes_are_kept(own: bytes, max_side: int) -> None:
    image = JpegEncoder(quality=30, max_side=max_side, redact=["person"]).encode(seen(own))

    assert image.data == own
    assert (image.width, image.height) == (64, 48)
    assert image.encoded_by is EncodedBy.CAMERA
    assert image.hidden == ()


def without_tables(data: bytes) -> bytes:
    """Leave the Huffman tables out, as many cameras do that send a JPEG for each frame."""
    position = 2
    while data[position + 1] != 0xC4:
        position += 2 + int.from_bytes(data[position + 2 : position + 4])
    end = position
    while data[end + 1] == 0xC4:
        end += 2 + int.from_bytes(data[end + 2 : end + 4])
    return data[:position] + data[end:]


@pytest.mark.parametrize(
    "own",
    [
        b"",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8" + b"\xff" * 5000 + b"\xff\xd9",
        b"\xff\xd8\xff\xe0\x00\x01\xff\xd9",
        jpeg()[:-2],  # cut off
        jpeg(32, 48),  # of another size
        without_tables(jpeg()),
        with_exif(jpeg(), b"II", 6),
        with_exif(jpeg(), b"MM", 3),
    ],
)
def test_what_not_every_reader_shows_as_it_is_is_encoded_again(own: bytes) -> None:
    image = JpegEncoder(quality=90).encode(seen(own))

    assert image.encoded_by is EncodedBy.AGENT
    assert image.data != own


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


def test_the_copy_of_a_recent_frame_is_what_would_have_been_stored() -> None:
    """Its own pixels are masked already; hidden labels are not, and never leave in it."""
    pixels = np.random.default_rng(5).integers(0, 256, (48, 64, 3), np.uint8)
    observation = observed_pixels(pixels, PERSON)
    region = (((0.0, 0.0), (9.0, 0.0), (9.0, 9.0)),)
    frame = replace(observation.frame, masks=region)
    copy = faithful_jpeg(frame, quality=90)
    decoded = pixels_of(copy)
    assert decoded is not None
    recent = replace(frame, pixels=decoded, jpeg=copy, encoded_by=EncodedBy.AGENT)

    for redact in ([], ["person"]):
        encoder = JpegEncoder(quality=90, redact=redact)
        then = encoder.encode(replace(observation, frame=frame))
        now = encoder.encode(replace(observation, frame=recent))
        assert now.hidden == then.hidden
        assert now.encoded_by is EncodedBy.AGENT
        assert (now.data == then.data == copy) == (not redact)


def test_what_is_no_image_has_no_pixels() -> None:
    assert pixels_of(b"") is None
    assert pixels_of(b"\xff\xd8 no image") is None


def test_a_frame_that_is_too_large_for_a_jpeg_has_no_copy() -> None:
    wide = np.zeros((1, 70_000, 3), np.uint8)

    assert faithful_jpeg(observed_pixels(wide).frame, quality=90) == b""


@pytest.mark.parametrize("quality", [1, 10, 30, 50, 75, 90, 95, 100])
def test_the_quality_of_a_jpeg_is_read_from_its_tables(quality: int) -> None:
    pixels = np.full((16, 16, 3), 90, np.uint8)
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])

    assert quality_of(data.tobytes()) == quality


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff\xdb\x00\x04\x00\x10", b"no image at all"])
def test_damaged_data_has_no_quality(data: bytes) -> None:
    assert quality_of(data) is None
