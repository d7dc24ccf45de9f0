"""Cutting the output of a program into frames, however its bytes arrive."""

import contextlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.camera.program.output import MOST_FOREIGN, JpegCutter, NotFrames, RawCutter
from tests.camera.mjpeg_server import jpeg
from tests.search import examples


def encoded(level: int, *flags: int) -> bytes:
    noise = np.random.default_rng(level).integers(0, 255, (24, 32, 3), np.uint8)
    return bytes(cv2.imencode(".jpg", noise, list(flags))[1])


def with_thumbnail(image: bytes) -> bytes:
    """Metadata that contains a whole other image."""
    exif = b"Exif\0\0" + jpeg(1)
    return image[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + image[2:]


IMAGES = [
    encoded(1),
    encoded(2, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    encoded(3, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    with_thumbnail(encoded(4)),
    jpeg(7),
]
BETWEEN = [
    b"",
    b"\r\n",
    b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 9\r\n\r\n",
    b"\0" * 50,
    b"New clock: GstSystemClock\n",
    b"\xff",
]


def cut(cutter: JpegCutter | RawCutter, data: bytes, sizes: list[int]) -> list[bytes | None]:
    found: list[bytes | None] = []
    at = 0
    for size in [*sizes, len(data)]:
        found += cutter.feed(data[at : at + size])
        at += size
    return found


@settings(max_examples=examples(40))
@given(
    parts=st.lists(st.tuples(st.sampled_from(BETWEEN), st.sampled_from(IMAGES)), min_size=1),
    sizes=st.lists(st.integers(1, 900), max_size=30),
)
def test_each_image_is_cut_out_whole(parts: list[tuple[bytes, bytes]], sizes: list[int]) -> None:
    data = b"".join(between + image for between, image in parts)

    assert cut(JpegCutter(), data, sizes) == [image for _, image in parts]


SCAN = IMAGES[0].index(b"\xff\xda") + 14


@settings(max_examples=examples(40))
@given(
    keep=st.integers(SCAN, len(IMAGES[0]) - 3),
    kind=st.integers(0, 3),
    sizes=st.lists(st.integers(1, 900), max_size=30),
)
def test_what_follows_an_image_without_its_end_is_found(
    keep: int, kind: int, sizes: list[int]
) -> None:
    data = IMAGES[0][:keep] + IMAGES[kind] + IMAGES[4]

    assert cut(JpegCutter(), data, sizes) == [None, IMAGES[kind], IMAGES[4]]


@settings(max_examples=examples(40))
@given(data=st.binary(max_size=3000), sizes=st.lists(st.integers(1, 500), max_size=9))
def test_any_bytes_are_frames_or_are_called_something_else(data: bytes, sizes: list[int]) -> None:
    for cutter in (JpegCutter(), RawCutter(4, 2)):
        with contextlib.suppress(NotFrames):
            cut(cutter, b"\xff\xd8\xff" + data, sizes)
        assert cutter.rest().isprintable()


@settings(max_examples=examples(40))
@given(sizes=st.lists(st.integers(1, 40), max_size=30), count=st.integers(0, 5))
def test_raw_frames_are_cut_by_their_size(sizes: list[int], count: int) -> None:
    frames = [bytes([level]) * 24 for level in range(count)]
    cutter = RawCutter(4, 4)

    assert cut(cutter, b"".join(frames) + b"abc", sizes) == frames
    assert cutter.rest().startswith("3 bytes of a frame; one of 4x4 has 24")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x01\x67\x42", "H.264 or H.265"),
        (b"\0\0\0\x20ftypisom", "MP4"),
        (b"\x1aE\xdf\xa3\x01\0\0\0", "Matroska or WebM"),
        (b"YUV4MPEG2 W640 H480", "YUV4MPEG"),
        (b"G" + b"x" * 187 + b"G@", "an MPEG transport stream"),
        (b"\x89PNG\r\n\x1a\n", "PNG images"),
        (b"RIFF\0\0\0\0AVI ", "AVI"),
        (b"\0\0\x01\xba1234", "an MPEG program stream"),
    ],
)
def test_other_formats_are_named_with_the_fix(data: bytes, name: str) -> None:
    data += b"\0" * 300
    with pytest.raises(NotFrames, match=f"it writes {name}.*Let it write MJPEG: rpicam-vid"):
        list(JpegCutter().feed(data))
    with pytest.raises(NotFrames, match=f"it writes {name}.*, not raw I420. Let it write raw I420"):
        list(RawCutter(64, 48).feed(data))


def test_text_without_an_end_is_no_video() -> None:
    cutter = JpegCutter()
    line = b"Setting pipeline to PAUSED ...\n"
    for _ in range(MOST_FOREIGN // len(line)):
        assert not list(cutter.feed(line))
    with pytest.raises(NotFrames, match="text: 'Setting pipeline to PAUSED"):
        list(cutter.feed(3 * line))
