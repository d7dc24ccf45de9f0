"""The form of the part in progress: rows one after the other, each with its checksum.

    20 bytes    magic bytes, the number of the part, and the CRC-32 of both
    frames      length and CRC-32 of the content (4 bytes each, big endian), then the content

A frame is a row as an Arrow batch, or the note that an item is finished. What a kill or a power cut
left of the last frame is ignored.
"""

import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from agent.pool.store.schema import ROW_SCHEMA, SCHEMA, restored, storable

_MAGIC = b"caprows" + bytes([ROW_SCHEMA])
_HEAD = struct.Struct(">8sQI")
_FRAME = struct.Struct(">II")
_SINCE = struct.Struct(">q")
_ROW, _FINISHED = b"R", b"F"
_LONGEST = 1_000_000_000  # bytes of a frame; more is no length

ITEM_COLUMNS = ("item", "version", "since", "frame", "is_last", "problem")
"""What of a row tells whether its item is finished."""

HEAD_BYTES = _HEAD.size


@dataclass(slots=True)
class Journal:
    """What a journal holds."""

    number: int | None = None  # of its part; None without a head
    rows: list[pa.RecordBatch] = field(default_factory=list)
    finished: dict[str, int] = field(default_factory=dict)  # item, and the frame that follows
    size: int = 0  # bytes up to the end of the last whole frame
    damaged: int = 0  # frames that cannot be read


def head(number: int) -> bytes:
    """Begin the journal of a part."""
    return _HEAD.pack(_MAGIC, number, _head_checksum(number))


def row_frame(batch: pa.RecordBatch) -> bytes:
    """Return a row as a frame."""
    return _frame(_ROW + batch.serialize().to_pybytes())


def finished_frame(item: str, since: int) -> bytes:
    """Return the note that an item is finished, with its last frame before `since`."""
    return _frame(_FINISHED + _SINCE.pack(since) + storable(item).encode())


def read_journal(data: bytes) -> Journal:
    """Read a journal as far as it is whole. A frame whose checksum is wrong is left out."""
    found = Journal()
    if len(data) < HEAD_BYTES:
        return found
    magic, number, checksum = _HEAD.unpack_from(data)
    if magic != _MAGIC or checksum != _head_checksum(number):
        found.damaged = 1
        return found
    found.number, found.size = number, HEAD_BYTES
    while found.size + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, found.size)
        begin = found.size + _FRAME.size
        if not 0 < length <= _LONGEST or begin + length > len(data):
            break
        content = data[begin : begin + length]
        is_torn = begin + length == len(data)
        if zlib.crc32(content) == checksum and _take(content, found):
            found.size = begin + length
        elif is_torn:
            break
        else:
            found.damaged += 1
            found.size = begin + length
    return found


def _head_checksum(number: int) -> int:
    return zlib.crc32(_MAGIC + number.to_bytes(8, "big"))


def _take(content: bytes, found: Journal) -> bool:
    kind, rest = content[:1], content[1:]
    try:
        if kind == _ROW:
            found.rows.append(pa.ipc.read_record_batch(pa.py_buffer(rest), SCHEMA))
        elif kind == _FINISHED:
            item = restored(rest[_SINCE.size :].decode())
            found.finished[item] = _SINCE.unpack_from(rest)[0]
        else:
            return False
    except (pa.ArrowException, OSError, ValueError, struct.error):
        return False
    return True


def _frame(content: bytes) -> bytes:
    return _FRAME.pack(len(content), zlib.crc32(content)) + content


def as_values(batch: pa.RecordBatch) -> dict[str, Any]:
    """Return what a row says of its item."""
    return {name: batch[name][0].as_py() for name in ITEM_COLUMNS}
