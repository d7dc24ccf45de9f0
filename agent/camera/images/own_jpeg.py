"""The JPEG files that cameras send: complete or not, and as they may be kept. Pure."""

import re
import struct
from dataclasses import dataclass

from agent.errors import UnusableImage

BEGIN = b"\xff\xd8"
END = b"\xff\xd9"

MOST_BYTES = 32_000_000
"""Bytes of the largest image that is accepted from a camera."""

_TRAILER = 4096  # bytes in which the end of a JPEG is expected: some cameras append data
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # ends a scan: no stuffed byte, no restart
_SCAN, _END, _COMMENT = 0xDA, 0xD9, 0xFE
_HUFFMAN, _QUANTIZATION, _RESTART = 0xC4, 0xDB, 0xDD
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive: all with Huffman codes
_APP0, _APP14, _APP_LAST = 0xE0, 0xEE, 0xEF
_JFIF, _ADOBE = b"JFIF\0", b"Adobe"
_JFIF_LENGTH = 14  # bytes of the segment without a thumbnail, without its length
_COLOUR = (8, 3)  # bits of a component, components


@dataclass(frozen=True, slots=True)
class _Segment:
    marker: int
    data: bytes  # without the marker and the length
    end: int  # where the next one begins


def check_complete(data: bytes) -> None:
    """Raise `UnusableImage` for a JPEG without its end, of which a decoder would return a part."""
    if data.startswith(BEGIN) and END not in data[-_TRAILER:]:
        raise UnusableImage("cannot use an image: it arrived incomplete")


def keepable(data: bytes, *, width: int, height: int) -> bytes | None:
    """Return a camera's JPEG as it may be stored in place of its decoded pixels, or None.

    The returned file decodes to the same pixels in every bit. What is not needed for that is taken
    out: EXIF, positions, comments, thumbnails, and what stands after the end. Without any of these
    it is `data` itself.

    None if the file is not a colour JPEG of 8 bits and of this size, if it is incomplete, or if it
    lacks what other programs need: some devices leave out the Huffman tables. An orientation in
    its EXIF is lost: the caller checks that there is none.
    """
    try:
        return _stripped(data, width, height)
    except (IndexError, ValueError, struct.error):
        return None


def _stripped(data: bytes, width: int, height: int) -> bytes | None:
    if not data.startswith(BEGIN):
        return None
    kept, at, seen = [BEGIN], len(BEGIN), set[int]()
    while True:
        segment = _segment(data, at)
        at = segment.end
        if segment.marker == _END:
            break
        if segment.marker in _FRAMES and not _fits(segment, width, height):
            return None
        seen.add(segment.marker)
        needed = _needed(segment)
        if needed is not None:
            kept.append(struct.pack(">BBH", 0xFF, segment.marker, len(needed) + 2) + needed)
        if segment.marker == _SCAN:
            end = _MARKER.search(data, at)
            if end is None:
                return None
            kept.append(data[at : end.start()])
            at = end.start()
    if not ({_SCAN, _HUFFMAN, _QUANTIZATION} <= seen and seen & _FRAMES):
        return None
    found = b"".join([*kept, END])
    return data if found == data else found


def _segment(data: bytes, at: int) -> _Segment:
    """Return the segment that begins at `at`; raises if there is none."""
    if data[at] != 0xFF:  # noqa: PLR2004 (a marker's first byte)
        raise ValueError("no marker")
    while data[at] == 0xFF:  # noqa: PLR2004 (fill bytes)
        at += 1
    marker = data[at]
    at += 1
    if marker == _END:
        return _Segment(marker, b"", at)
    [length] = struct.unpack_from(">H", data, at)
    end = at + length
    if length < 2 or end > len(data):  # noqa: PLR2004 (the length includes itself)
        raise ValueError("a segment without its end")
    return _Segment(marker, data[at + 2 : end], end)


def _fits(segment: _Segment, width: int, height: int) -> bool:
    bits, rows, columns, components = struct.unpack_from(">BHHB", segment.data)
    return (bits, components) == _COLOUR and (columns, rows) == (width, height)


def _needed(segment: _Segment) -> bytes | None:
    """Return what a decoder needs of a segment, or None.

    JFIF and Adobe segments say which colours the components are.
    """
    marker, data = segment.marker, segment.data
    if marker == _APP0 and data.startswith(_JFIF) and len(data) >= _JFIF_LENGTH:
        return data[: _JFIF_LENGTH - 2] + b"\0\0"  # without the thumbnail
    if marker == _APP14 and data.startswith(_ADOBE):
        return data[:12]
    if marker in (_SCAN, _HUFFMAN, _QUANTIZATION, _RESTART) or marker in _FRAMES:
        return data
    if marker == _COMMENT or _APP0 <= marker <= _APP_LAST:
        return None
    raise ValueError("a segment that is not known")
