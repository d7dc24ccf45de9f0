"""The part that one process writes."""

from collections.abc import Sequence

from agent.pool.items import identity
from agent.pool.rows import PoolRow
from agent.pool.store import journal
from agent.pool.store.index import PartIndex, read_indexes
from agent.pool.store.place import Place, RowLog
from agent.pool.store.schema import batch_of, restored
from agent.pool.store.sealed import name_and_number, sealed_bytes, sealed_name
from agent.pool.store.spans import Spans

MOST_ROWS = 4096
"""Rows of a sealed part."""

MOST_BYTES = 64_000_000
"""Bytes of a part in progress: it is in memory once while it is sealed."""


class Part:
    """Writes rows one by one, and seals them as Parquet each few thousand.

    Once `add` returns, a kill of the process cannot take the row away (in a bucket: `RowLog`).
    """

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._name = name
        self._spans = Spans()
        self._number = 1 + self._read_sealed(sealed_parts(place, name))
        self._log: RowLog | None = None
        self._rows = 0
        self._bytes = 0
        former = place.read_log(name)
        kept = journal.read_journal(former)
        if kept.number is not None and kept.number < self._number:
            place.remove_log(name)  # the process was killed after it had sealed these rows
        elif kept.number is not None:
            self._open(former[: kept.size])
            self._rows, self._bytes = len(kept.rows), kept.size
            take_journal(kept, self._spans)

    def is_finished(self, item: str) -> bool:
        """Whether all rows of an item are kept in this part."""
        return self._spans.is_finished(item)

    def next_frame(self, item: str, *, first: int = 0) -> int:
        """Return the first frame of an item that this part does not have; 0 without any row.

        `first`: the first frame that all other parts lack.
        """
        if first > self._spans.next_frame(item):
            self._spans.add(item, 0, first - 1, is_last=False)
        return self._spans.next_frame(item)

    def add(self, row: PoolRow) -> None:
        """Keep a row. Those of a recording come in the order of its frames."""
        if self._rows >= MOST_ROWS or self._bytes >= MOST_BYTES:
            self._seal()
        since = self._spans.next_frame(row.identity)
        self._append(journal.row_frame(batch_of(row, since=since)))
        self._rows += 1
        self._spans.add(row.identity, since, row.frame, is_last=row.frame is None)

    def finish(self, item: str) -> None:
        """Note that all rows of an item are kept."""
        if self._spans.is_finished(item):
            return
        after = self._spans.next_frame(item)
        self._append(journal.finished_frame(item, after))
        self._spans.end(item, after)

    def close(self) -> None:
        """Seal the part: it is complete, and never written again."""
        self._seal()

    def _append(self, data: bytes) -> None:
        log = self._log or self._open()
        log.append(data)
        self._bytes += len(data)

    def _open(self, former: bytes = b"") -> RowLog:
        self._log = self._place.open_log(self._name, journal.head(self._number), former)
        return self._log

    def _seal(self) -> None:
        if self._log is None:
            return
        seal(self._place, self._name, self._log.content())
        self._log.discard()
        self._log = None
        self._number += 1
        self._rows = self._bytes = 0

    def _read_sealed(self, names: Sequence[str]) -> int:
        """Take the sealed parts of this name; return the highest number."""
        highest = 0
        for file_name in names:
            found = name_and_number(file_name)
            highest = max(highest, found[1] if found else 0)
        for index in read_indexes(self._place, names):
            if isinstance(index, PartIndex):  # of a damaged one the store has told
                take_index(index, self._spans)
        return highest


def sealed_parts(place: Place, name: str | None = None) -> list[str]:
    """Return the file names of the sealed parts, of all or of one name, in order."""
    found = ((name_and_number(each), each) for each in place.names())
    return sorted(
        each for part, each in found if part is not None and (name is None or part[0] == name)
    )


def seal(place: Place, name: str, content: bytes) -> None:
    """Write a part in progress as Parquet; afterwards its rows in progress are not needed.

    A kill at any point loses and doubles nothing.
    """
    kept = journal.read_journal(content)
    if kept.number is None or not (kept.rows or kept.finished) or is_sealed(place, name, kept):
        return
    data = sealed_bytes(kept)
    place.write(sealed_name(name, kept.number, data), data)


def is_sealed(place: Place, name: str, kept: journal.Journal) -> bool:
    """Whether a part in progress was sealed before its process was killed."""
    return any(found == (name, kept.number) for found in map(name_and_number, place.names()))


def take_journal(kept: journal.Journal, spans: Spans) -> None:
    """Add what a journal holds to `spans`."""
    for batch in kept.rows:
        values = journal.as_values(batch)
        item = identity(restored(values["item"]), values["version"])
        if not spans.add_problem(item, values["problem"]):
            spans.add(item, values["since"], values["frame"], is_last=values["is_last"])
    for item, after in kept.finished.items():
        spans.end(item, after)


def take_index(index: PartIndex, spans: Spans) -> None:
    """Add what a sealed part holds to `spans`."""
    columns = [index.table[name].to_pylist() for name in journal.ITEM_COLUMNS]
    for key, version, since, frame, is_last, problem in zip(*columns, strict=True):
        item = identity(restored(key), version)
        if not spans.add_problem(item, problem):
            spans.add(item, since, frame, is_last=is_last)
    for item, after in index.finished_elsewhere.items():
        spans.end(item, after)
