"""Reads the header of a JPEG: whether it is complete, and whether it is shown as it is stored."""

import re
from collections.abc import Iterator

_START, _END = b"\xff\xd8", b"\xff\xd9"
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended and progressive: what all readers know
_TABLES, _SCAN, _EXIF, _QUANTIZATION = 0xC4, 0xDA, 0xE1, 0xDB
_OTHER_FRAMES = frozenset(range(0xC3, 0xD0)) - {_TABLES, 0xC8, 0xCC}  # lossless, arithmetic
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_TURNED = re.compile(  # an orientation in EXIF other than 1, in both byte orders
    rb"\x12\x01\x03\x00\x01\x00\x00\x00(?!\x01\x00)|\x01\x12\x00\x03\x00\x00\x00\x01(?!\x00\x01)"
)
_COMPONENTS = (1, 3)  # grey, and colours
_MOST_SEGMENTS = 200

_LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
"""Table K.1 of ITU-T T.81, which libjpeg scales by its quality."""

_STEPS = 64  # of a table


def is_complete_jpeg(data: bytes, width: int, height: int) -> bool:
    """Whether `data` is one JPEG of this size that every reader shows as its pixels are stored.

    Not complete is one without Huffman tables, which some cameras leave out of each frame, or
    without its end. An orientation in EXIF turns the image in some readers and not in others.
    """
    if not (data.startswith(_START) and data.endswith(_END)):
        return False
    has_tables = has_size = False
    for marker, segment in _segments(data):
        if marker == _SCAN:
            return has_tables and has_size
        if marker in _FRAMES:
            has_size = _size_of(segment) == (width, height)
        elif marker in _OTHER_FRAMES:
            return False
        has_tables |= marker == _TABLES
        if marker == _EXIF and segment.startswith(b"Exif\0") and _TURNED.search(segment):
            return False
    return False


def quality_of(data: bytes) -> int | None:
    """Return the quality, 1 to 100 as libjpeg counts it, with which a JPEG was encoded.

    It is the one whose luminance table has the nearest sum of steps; exact for encoders that scale
    the standard's table, as libjpeg and OpenCV do. None for data without such a table.
    """
    for marker, segment in _segments(data):
        if marker == _SCAN:
            return None
        if marker == _QUANTIZATION and (steps := _luminance_steps(segment)):
            found = sum(steps)
            return min(range(1, 101), key=lambda quality: abs(_sum_of_steps(quality) - found))
    return None


def _sum_of_steps(quality: int) -> int:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality  # noqa: PLR2004 (as libjpeg)
    return sum(min(max((scale * step + 50) // 100, 1), 255) for step in _LUMINANCE)


def _luminance_steps(segment: bytes) -> list[int]:
    """Return the 64 steps of table 0 in a segment of tables; none if it is not there."""
    position = 0
    while position < len(segment):
        precision, number = divmod(segment[position], 16)
        width = 2 if precision else 1
        table = segment[position + 1 : position + 1 + width * _STEPS]
        if len(table) < width * _STEPS:
            return []
        if number == 0:
            steps = range(0, len(table), width)
            return [int.from_bytes(table[begin : begin + width]) for begin in steps]
        position += 1 + width * _STEPS
    return []


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of each segment up to the first scan; stop where it is damaged."""
    position = 2
    for _ in range(_MOST_SEGMENTS):
        if data[position : position + 1] != b"\xff":
            return
        marker = data[position + 1] if position + 1 < len(data) else 0
        position += 2
        if marker == 0xFF:  # filling before a marker  # noqa: PLR2004
            position -= 1
            continue
        if marker in _STANDALONE:
            continue
        length = int.from_bytes(data[position : position + 2])
        if length < 2 or position + length > len(data):  # noqa: PLR2004 (the length counts itself)
            return
        yield marker, data[position + 2 : position + length]
        position += length


def _size_of(segment: bytes) -> tuple[int, int] | None:
    """Return width and height of a frame header; None for one of other colours or depth."""
    if len(segment) < 6 or segment[0] != 8 or segment[5] not in _COMPONENTS:  # noqa: PLR2004
        return None
    return int.from_bytes(segment[3:5]), int.from_bytes(segment[1:3])
