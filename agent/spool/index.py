"""The index: which record files count, which deletions are unfinished, and the counters.

Stored in diskcache 5.6.3, whose conveniences are the danger here, so each is shut off:

- it evicts silently by default and expires by the wall clock: all of that is off, and every
  setting is given, because settings live in the database and any opener could have changed them;
- it unlinks a value file before the transaction that deletes its row is durable: `RecordOnlyDisk`
  never unlinks, the spool does so after the commit;
- it pickles whatever is neither text nor bytes, and a planted row would run code when it is read
  (CVE-2025-69872): `RecordOnlyDisk` writes no such row and refuses to read one;
- it leaves a transaction open whose COMMIT was refused: `commit` rolls it back;
- two connections that write at once may corrupt a SQLite before 3.51.3: the spool's lock lets one
  thread in at a time, and other processes read with `mode=ro`.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import diskcache

from agent.spool.index_reading import (
    CAPTURE,
    COUNT,
    DATABASE,
    DONE,
    NOTE,
    RECORDS,
    DamagedIndexError,
    IndexContents,
    InDoubtError,
    check,
    read_all,
    translated,
)

JOURNAL_BYTES = 1 << 20
"""Room of SQLite's journal, taken when the index is opened: then a full disk can be drained."""

_SHARED_BYTES = 32_768
"""Of the map of the journal, which is memory: a page of it without a block behind it would kill
the process on a full disk."""

_SETTINGS = MappingProxyType(
    {
        "statistics": 0,
        "tag_index": 0,
        "eviction_policy": "none",
        "size_limit": 2**62,
        "cull_limit": 0,
        "sqlite_auto_vacuum": 0,
        "sqlite_cache_size": 512,
        "sqlite_journal_mode": "wal",
        "sqlite_mmap_size": 0,
        "sqlite_synchronous": 2,
        "sqlite_journal_size_limit": JOURNAL_BYTES,
        "sqlite_wal_autocheckpoint": 200,  # pages: it stays within its room, with the last change
        "sqlite_cell_size_check": 1,
        "sqlite_trusted_schema": 0,
        "disk_min_file_size": 0,
        "disk_pickle_protocol": 0,
    }
)
_KNOWN_SETTINGS = frozenset(
    diskcache.core.DEFAULT_SETTINGS.keys() | diskcache.core.METADATA | _SETTINGS.keys()
)
_ADD = """
    INSERT INTO Cache(key, raw, store_time, access_time, size, mode, filename, value)
    VALUES (?, 1, 0, 0, ?, ?, ?, ?)
    ON CONFLICT(key, raw) DO UPDATE SET size = excluded.size
"""
"""The row that diskcache makes of a record file, in a tenth of its time: 100,000 may be adopted."""

_MODE_RAW = 1
_MODE_BINARY = 2


@dataclass(frozen=True, slots=True)
class RecordFile:
    """A record file that is already durable: the only value that is stored outside the database."""

    name: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class IndexChange:
    """What one transaction does, all or nothing."""

    added: tuple[RecordFile, ...] = ()
    removed: tuple[str, ...] = ()  # record file names; each enters the tombstones
    gone: tuple[str, ...] = ()  # record file names whose file is durably elsewhere: no ring
    forgotten: tuple[str, ...] = ()  # names that leave the tombstones: their unlink is durable
    counts: Mapping[str, int] = field(default_factory=dict)  # to add
    notes: Mapping[str, str | None] = field(default_factory=dict)  # to set; None deletes


class RecordOnlyDisk(diskcache.Disk):  # type: ignore[misc]
    """Rows hold text or the name of a record file; every other row is refused both ways.

    Refusals are `DamagedIndexError`: diskcache takes an `OSError` for "not there".
    """

    def put(self, key: object) -> tuple[str, bool]:
        """A key as SQLite stores it: text, as it is."""
        if not isinstance(key, str):
            raise TypeError(f"a key must be text, not {type(key).__name__}")
        return key, True

    def get(self, key: object, raw: object) -> str:
        """A key as read; `raw` is false for a pickled one."""
        if not raw or not isinstance(key, str):
            raise DamagedIndexError("a row of the index has a key that we never write")
        return key

    def store(
        self, value: object, read: object, key: object = None
    ) -> tuple[int, int, str | None, str | None]:
        """Size, mode, file name and text of a row. The record file exists already."""
        del read, key
        if isinstance(value, RecordFile):
            return value.size, _MODE_BINARY, f"{RECORDS}/{value.name}", None
        if isinstance(value, str):
            return 0, _MODE_RAW, None, value
        raise TypeError(f"a value must be text or a record file, not {type(value).__name__}")

    def fetch(self, mode: int, filename: str | None, value: object, read: object) -> str:
        """The text of a row, or the name of its record file."""
        del read
        if mode == _MODE_RAW and filename is None and isinstance(value, str):
            return value
        if mode == _MODE_BINARY and filename is not None and value is None:
            folder, _, name = filename.partition("/")
            if folder == RECORDS and name and "/" not in name and name not in {".", ".."}:
                return name
        raise DamagedIndexError(f"a row of the index has mode {mode}, which we never write")

    def remove(self, file_path: str) -> None:
        """Nothing: the spool unlinks once the deletion is durable."""


class Index:
    """The durable index. Not thread-safe: the spool's lock admits one caller at a time.

    Every method raises `OSError` (ENOSPC when there is no room) with nothing changed, or
    `DamagedIndexError`. Opening looks for damage first, which diskcache would not.

    A flush that fails proves nothing: the kernel may have kept what was written, or dropped it and
    call the next flush a success. So `commit` writes over a transaction that failed before it says
    that nothing changed, and raises `InDoubtError` where it cannot. Opening moves the journal into
    the database, by new writes with a flush of their own, before anything builds on what was read.
    """

    def __init__(self, directory: Path) -> None:
        check(directory, _KNOWN_SETTINGS)
        self._directory = directory
        with translated():
            # diskcache's own default for a locked database is a minute; nobody else writes here.
            self._cache: Any = diskcache.Cache(
                str(directory), timeout=5, disk=RecordOnlyDisk, **_SETTINGS
            )
            self._map = _take_room(directory / (DATABASE + "-shm"), _SHARED_BYTES)
            with contextlib.suppress(OSError):  # a full disk: the spool frees its reserve for it
                os.close(_take_room(directory / (DATABASE + "-wal"), JOURNAL_BYTES))
        self._counts: dict[str, int] = {}
        self._is_in_doubt = False

    def load(self) -> IndexContents:
        """Read everything; linear in the number of captures."""
        contents = read_all(self._directory)
        self._counts = dict(contents.counts)
        return contents

    def commit(self, change: IndexChange) -> None:
        """Make a change durable, as a whole or not at all."""
        counts = {
            name: self._counts.get(name, 0) + delta
            for name, delta in change.counts.items()
            if delta
        }
        try:
            with self._transaction():
                self._write(change, counts)
        except OSError as error:
            try:
                self.settle()
            except OSError:
                raise InDoubtError(error.errno, error.strerror) from error
            raise
        self._counts.update(counts)

    def settle(self) -> None:
        """Make sure that no later start finds a change whose commit raised. Raises `OSError`."""
        if self._is_in_doubt:
            with self._transaction():
                # In the journal it takes the place of what was not committed. `set` writes the
                # time too, so it is never taken for no change.
                self._cache.set(NOTE + "settled", "")

    def close(self) -> None:
        """Close this thread's connection; what was committed stays."""
        with contextlib.suppress(sqlite3.Error):
            self._cache.close()
        os.close(self._map)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with translated():
            try:
                with self._cache.transact(retry=False):
                    yield
                    self._is_in_doubt = True
                self._is_in_doubt = False
            finally:
                if self._connection.in_transaction:
                    self._connection.rollback()

    @property
    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = self._cache._con  # noqa: SLF001  # no public way does more
        return connection

    def _write(self, change: IndexChange, counts: Mapping[str, int]) -> None:
        rows = [(CAPTURE + file.name, *self._cache.disk.store(file, None)) for file in change.added]
        self._connection.executemany(_ADD, rows)
        for name in change.removed:
            self._cache.delete(CAPTURE + name)
            self._cache.set(DONE + name, "")
        for name in change.gone:
            self._cache.delete(CAPTURE + name)
        for name in change.forgotten:
            self._cache.delete(DONE + name)
        for name, count in counts.items():
            self._cache.set(COUNT + name, str(count))
        for name, text in change.notes.items():
            if text is None:
                self._cache.delete(NOTE + name)
            else:
                self._cache.set(NOTE + name, text)


def _take_room(file: Path, size: int) -> int:
    """Let a file of SQLite's occupy at once all that it may; it ignores what it did not write.

    The descriptor is returned open: closing any descriptor of a file drops all locks that this
    process holds on it, those of SQLite too (fcntl(2)).
    """
    descriptor = os.open(file, os.O_WRONLY)
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
