"""Reads the tags of a TIFF directory, the structure that TIFF files and EXIF blocks share. Pure."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

WIDTH, HEIGHT, ORIENTATION, DATE_TIME = 256, 257, 274, 306
TILE_WIDTH, TILE_HEIGHT = 322, 323
BITS, CHANNELS = 258, 277
_EXIF_DIRECTORY = 0x8769
_DATE_TIME_ORIGINAL, _SUBSECONDS_ORIGINAL = 0x9003, 0x9291

_TEXT = 2
_FORMATS = {1: "B", _TEXT: "s", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q"}
_LONGEST = 64  # values; a date has 20 letters
_MOST_TAGS = 4096  # of a directory
_LAST_ORIENTATION = 8


@dataclass(frozen=True, slots=True)
class Directory:
    """The short lists of integers and the short texts of one directory, by tag."""

    integers: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    texts: Mapping[int, str] = field(default_factory=dict)

    def number(self, tag: int, default: int) -> int:
        """Return the one integer of `tag`; `default` if there is none, or several."""
        values = self.integers.get(tag, ())
        return values[0] if len(values) == 1 else default

    @property
    def orientation(self) -> int:
        """The EXIF orientation, 1 to 8; 1 (upright) where none or a wrong one is stated."""
        value = self.number(ORIENTATION, 1)
        return value if 1 <= value <= _LAST_ORIENTATION else 1


def directory(data: bytes | memoryview) -> Directory:
    """Read the first directory of a TIFF structure and its EXIF directory.

    Raises:
        ValueError: It is not a TIFF structure, or is damaged, or states a tag twice.
    """
    try:
        order, wide, start = _header(bytes(data[:16]))
        found = _read(data, start, order, wide=wide)
        if exif := found.number(_EXIF_DIRECTORY, 0):
            more = _read(data, exif, order, wide=wide)
            found = Directory({**more.integers, **found.integers}, {**more.texts, **found.texts})
    except struct.error as exc:
        raise ValueError("the directory is cut off") from exc
    return found


def taken_at(tags: Directory) -> float | None:
    """Return when the image was taken, in seconds since 1970 as if in UTC; None if not stated.

    EXIF times carry no time zone: only differences between images of one camera have a meaning.
    """
    text = tags.texts.get(_DATE_TIME_ORIGINAL) or tags.texts.get(DATE_TIME)
    if text is None:
        return None
    try:
        at = datetime.strptime(text.strip(), "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    fraction = tags.texts.get(_SUBSECONDS_ORIGINAL, "").strip()
    return at + (float(f"0.{fraction}") if fraction.isdecimal() and fraction.isascii() else 0.0)


def _header(head: bytes) -> tuple[str, bool, int]:
    """Return the byte order, whether offsets have 64 bits, and the first directory's offset."""
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        raise ValueError("it has no TIFF header")
    [version] = struct.unpack_from(order + "H", head, 2)
    if version == 42:  # noqa: PLR2004 (TIFF's number)
        return order, False, struct.unpack_from(order + "I", head, 4)[0]
    if version == 43:  # noqa: PLR2004 (BigTIFF's number)
        return order, True, struct.unpack_from(order + "Q", head, 8)[0]
    raise ValueError("it has no TIFF header")


def _read(data: bytes | memoryview, start: int, order: str, *, wide: bool) -> Directory:
    counter, entry = (order + "Q", order + "HHQ8s") if wide else (order + "H", order + "HHI4s")
    [count] = struct.unpack(counter, _slice(data, start, struct.calcsize(counter)))
    if count > _MOST_TAGS:
        raise ValueError(f"the directory has {count} tags")
    start += struct.calcsize(counter)
    integers: dict[int, tuple[int, ...]] = {}
    texts: dict[int, str] = {}
    for piece in struct.iter_unpack(entry, _slice(data, start, count * struct.calcsize(entry))):
        tag, kind, length, inside = piece
        if tag in integers or tag in texts:
            raise ValueError(f"tag {tag} is stated twice")
        if kind not in _FORMATS or length > _LONGEST:
            continue
        form = f"{order}{length}{_FORMATS[kind]}"
        size = struct.calcsize(form)
        if size > len(inside):
            [offset] = struct.unpack(order + ("Q" if wide else "I"), inside)
            inside = _slice(data, offset, size)
        if kind == _TEXT:
            texts[tag] = inside[:size].split(b"\0")[0].decode("ascii", "replace")
        else:
            integers[tag] = struct.unpack(form, inside[:size])
    return Directory(integers, texts)


def _slice(data: bytes | memoryview, start: int, length: int) -> bytes:
    if start + length > len(data):
        raise ValueError("a part of the directory is outside of the file")
    return bytes(data[start : start + length])
