"""Reads what an image file states about itself, before anything is decoded. Pure."""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from agent.camera.frame_checks import check_size
from agent.camera.images import tiff_tags
from agent.camera.images.tiff_tags import Directory
from agent.camera.source_options import MAX_PIXELS
from agent.errors import UnusableImage

DECODED_MAX = 4 * MAX_PIXELS
"""Bytes of the largest image as the decoder returns it: four channels of 8 bits."""


class ImageFormat(StrEnum):
    """The formats that are read; the content decides, not the file's name."""

    JPEG = "JPEG"
    PNG = "PNG"
    GIF = "GIF"
    BMP = "BMP"
    TIFF = "TIFF"
    WEBP = "WebP"


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What an image file states."""

    format: ImageFormat
    width: int  # pixels, before the orientation is applied
    height: int
    tags: Directory  # EXIF, or the tags of a TIFF; empty where there are none
    transparent: int | None = None  # the grey value, as decoded, that a grey PNG calls transparent

    @property
    def taken_at(self) -> float | None:
        """When the image was taken, see `tiff_tags.taken_at`."""
        return tiff_tags.taken_at(self.tags)


_OTHERS = {  # bytes 4 to 12
    b"ftypheic": "HEIC",
    b"ftypheix": "HEIC",
    b"ftypmif1": "HEIC",
    b"ftypmsf1": "HEIC",
    b"ftyphevc": "HEIC",
    b"ftypavif": "AVIF",
    b"ftypavis": "AVIF",
    b"JXL ": "JPEG XL",
    b"jP  ": "JPEG 2000",
}


def read_header(data: bytes | memoryview) -> ImageHeader:
    """Return what the bytes of an image file state; the size passed `check_size`.

    Raises:
        UnusableImage: It is not an image of a supported format, is damaged, or states a size that
            is not accepted.
    """
    start = bytes(data[:12])
    known = [each for each in _READERS if start.startswith(each[1])]
    if not known:
        raise UnusableImage(f"cannot use the image: {_why_unknown(start)}")
    kind, _, read = known[0]
    try:
        header = read(memoryview(data))
    except (struct.error, IndexError, ValueError) as exc:
        raise UnusableImage(f"cannot use the image: its {kind} header is damaged") from exc
    check_size(header.width, header.height)
    return header


_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF markers
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_JPEG_SCAN, _JPEG_END, _JPEG_APP1 = 0xDA, 0xD9, 0xE1
_JPEG_MARK = re.compile(rb"\xff+")  # with fill bytes
_EXIF = b"Exif\0\0"
_BMP_OLD = 12  # bytes of the first header version
_PNG_CHUNKS_MAX = 10_000
_PNG_CHANNELS = {0: 1, 2: 3}  # by colour type; a palette may have alpha


def _jpeg(data: memoryview) -> ImageHeader:
    """Find the frame header as libjpeg does: bytes between markers are passed over."""
    at, tags = 2, Directory()
    while (mark := _JPEG_MARK.search(data, at)) is not None:
        marker = data[mark.end()]
        at = mark.end() + 1
        if marker in (_JPEG_SCAN, _JPEG_END):
            raise ValueError("no frame header")
        if marker == 0 or marker in _JPEG_BARE:
            continue
        [length] = struct.unpack_from(">H", data, at)
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, at + 3)
            return ImageHeader(ImageFormat.JPEG, width, height, tags)
        if marker == _JPEG_APP1 and data[at + 2 : at + 8] == _EXIF and tags == Directory():
            tags = _exif(data[at + 8 : at + length])
        at += length
    raise ValueError("no frame header")


def _png(data: memoryview) -> ImageHeader:
    length, kind, width, height = struct.unpack_from(">I4sII", data, 8)
    if kind != b"IHDR" or length != 13:  # noqa: PLR2004 (bytes of this chunk)
        raise ValueError("no IHDR")
    _check_decoded(width, height, _PNG_CHANNELS.get(data[25], 4) * (2 if data[24] > 8 else 1))  # noqa: PLR2004 (bits)
    at, tags, transparent = 8, Directory(), None
    for _ in range(_PNG_CHUNKS_MAX):
        if at + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"eXIf":
            tags = _exif(data[at + 8 : at + 8 + length])
        elif kind == b"tRNS" and data[25] == 0:  # grey
            [value] = struct.unpack_from(">H", data, at + 8)
            transparent = value * (255 // (2 ** data[24] - 1) if data[24] < 8 else 1)  # noqa: PLR2004 (bits)
        at += 12 + length
    return ImageHeader(ImageFormat.PNG, width, height, tags, transparent)


def _gif(data: memoryview) -> ImageHeader:
    width, height = struct.unpack_from("<HH", data, 6)
    return ImageHeader(ImageFormat.GIF, width, height, Directory())


def _bmp(data: memoryview) -> ImageHeader:
    [header] = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == _BMP_OLD else "<ii", data, 18)
    return ImageHeader(ImageFormat.BMP, width, abs(height), Directory())


def _tiff(data: memoryview) -> ImageHeader:
    tags = tiff_tags.directory(data)
    width, height = (tags.number(tag, 0) for tag in (tiff_tags.WIDTH, tiff_tags.HEIGHT))
    depth = max(tags.integers.get(tiff_tags.BITS, (1,))) // 8 * tags.number(tiff_tags.CHANNELS, 1)
    if tiff_tags.TILE_WIDTH in tags.integers:
        # A decoder makes room for a whole tile, however small the image is.
        tile_width, tile_height = (
            tags.number(tag, 0) for tag in (tiff_tags.TILE_WIDTH, tiff_tags.TILE_HEIGHT)
        )
        _check_decoded(tile_width, tile_height, depth)
    _check_decoded(width, height, depth)
    return ImageHeader(ImageFormat.TIFF, width, height, tags)


def _webp(data: memoryview) -> ImageHeader:
    if bytes(data[8:12]) != b"WEBP":
        raise ValueError("not WebP")
    kind = bytes(data[12:16])
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
    elif kind == b"VP8L":
        [bits] = struct.unpack_from("<I", data, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise ValueError("no image chunk")
    at, tags = 12, Directory()
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        if name == b"EXIF":
            tags = _exif(data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    return ImageHeader(ImageFormat.WEBP, width, height, tags)


def _check_decoded(width: int, height: int, depth: int) -> None:
    """Check the size of pixels of `depth` bytes; raises as `read_header`."""
    check_size(width, height)
    if width * height * depth > DECODED_MAX:
        raise UnusableImage(
            f"cannot use an image of {width}x{height} pixels with {depth} bytes each: at most "
            f"{DECODED_MAX // 1_000_000} MB are decoded. Convert it to 8 bits a channel"
        )


def _exif(block: memoryview) -> Directory:
    """Return the tags of an EXIF block; damaged ones count as none: the pixels are still good."""
    if bytes(block[: len(_EXIF)]) == _EXIF:
        block = block[len(_EXIF) :]
    try:
        return tiff_tags.directory(block)
    except ValueError:
        return Directory()


def _why_unknown(head: bytes) -> str:
    if not head:
        return "the file is empty"
    other = next((name for mark, name in _OTHERS.items() if mark == head[4 : 4 + len(mark)]), "")
    kind = f"{other} is not supported" if other else "it is not an image of a supported format"
    return f"{kind}. Convert it to JPEG or PNG"


_READERS: tuple[tuple[ImageFormat, bytes, Callable[[memoryview], ImageHeader]], ...] = (
    (ImageFormat.JPEG, b"\xff\xd8\xff", _jpeg),
    (ImageFormat.PNG, b"\x89PNG\r\n\x1a\n", _png),
    (ImageFormat.GIF, b"GIF87a", _gif),
    (ImageFormat.GIF, b"GIF89a", _gif),
    (ImageFormat.BMP, b"BM", _bmp),
    (ImageFormat.TIFF, b"II*\0", _tiff),
    (ImageFormat.TIFF, b"MM\0*", _tiff),
    (ImageFormat.TIFF, b"II+\0", _tiff),
    (ImageFormat.TIFF, b"MM\0+", _tiff),
    (ImageFormat.WEBP, b"RIFF", _webp),
)
