"""Sealed parts: Parquet with checksums, so that damage is found and not read."""

import base64
import io
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from agent.errors import TemporaryError
from agent.pool.items import identity
from agent.pool.store.journal import Journal
from agent.pool.store.schema import ROW_SCHEMA, SCHEMA, restored, storable

SEALED_SUFFIX = ".parquet"
DAMAGED_SUFFIX = ".damaged"

GROUP_ROWS = 256
"""Rows that are read at once: some megabytes."""

INDEX_COLUMNS = (
    "key",
    "item",
    "version",
    "since",
    "frame",
    "is_last",
    "is_unusable",
    "problem",
)
"""What tells of each row whose it is, and whether it may be chosen."""

_VERSION = b"capture-agent.rows"
_FINISHED = b"capture-agent.finished"
_INDEX = b"capture-agent.index"
_END = struct.Struct("<I4s")  # length of the footer, and Parquet's magic
_FOOTER_MAX = 50_000_000  # bytes
_TAIL = 262_144  # bytes that are read at first: mostly, the whole footer


class DamagedPart(TemporaryError):
    """A part cannot be read; its images must be analysed again."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(f"cannot read the kept rows in {part}: {why}")
        self.part = part


def sealed_name(name: str, number: int, data: bytes) -> str:
    """Return the file name of a part; it holds the checksum of Parquet's footer."""
    return f"{name}-{number:06d}.{_footer_checksum_of(data):08x}{SEALED_SUFFIX}"


def name_and_number(file_name: str) -> tuple[str, int] | None:
    """Return name and number of a sealed part; None if it is none."""
    stem, _, suffix = file_name.partition(".")
    name, _, number = stem.rpartition("-")
    if not file_name.endswith(SEALED_SUFFIX) or suffix.count(".") != 1 or not number.isdigit():
        return None
    return name, int(number)


def sealed_bytes(journal: Journal) -> bytes:
    """Return the rows of a journal as Parquet; the last row of a finished item is marked."""
    # In one piece: Parquet takes three times as long to write rows one by one.
    table = pa.Table.from_batches(journal.rows, schema=SCHEMA).combine_chunks()
    items = zip(table["item"].to_pylist(), table["version"].to_pylist(), strict=True)
    is_last = table["is_last"].to_pylist()
    places = {identity(item, version): n for n, (item, version) in enumerate(items)}
    elsewhere: dict[str, int] = {}
    for item, since in journal.finished.items():
        place = places.get(storable(item))
        if place is None:
            elsewhere[storable(item)] = since
        else:
            is_last[place] = True
    number = SCHEMA.get_field_index("is_last")
    table = table.set_column(number, SCHEMA.field(number), pa.array(is_last, pa.bool_()))
    metadata = {
        _VERSION: str(ROW_SCHEMA).encode(),
        _FINISHED: json.dumps(elsewhere).encode(),
        _INDEX: base64.b64encode(_index_bytes(table)),
    }
    buffer = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata(metadata),
        buffer,
        row_group_size=GROUP_ROWS,
        compression="zstd",
        write_page_checksum=True,
        write_statistics=["key"],
    )
    return bytes(buffer.getvalue())


class SealedPart:
    """A part that is open for reading. Every method raises `DamagedPart`."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.name = name
        with self._checked():
            footer = _footer(file, name)
            self._file = pq.ParquetFile(
                file,
                metadata=pq.read_metadata(io.BytesIO(footer)),
                page_checksum_verification=True,
                pre_buffer=True,
            )
            self._metadata: Mapping[bytes, bytes] = self._file.metadata.metadata or {}
            if not self._file.schema_arrow.equals(SCHEMA):
                raise ValueError("it has other columns")
            self.rows: int = self._file.metadata.num_rows

    def index(self) -> pa.Table:
        """Return `INDEX_COLUMNS` of all rows, which are in the footer."""
        with self._checked():
            table = pa.ipc.open_stream(base64.b64decode(self._metadata[_INDEX])).read_all()
            if table.num_rows != self.rows:
                raise ValueError("its index has other rows")
            return table

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Return some columns of all rows."""
        with self._checked():
            return self._file.read(columns=list(columns), use_threads=False)

    def read_groups(self, groups: Sequence[int], columns: Sequence[str]) -> pa.Table:
        """Return some columns of some groups of `GROUP_ROWS` rows, ascending."""
        with self._checked():
            return self._file.read_row_groups(groups, columns=list(columns), use_threads=False)

    def finished_elsewhere(self) -> Mapping[str, int]:
        """Return items that ended here and whose rows are in other parts, with the next frame."""
        with self._checked():
            found = json.loads(self._metadata[_FINISHED])
            return {restored(item): int(since) for item, since in found.items()}

    def close(self) -> None:
        """Close the file."""
        self._file.close(force=True)

    @contextmanager
    def _checked(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, ValueError, KeyError, struct.error) as error:
            raise DamagedPart(self.name, "it is damaged") from error


@contextmanager
def opened(open_file: Callable[[], IO[bytes]], name: str) -> Iterator[SealedPart]:
    """Open a part within the block."""
    try:
        file = open_file()
    except (OSError, ValueError) as error:
        raise DamagedPart(name, "it cannot be opened") from error
    with file:
        part = SealedPart(file, name)
        try:
            yield part
        finally:
            part.close()


def _footer_checksum_of(data: bytes) -> int:
    length, _ = _END.unpack_from(data, len(data) - _END.size)
    return zlib.crc32(data[len(data) - _END.size - length :])


def _index_bytes(table: pa.Table) -> bytes:
    """Return the small columns as Arrow: who looks for keys reads nothing but the footer."""
    sink = pa.BufferOutputStream()
    index = table.select(INDEX_COLUMNS)
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, index.schema, options=options) as writer:
        writer.write_table(index.combine_chunks())
    return bytes(sink.getvalue())


def _footer(file: IO[bytes], name: str) -> bytes:
    """Return the footer; raises `ValueError` if it is not what its checksum in the name says."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - _TAIL, 0))
    tail = file.read(_TAIL)
    length, magic = _END.unpack_from(tail, len(tail) - _END.size)
    length += _END.size
    if magic != b"PAR1" or length > min(size, _FOOTER_MAX):
        raise ValueError("no Parquet")
    if length > len(tail):
        file.seek(size - length)
        tail = file.read(length)
    footer = tail[len(tail) - length :]
    if f"{zlib.crc32(footer):08x}" != name.split(".")[-2]:
        raise ValueError("the footer is damaged")
    return footer
