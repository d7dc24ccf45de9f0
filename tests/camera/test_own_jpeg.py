"""A camera's own JPEG: kept only if it is exactly the pixels, and never with its metadata."""

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.camera.images.camera_image import decode_camera_image
from agent.camera.images.file import decode_image
from agent.camera.images.own_jpeg import keepable
from agent.errors import UnusableImage
from tests.search import examples

WIDTH, HEIGHT = 40, 24
SECRET = b"48.8584N 2.2945E"
THUMBNAIL = b"\xde\xad\xbe\xef" * 3


def encoded(*flags: int, channels: int = 3) -> bytes:
    shape = (HEIGHT, WIDTH, channels)[: 3 if channels > 1 else 2]
    noise = np.random.default_rng(5).integers(0, 255, shape, np.uint8)
    return bytes(cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 80, *flags])[1])


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def exif(orientation: int, *, order: str = ">", kind: int = 3, count: int = 1) -> bytes:
    value = struct.pack(f"{order}{'HHI'[min(kind - 2, 2)]}", orientation).ljust(4, b"\0")
    mark = b"MM\0*\0\0\0\x08" if order == ">" else b"II*\0\x08\0\0\0"
    entry = struct.pack(f"{order}HHHI", 1, 0x0112, kind, count) + value
    return segment(0xE1, b"Exif\0\0" + mark + entry + b"\0\0\0\0" + SECRET)


def within(image: bytes, *segments: bytes) -> bytes:
    """Put segments behind the beginning of a file."""
    return image[:2] + b"".join(segments) + image[2:]


PLAIN = encoded()
JFIF_END = 2 + 2 + 16
WITHOUT_JFIF = PLAIN[:2] + PLAIN[JFIF_END:]
KINDS = {
    "baseline": PLAIN,
    "progressive": encoded(cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarts": encoded(cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
    "optimized": encoded(cv2.IMWRITE_JPEG_OPTIMIZE, 1),
    "no JFIF": WITHOUT_JFIF,
    "RGB by Adobe": within(WITHOUT_JFIF, segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")),
    "fill bytes": PLAIN[:JFIF_END] + b"\xff\xff" + PLAIN[JFIF_END:],
}
METADATA = {
    "EXIF": exif(1),
    "XMP": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET),
    "comment": segment(0xFE, SECRET),
    "maker's segment": segment(0xEF, SECRET),
    "colour profile": segment(0xE2, b"ICC_PROFILE\0\x01\x01" + SECRET),
    "JFIF thumbnail": segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\x02\x02" + THUMBNAIL),
    "JFXX": segment(0xE0, b"JFXX\0\x10" + SECRET),
    "long Adobe": segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01" + SECRET),
}


@pytest.mark.parametrize("image", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("added", METADATA.values(), ids=METADATA)
def test_a_kept_file_has_the_same_pixels_and_no_metadata(image: bytes, added: bytes) -> None:
    sent = within(image, added) + SECRET  # some cameras append data
    found = decode_camera_image(sent)

    assert found.jpeg is not None
    assert np.array_equal(decode_image(found.jpeg), found.pixels)
    assert np.array_equal(decode_image(sent), found.pixels)
    assert SECRET not in found.jpeg
    assert THUMBNAIL not in found.jpeg
    assert found.jpeg.endswith(b"\xff\xd9")


def test_metadata_between_two_scans_is_taken_out() -> None:
    image = KINDS["progressive"]
    at = image.rindex(b"\xff\xda")
    found = decode_camera_image(image[:at] + segment(0xFE, SECRET) + image[at:])

    assert found.jpeg == keepable(image, width=WIDTH, height=HEIGHT)


def test_a_file_without_anything_to_take_out_is_kept_itself() -> None:
    assert keepable(PLAIN, width=WIDTH, height=HEIGHT) is PLAIN


def without(image: bytes, marker: int) -> bytes:
    at = image.index(bytes([0xFF, marker]))
    length = int.from_bytes(image[at + 2 : at + 4])
    return image[:at] + image[at + 2 + length :]


NOT_KEPT = {
    "PNG": bytes(cv2.imencode(".png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))[1]),
    "grey": encoded(channels=1),
    "turned": within(PLAIN, exif(6)),
    "upside down": within(PLAIN, exif(3, order="<")),
}


@pytest.mark.parametrize("sent", NOT_KEPT.values(), ids=NOT_KEPT)
def test_what_is_not_exactly_the_pixels_is_not_kept(sent: bytes) -> None:
    assert decode_camera_image(sent).jpeg is None


def test_a_file_that_other_programs_cannot_decode_is_not_kept() -> None:
    """Webcams leave out the Huffman tables that every decoder of theirs knows."""
    sent = WITHOUT_JFIF
    while b"\xff\xc4" in sent[: sent.index(b"\xff\xda")]:
        sent = without(sent, 0xC4)

    assert keepable(sent, width=WIDTH, height=HEIGHT) is None


def test_an_incomplete_file_is_no_image() -> None:
    with pytest.raises(UnusableImage, match="it arrived incomplete"):
        decode_camera_image(PLAIN[:-2])
    assert keepable(PLAIN[:-2], width=WIDTH, height=HEIGHT) is None
    assert keepable(PLAIN, width=WIDTH + 1, height=HEIGHT) is None


@settings(max_examples=examples(40))
@given(
    orientation=st.integers(0, 12),
    order=st.sampled_from("<>"),
    kind=st.sampled_from([2, 3, 4]),
    count=st.integers(0, 2),
    noise=st.binary(max_size=6),
)
def test_the_decoder_never_turns_what_is_kept(
    orientation: int, order: str, kind: int, count: int, noise: bytes
) -> None:
    """However the orientation is written, and with EXIF in two segments."""
    for added in (
        exif(orientation, order=order, kind=kind, count=count),
        exif(1) + exif(orientation, order=order),
        segment(0xE1, b"Exif\0\0" + noise) + exif(orientation, order=order),
    ):
        found = decode_camera_image(within(PLAIN, added))
        if found.jpeg is not None:
            assert np.array_equal(decode_image(found.jpeg), found.pixels)


@settings(max_examples=examples(40))
@given(cut=st.integers(0, len(PLAIN)), change=st.binary(max_size=8))
def test_any_bytes_are_kept_only_as_a_whole_jpeg(cut: int, change: bytes) -> None:
    data = PLAIN[:cut] + change + PLAIN[cut + len(change) :]
    kept = keepable(data, width=WIDTH, height=HEIGHT)

    assert kept is None or (kept.startswith(b"\xff\xd8") and kept.endswith(b"\xff\xd9"))
