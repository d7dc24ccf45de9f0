"""Image files of every format and kind: their pixels, what is refused, and damaged ones."""

import io
import os
import resource
import socket
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from agent.camera.images.file import BACKGROUND, ImageDecoder, decode_image, read_image
from agent.camera.images.header import read_header
from agent.camera.source_options import MAX_PIXELS
from agent.domain import Pixels
from agent.errors import UnusableImage
from tests.camera.peak_memory import peak_memory
from tests.search import examples

RED, BLUE = (200, 50, 30), (20, 60, 220)  # RGB
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")


def sample() -> Image.Image:
    """Red above blue, 60 x 40 pixels."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20], pixels[20:] = RED, BLUE
    return Image.fromarray(pixels)


def upper_half_hidden(image: Image.Image) -> Image.Image:
    alpha = np.full((40, 60), 255, np.uint8)
    alpha[:20] = 0
    shown = image.copy()
    shown.putalpha(Image.fromarray(alpha))
    return shown


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **({"lossless": True} if form == "WEBP" else {}), **options)
    return file.getvalue()


def colours(pixels: Pixels) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """RGB in the middle of the upper and of the lower half."""
    return tuple(map(int, pixels[10, 30][::-1])), tuple(map(int, pixels[30, 30][::-1]))


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_gives_the_colours_that_were_saved(form: str) -> None:
    upper, lower = colours(decode_image(encoded(sample(), form)))

    assert upper == pytest.approx(RED, abs=3)
    assert lower == pytest.approx(BLUE, abs=3)


@pytest.mark.parametrize("form", ["PNG", "GIF", "TIFF", "WEBP"])
def test_transparent_pixels_do_not_show_what_is_hidden_in_them(form: str) -> None:
    pixels = decode_image(encoded(upper_half_hidden(sample()), form))

    assert np.all(pixels[:20] == BACKGROUND)
    assert colours(pixels)[1] == pytest.approx(BLUE, abs=3)


def transparent_palettes() -> list[tuple[str, bytes]]:
    palette = sample().convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    hidden = palette.getpixel((30, 10))
    assert isinstance(hidden, int)
    grey = sample().convert("L")
    key = grey.getpixel((30, 10))
    steps = bytes(0 if index == hidden else 255 for index in range(4))
    return [
        ("palette", encoded(palette, "PNG", transparency=hidden)),
        ("palette with alpha", encoded(palette, "PNG", transparency=steps)),
        ("palette GIF", encoded(palette, "GIF", transparency=hidden)),
        ("grey with a key", encoded(grey, "PNG", transparency=key)),
        ("colour with a key", encoded(sample(), "PNG", transparency=RED)),
        ("grey and alpha", encoded(upper_half_hidden(grey), "PNG")),
    ]


@pytest.mark.parametrize(("name", "data"), transparent_palettes(), ids=lambda value: str(value)[:9])
def test_every_way_to_state_transparency_is_seen(name: str, data: bytes) -> None:
    pixels = decode_image(data)

    assert np.all(pixels[5:15] == BACKGROUND)
    assert not np.any(pixels[25:35, :, 0] == BACKGROUND)


def test_half_transparent_pixels_are_mixed_with_the_background() -> None:
    image = sample()
    image.putalpha(128)

    upper, _ = colours(decode_image(encoded(image, "PNG")))

    assert upper == pytest.approx([(c + BACKGROUND) / 2 for c in RED], abs=2)


def test_a_transparent_grey_tiff_is_refused_because_opencv_ignores_its_alpha() -> None:
    with pytest.raises(UnusableImage, match="a grey TIFF with transparency is not supported"):
        decode_image(encoded(upper_half_hidden(sample().convert("L")), "TIFF"))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "GIF"])
def test_one_bit_images_are_black_and_white(form: str) -> None:
    image = sample().convert("L").point(lambda value: 255 * (value > 80)).convert("1")

    assert colours(decode_image(encoded(image, form))) == ((255,) * 3, (0,) * 3)


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk_becomes_colours(form: str) -> None:
    upper, lower = colours(decode_image(encoded(sample().convert("CMYK"), form)))

    assert upper == pytest.approx(RED, abs=4)
    assert lower == pytest.approx(BLUE, abs=4)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_images_are_turned_upright(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = sample()
    image.paste((0, 255, 0), (0, 0, 20, 15))  # a corner that no turn leaves in its place
    data = encoded(image, form, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")

    pixels = decode_image(data)

    assert pixels.shape == np.asarray(upright).shape
    assert np.mean(np.abs(pixels[:, :, ::-1].astype(int) - np.asarray(upright))) < 4


@pytest.mark.parametrize("form", [".png", ".tiff"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_16_bit_images_are_scaled_by_the_bits_that_they_use(form: str, bits: int) -> None:
    ramp = np.linspace(0, 2**bits - 1, 64 * 64).reshape(64, 64).astype(np.uint16)
    _, data = cv2.imencode(form, ramp)

    pixels = decode_image(data.tobytes())

    assert (int(pixels[0, 0, 0]), int(pixels[-1, -1, 0])) == (0, 255)
    assert pixels.mean() == pytest.approx(127.5, abs=1.5)


def test_a_dark_image_after_a_bright_one_stays_dark() -> None:
    """Else the brightness of a folder would follow each image's brightest pixel."""
    decoder = ImageDecoder()
    _, bright = cv2.imencode(".png", np.full((8, 8), 4000, np.uint16))
    _, dark = cv2.imencode(".png", np.full((8, 8), 800, np.uint16))

    assert decoder.decode(bright.tobytes()).pixels.mean() == 250
    assert decoder.decode(dark.tobytes()).pixels.mean() == 50


@pytest.mark.parametrize("scale", [1 / 255, 1, 257], ids=["to 1", "to 255", "to 65535"])
def test_float_images_are_scaled_and_may_contain_nan(scale: float) -> None:
    values = np.asarray(sample().convert("L")).astype(np.float32) * scale
    values[0, 0], values[0, 1], values[0, 2] = np.nan, np.inf, -1.0

    pixels = decode_image(encoded(Image.fromarray(values), "TIFF"))

    assert [int(v) for v in pixels[0, :3, 0]] == [0, 255, 0]
    assert pixels[10, 30, 0] == pytest.approx(93, abs=1)


def test_values_above_16_bits_are_refused() -> None:
    values = np.full((8, 8), 1e9, np.float32)

    with pytest.raises(UnusableImage, match=r"values up to 1e\+09.*Convert it to 8 bits"):
        decode_image(encoded(Image.fromarray(values), "TIFF"))


def test_the_time_of_taking_is_read_from_exif() -> None:
    exif = Image.Exif()
    exif[0x0132] = "2026:01:01 00:00:00"  # when a program changed the file
    exif.get_ifd(0x8769)[0x9003] = "1970:01:02 00:00:03"
    exif.get_ifd(0x8769)[0x9291] = "25"

    for form in ("JPEG", "PNG", "WEBP"):
        assert read_header(encoded(sample(), form, exif=exif)).taken_at == 86_403.25
    exif[0x0132] = "1970:01:02 00:00:04"
    assert read_header(encoded(sample(), "TIFF", exif=exif)).taken_at == 86_404


# Files of a few hundred bytes that state 20,000 x 20,000 pixels.
SIDE = 20_000
PNG = b"\x89PNG\r\n\x1a\n"


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def huge_png(side: int = SIDE, depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0)
    rows = png_chunk(b"IDAT", zlib.compress(bytes(10_000)))
    return PNG + png_chunk(b"IHDR", header) + rows + png_chunk(b"IEND", b"")


def huge_jpeg() -> bytes:
    data = bytearray(encoded(sample(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", SIDE, SIDE)
    return bytes(data)


def huge_tiff(tile: bool = False) -> bytes:
    side, tile_side = (16, SIDE) if tile else (SIDE, 16)
    tags = [(256, side), (257, side), (258, 8), (259, 1), (262, 1), (277, 1)]
    tags += [(322, tile_side), (323, tile_side), (324, 8), (325, 256)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(300)


def huge() -> dict[str, bytes]:
    gif = bytearray(encoded(sample(), "GIF"))
    gif[6:10] = struct.pack("<HH", SIDE, SIDE)
    bmp = bytearray(encoded(sample(), "BMP"))
    bmp[18:26] = struct.pack("<ii", SIDE, -SIDE)
    size = (SIDE - 1).to_bytes(3, "little")
    webp = encoded(upper_half_hidden(sample()), "WEBP")
    extended = b"VP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + size + size
    webp = webp[:12] + extended + webp[12:]
    return {
        "PNG": huge_png(),
        "JPEG": huge_jpeg(),
        "GIF": bytes(gif),
        "BMP": bytes(bmp),
        "TIFF": huge_tiff(),
        "TIFF tile": huge_tiff(tile=True),
        "WebP": webp,
    }


@pytest.mark.parametrize("kind", huge())
def test_an_image_that_states_too_many_pixels_is_refused_before_it_is_decoded(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))

    with pytest.raises(UnusableImage, match="20000x20000 pixels: at most"):
        decode_image(huge()[kind])


def test_the_bytes_of_deep_pixels_count() -> None:
    """8,000 x 8,000 pixels are accepted, but not with four channels of 16 bits."""
    assert read_header(huge_png(8_000)).width == 8_000
    with pytest.raises(UnusableImage, match="8000x8000 pixels with 8 bytes each"):
        read_header(huge_png(8_000, depth=16, colour=6))


@pytest.mark.slow
def test_the_largest_accepted_image_takes_the_memory_that_the_module_promises() -> None:
    side = int(MAX_PIXELS**0.5)
    rows = zlib.compressobj(1)
    pixels = b"".join([*(rows.compress(bytes(1 + 4 * side)) for _ in range(side)), rows.flush()])
    header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    data = PNG + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")

    printed, memory = peak_memory(
        "from agent.camera.images.file import decode_image\n"
        "data = sys.stdin.buffer.read()\n"
        "begin()\n"
        "print(decode_image(data).shape)\n",
        data=data,
    )

    assert printed == "(8000, 8000, 3)"
    assert memory < 10 * MAX_PIXELS


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "the file is empty"),
        (b"hello, world", "it is not an image of a supported format"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC is not supported. Convert it to JPEG or PNG"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "AVIF is not supported"),
        (b"#?RADIANCE\n", "it is not an image of a supported format"),
        (b"\xff\xd8\xff\xd9", "its JPEG header is damaged"),
        (b"\x89PNG\r\n\x1a\nmore", "its PNG header is damaged"),
        (b"II*\0\xff\xff\xff\xff", "its TIFF header is damaged"),
        (b"RIFF\0\0\0\0AVI LIST", "its WebP header is damaged"),
        (b"GIF89a\0\0\0\0\0\0\0", "0x0 pixels: it is empty"),
    ],
)
def test_what_is_no_usable_image_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(UnusableImage) as caught:
        decode_image(data)

    assert str(caught.value).startswith("cannot use ")
    assert why in str(caught.value)


def test_a_truncated_png_is_refused() -> None:
    with pytest.raises(UnusableImage, match="its PNG data is damaged"):
        decode_image(huge_png(100)[:60])


def special_files(folder: Path) -> dict[str, Path]:
    os.mkfifo(folder / "fifo.jpg")
    (folder / "link.jpg").symlink_to(folder / "fifo.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "folder.jpg").mkdir()
    return {name: folder / f"{name}.jpg" for name in ("fifo", "link", "device", "folder")}


@pytest.mark.parametrize("kind", ["fifo", "link", "device", "folder"])
@pytest.mark.timeout(60)
def test_only_regular_files_are_opened(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UnusableImage, match="not a regular file"):
        read_image(special_files(tmp_path)[kind])


@pytest.mark.timeout(60)
def test_a_socket_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("a.jpg")
        with pytest.raises(UnusableImage, match="it is a socket"):
            read_image(Path("a.jpg"))


@pytest.mark.timeout(60)
def test_a_file_that_becomes_a_fifo_while_it_is_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(sample(), "JPEG"))
    really_open = os.open

    def swap(*arguments: Any, **keywords: Any) -> int:
        path.unlink()
        os.mkfifo(path)
        return really_open(*arguments, **keywords)

    monkeypatch.setattr(os, "open", swap)
    with pytest.raises(UnusableImage, match="it is a FIFO"):
        read_image(path)


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    with path.open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(UnusableImage, match="the file has more than 256 MB"):
        read_image(path)


def seeds() -> list[bytes]:
    deep = np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) * 20
    exif = Image.Exif()
    exif[0x0112] = 6
    found = [encoded(sample(), form) for form in FORMATS]
    found += [encoded(sample(), form, exif=exif) for form in ("JPEG", "PNG", "WEBP", "TIFF")]
    found += [encoded(upper_half_hidden(sample()), form) for form in ("PNG", "GIF", "TIFF")]
    found += [cv2.imencode(form, deep)[1].tobytes() for form in (".png", ".tiff")]
    found += [encoded(sample(), "JPEG", progressive=True), encoded(sample(), "PNG", bits=1)]
    return found + [data for name, data in huge().items() if name != "WebP"]


SEEDS = seeds()
BOUND = 1_000_000_000  # bytes of address space that a decoding may add


def decodes_or_refuses(data: bytes) -> None:
    try:
        pixels = decode_image(data)
    except UnusableImage as error:
        refused = str(error)
    else:
        refused = ""
    assert refused.isprintable()
    if refused:
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert pixels.shape[0] * pixels.shape[1] <= MAX_PIXELS


@settings(max_examples=examples(300), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.sampled_from(SEEDS),
    cut=st.floats(0, 1),
    changes=st.lists(
        st.tuples(st.one_of(st.integers(0, 80), st.integers(0, 4000)), st.binary(max_size=4)),
        max_size=6,
    ),
)
def test_damaged_images_are_decoded_or_refused(
    data: bytes, cut: float, changes: list[tuple[int, bytes]]
) -> None:
    """Nothing but `UnusableImage` is raised, and no more memory is taken than is allowed."""
    damaged = bytearray(data)
    for at, content in changes:
        start = min(at, len(damaged))
        damaged[start : start + len(content)] = content
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + BOUND, hard))
    try:
        decodes_or_refuses(bytes(damaged[: round(len(damaged) * max(cut, 0.02)) or 1]))
        decodes_or_refuses(bytes(damaged))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from([data[:12] for data in SEEDS]), st.binary(max_size=200))
def test_random_bytes_after_a_signature_are_refused(signature: bytes, rest: bytes) -> None:
    decodes_or_refuses(signature + rest)
