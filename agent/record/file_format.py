"""The record file: one self-contained capture.

    offset  bytes  content
    0       8      magic "ECAPREC1"
    8       4      length of the record, big endian
    12      8      length of the image, big endian
    20      32     SHA-256 of all the other bytes
    52             the record: one JSON object, UTF-8
                   the image: JPEG

A capture with a clip has another header, so that earlier versions still read those without:

    offset  bytes  content
    0       8      magic "ECAPREC2"
    8       4      length of the record, big endian
    12      8      length of the image, big endian
    20      8      length of the clip, big endian
    28      32     SHA-256 of all the other bytes
    60             the record, the image
                   the clip: JPEGs, one after the other; the record has the length of each

The file name repeats what the index needs, so that a directory listing can rebuild the index:
`<lane letter><value in thousandths>-<sequence>-<id>.capture`.
"""

import hashlib
import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from agent.domain import LANES, SpoolEntry, StoredCapture
from agent.errors import DamagedRecord
from agent.record.validation import parse_record
from agent.record.verdicts import verdicts_of

SUFFIX = ".capture"
HEADER_BYTES = 60
"""The longest header."""
LARGEST_BYTES = 100_000_000
"""A longer file is not a record file: an image of 8K, hardly compressed, has a third of it."""

TIME_IN_NAME = slice(19, 32)
"""The characters of a file name that hold the time of the capture."""

_MAGIC = b"ECAPREC1"
_CLIP_MAGIC = b"ECAPREC2"
_LENGTHS = struct.Struct(">8sIQ")
_CLIP_LENGTHS = struct.Struct(">8sIQQ")
_DIGEST_BYTES = 32
_BY_LETTER = {traits.letter: lane for lane, traits in LANES.items()}
_NAME = re.compile(
    rf"([{''.join(_BY_LETTER)}])(0[0-9]{{3}}|[1-9][0-9]{{3,5}})-([0-9]{{12}})-"
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})" + re.escape(SUFFIX)
)
_HIGHEST = 999_999  # thousandths: values from 1000 on are written as 999.999
BLOCK_BYTES = 4096
"""A file occupies a multiple of this on the file systems of small devices."""


def file_name(entry: SpoolEntry) -> str:
    """Return the name of the record file of this capture."""
    thousandths = min(round(entry.value * 1000), _HIGHEST)
    letter = LANES[entry.lane].letter
    return f"{letter}{thousandths:04d}-{entry.sequence:012d}-{entry.id}{SUFFIX}"


def occupied_bytes(entry: SpoolEntry) -> int:
    """Return the bytes that the record file occupies on disk."""
    return -(-entry.size // BLOCK_BYTES) * BLOCK_BYTES


def parse_name(name: str, size: int) -> SpoolEntry | None:
    """Return the entry that the name of a record file describes; None for a foreign name."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    letter, thousandths, sequence, identity = match.groups()
    return SpoolEntry(identity, _BY_LETTER[letter], int(thousandths) / 1000, int(sequence), size)


def time_in_name(wall: float) -> str:
    """Return the beginning of ids that were made at `wall`, seconds since 1970 UTC.

    Ids are UUIDs of version 7, so these texts sort by time.
    """
    text = f"{max(0, round(wall * 1000)):012x}"
    return f"{text[:8]}-{text[8:]}"


def time_from_name(text: str) -> float:
    """Return the time that `time_in_name` encoded, seconds since 1970 UTC."""
    return int(text.replace("-", ""), 16) / 1000


class _Header(NamedTuple):
    """Lengths of the parts of a record file, in bytes."""

    lengths: int  # of the header without its digest
    record: int
    image: int
    clip: int = 0

    @property
    def size(self) -> int:
        """Bytes of the header."""
        return self.lengths + _DIGEST_BYTES

    @property
    def total(self) -> int:
        """Bytes of the whole file."""
        return self.size + self.record + self.image + self.clip


def _header(data: bytes) -> _Header | None:
    """Return the header at the beginning of a file; None if there is no whole one."""
    found = None
    if data.startswith(_MAGIC) and len(data) >= _LENGTHS.size:
        found = _Header(_LENGTHS.size, *_LENGTHS.unpack_from(data)[1:])
    elif data.startswith(_CLIP_MAGIC) and len(data) >= _CLIP_LENGTHS.size:
        found = _Header(_CLIP_LENGTHS.size, *_CLIP_LENGTHS.unpack_from(data)[1:])
    return found if found is not None and len(data) >= found.size else None


def encode(record: Mapping[str, Any], image: bytes, clip: bytes = b"") -> bytes:
    """Return the bytes of a record file. Raises `ValueError` if `decode` could not read them."""
    text = _to_json(record)
    parse_record(text, image, clip)
    lengths = _LENGTHS.pack(_MAGIC, len(text), len(image))
    if clip:
        lengths = _CLIP_LENGTHS.pack(_CLIP_MAGIC, len(text), len(image), len(clip))
    return b"".join((lengths, _digest(lengths, text, image, clip), text, image, clip))


def decode(data: bytes) -> StoredCapture:
    """Parse a record file.

    Raises `DamagedRecord` if any byte differs from what was written, and for a file that this
    program did not write.
    """
    header = _header(data)
    if header is None:
        if len(data) < _LENGTHS.size + _DIGEST_BYTES or data.startswith(_CLIP_MAGIC):
            raise DamagedRecord(
                f"cannot read the record file: {len(data)} bytes are less than a header"
            )
        raise DamagedRecord(
            f"cannot read the record file: it does not begin with {_MAGIC.decode()} or "
            f"{_CLIP_MAGIC.decode()}"
        )
    if len(data) != header.total:
        raise DamagedRecord(
            f"cannot read the record file: {len(data)} bytes, but its header says {header.total}"
        )
    end = header.size + header.record
    text = data[header.size : end]
    image = data[end : end + header.image]
    clip = data[end + header.image :]
    digest = data[header.lengths : header.size]
    if _digest(data[: header.lengths], text, image, clip) != digest:
        raise DamagedRecord("cannot read the record file: its checksum does not match")
    try:
        record = parse_record(text, image, clip)
    except ValueError as error:
        raise DamagedRecord(f"cannot read the record file: {error}") from error
    return StoredCapture(record["id"], text, record, image, clip)


def decode_as(entry: SpoolEntry, data: bytes) -> StoredCapture:
    """Parse the record file of `entry`.

    Raises `DamagedRecord` as `decode` does, and if the file holds another capture: a damaged file
    system can exchange the blocks of two files, and people restore files under wrong names.
    """
    capture = decode(data)
    if (capture.id, capture.record.get("sequence")) != (entry.id, entry.sequence):
        raise DamagedRecord(
            f"cannot read the record file: it holds the capture {capture.id!r} with the sequence "
            f"{capture.record.get('sequence')!r}, not {entry.id} with {entry.sequence}"
        )
    return capture


def reweighted(capture: StoredCapture, inclusion_probability: float) -> StoredCapture:
    """Return a random capture with its weight divided by its inclusion probability.

    Captures of other lanes, and those with the probability 1, are returned unchanged.
    """
    sampling = capture.record.get("sampling")
    if sampling is None or inclusion_probability >= 1:
        return capture
    weight = sampling["weight"] / inclusion_probability
    record = {**capture.record, "sampling": {**sampling, "weight": weight}}
    return replace(capture, record_json=_to_json(record), record=record)


def with_verdicts(capture: StoredCapture, lines: Sequence[Mapping[str, Any]]) -> StoredCapture:
    """Return a capture whose record has these verdicts after its own; unchanged if there is none.

    `lines` are checked, and few enough for `MOST_VERDICTS`.
    """
    if not lines:
        return capture
    record = {**capture.record, "verdicts": [*verdicts_of(capture.record), *lines]}
    return replace(capture, record_json=_to_json(record), record=record)


def has_whole_length(header: bytes, size: int) -> bool:
    """Return whether a file of `size` bytes that begins with `header` is complete."""
    found = _header(header)
    return found is not None and size == found.total


def _digest(*parts: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def _to_json(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode(errors="replace")  # a lone surrogate becomes a question mark
