"""The record file: one capture, self-describing, readable with nothing but itself.

    offset  bytes  content
    0       8      magic "ECAPREC1"
    8       4      length of the record, big endian
    12      8      length of the image, big endian
    20      32     SHA-256 of all the other bytes
    52             the record: one JSON object, UTF-8
                   the image: JPEG

The name repeats what the index needs, so that a lost index is rebuilt from a directory listing:
`<lane letter><value in thousandths>-<sequence>-<id>.capture`.
"""

import hashlib
import json
import re
import struct
from collections.abc import Mapping
from typing import Any

from agent.domain import LANES, SpoolEntry, StoredCapture
from agent.errors import DamagedRecord

SUFFIX = ".capture"
HEADER_BYTES = 52
TIME_IN_NAME = slice(19, 32)
"""Where a name has the time of the capture."""


_MAGIC = b"ECAPREC1"
_LENGTHS = struct.Struct(">8sIQ")
_HEADER = struct.Struct(">8sIQ32s")
_BY_LETTER = {traits.letter: lane for lane, traits in LANES.items()}
_NAME = re.compile(
    rf"([{''.join(_BY_LETTER)}])(0[0-9]{{3}}|1000)-([0-9]{{12}})-"
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})" + re.escape(SUFFIX)
)
BLOCK_BYTES = 4096
"""What a file occupies is a multiple of this on the file systems of small devices."""


def file_name(entry: SpoolEntry) -> str:
    """The name of the record file of this capture."""
    thousandths = round(entry.value * 1000)
    letter = LANES[entry.lane].letter
    return f"{letter}{thousandths:04d}-{entry.sequence:012d}-{entry.id}{SUFFIX}"


def occupied_bytes(entry: SpoolEntry) -> int:
    """Bytes that the record file takes on disk."""
    return -(-entry.size // BLOCK_BYTES) * BLOCK_BYTES


def parse_name(name: str, size: int) -> SpoolEntry | None:
    """The entry that a file name of the record folder stands for; None for a foreign file."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    letter, thousandths, sequence, identity = match.groups()
    return SpoolEntry(identity, _BY_LETTER[letter], int(thousandths) / 1000, int(sequence), size)


def time_in_name(wall: float) -> str:
    """How the names of captures begin their ids that were made at `wall`, seconds since 1970 UTC.

    Ids are UUIDs of version 7. As texts these sort as the times do.
    """
    text = f"{max(0, round(wall * 1000)):012x}"
    return f"{text[:8]}-{text[8:]}"


def time_from_name(text: str) -> float:
    """The time that `time_in_name` wrote."""
    return int(text.replace("-", ""), 16) / 1000


def encode(record: Mapping[str, Any], image: bytes) -> bytes:
    """The bytes of a record file."""
    text = _to_json(record)
    lengths = _LENGTHS.pack(_MAGIC, len(text), len(image))
    return b"".join((lengths, _digest(lengths, text, image), text, image))


def decode(data: bytes) -> StoredCapture:
    """Read a record file back.

    Raises `DamagedRecord` unless every byte is as it was written.
    """
    if len(data) < HEADER_BYTES:
        raise DamagedRecord(f"cannot read the record file: {len(data)} bytes are no whole header")
    magic, record_length, image_length, digest = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise DamagedRecord("cannot read the record file: it does not begin with its magic")
    if len(data) != HEADER_BYTES + record_length + image_length:
        raise DamagedRecord(
            f"cannot read the record file: {len(data)} bytes where its header says "
            f"{HEADER_BYTES + record_length + image_length}"
        )
    text = data[HEADER_BYTES : HEADER_BYTES + record_length]
    image = data[HEADER_BYTES + record_length :]
    if _digest(data[: _LENGTHS.size], text, image) != digest:
        raise DamagedRecord("cannot read the record file: its checksum is wrong")
    record = json.loads(text)
    return StoredCapture(record["id"], text, record, image)


def reweighted(capture: StoredCapture, kept_with: float) -> StoredCapture:
    """The capture as it counts after others of its lane were evicted.

    A random capture that was kept with probability `kept_with` stands for as many times more
    seconds. Others, and those that nothing was evicted beside, are returned as they are.
    """
    sampling = capture.record.get("sampling")
    if sampling is None or kept_with >= 1:
        return capture
    weight = sampling["weight"] / kept_with
    record = {**capture.record, "sampling": {**sampling, "weight": weight}}
    return StoredCapture(capture.id, _to_json(record), record, capture.image)


def has_whole_length(header: bytes, size: int) -> bool:
    """Whether a file of `size` bytes that begins with `header` was written to its end."""
    if len(header) < HEADER_BYTES:
        return False
    magic, record_length, image_length, _ = _HEADER.unpack_from(header)
    return bool(magic == _MAGIC and size == HEADER_BYTES + record_length + image_length)


def _digest(*parts: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def _to_json(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
