"""The index: which record files are captures, which deletions are unfinished, and the counters.

Stored in diskcache 5.6.3. Its features that could lose data or run code are disabled:

- By default it evicts silently and expires by the wall clock. Both are off, and every setting is
  passed explicitly, because settings are stored in the database and any opener may change them.
- It unlinks a value file before the transaction that deletes its row is durable. `RecordOnlyDisk`
  never unlinks; the spool does so after the commit.
- It pickles values that are neither text nor bytes, so a planted row would run code when it is
  read (CVE-2025-69872). `RecordOnlyDisk` writes no such row and refuses to read one.
- It leaves a transaction open when its COMMIT fails. `commit` rolls it back.
- Two concurrent writing connections may corrupt a database of SQLite before 3.51.3. The spool's
  lock admits one thread at a time, and other processes read with `mode=ro`.
"""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import diskcache

from agent.record.file_format import BLOCK_BYTES
from agent.spool.index_reading import (
    CAPTURE,
    COUNT,
    DATABASE,
    NOTE,
    RECORDS,
    TOMBSTONE,
    DamagedIndexError,
    IndexContents,
    InDoubtError,
    check,
    read_all,
    translate_errors,
)

JOURNAL_BYTES = 1 << 20
"""Bytes of SQLite's journal, allocated at opening, so that a full disk can be drained."""

_SHARED_BYTES = 32_768
"""Bytes of the journal's shared memory, a mapped file. Allocated too: on a full disk, touching a
page without a disk block kills the process (SIGBUS)."""

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
        "sqlite_wal_autocheckpoint": 200,  # pages: keeps the journal within JOURNAL_BYTES
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
"""Writes the same row for a record file as diskcache, ten times faster: a rebuild may adopt 100,000
files."""

_OVERWRITE_NOTE = "settled"
"""The note that is written to overwrite a failed transaction; its name is on disk."""

_CANNOT_ALLOCATE = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})

_MODE_RAW = 1
_MODE_BINARY = 2


@dataclass(frozen=True, slots=True)
class RecordFile:
    """A durable record file; the only kind of value that is stored outside the database."""

    name: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class IndexChange:
    """The content of one transaction, which is atomic."""

    added: tuple[RecordFile, ...] = ()
    removed: tuple[str, ...] = ()  # record file names: the row becomes a tombstone
    unlisted: tuple[
        str, ...
    ] = ()  # record file names: the row is deleted; its file is durably elsewhere
    cleared: tuple[str, ...] = ()  # tombstones to delete: the unlink of their file is durable
    counts: Mapping[str, int] = field(default_factory=dict)  # to add
    notes: Mapping[str, str | None] = field(default_factory=dict)  # to set; None deletes


class RecordOnlyDisk(diskcache.Disk):  # type: ignore[misc]
    """Writes and reads rows that hold text or the name of a record file, and refuses all others.

    Reading another row raises `DamagedIndexError`, because diskcache treats an `OSError` as "not
    found". Writing another one raises `TypeError`.
    """

    def put(self, key: object) -> tuple[str, bool]:
        """Return a key as SQLite stores it: unchanged text."""
        if not isinstance(key, str):
            raise TypeError(f"a key must be text, not {type(key).__name__}")
        return key, True

    def get(self, key: object, raw: object) -> str:
        """Return a key that was read; `raw` is false for a pickled one."""
        if not raw or not isinstance(key, str):
            raise DamagedIndexError("a row of the index has a key that we never write")
        return key

    def store(
        self, value: object, read: object, key: object = None
    ) -> tuple[int, int, str | None, str | None]:
        """Return size, mode, file name and text of a row. The record file exists already."""
        del read, key
        if isinstance(value, RecordFile):
            return value.size, _MODE_BINARY, f"{RECORDS}/{value.name}", None
        if isinstance(value, str):
            return 0, _MODE_RAW, None, value
        raise TypeError(f"a value must be text or a record file, not {type(value).__name__}")

    def fetch(self, mode: int, filename: str | None, value: object, read: object) -> str:
        """Return the text of a row, or the name of its record file."""
        del read
        if mode == _MODE_RAW and filename is None and isinstance(value, str):
            return value
        if mode == _MODE_BINARY and filename is not None and value is None:
            folder, _, name = filename.partition("/")
            if folder == RECORDS and name and "/" not in name and name not in {".", ".."}:
                return name
        raise DamagedIndexError(f"a row of the index has mode {mode}, which we never write")

    def remove(self, file_path: str) -> None:
        """Do nothing: the spool unlinks once the deletion is durable."""


class Index:
    """The durable index. Not thread-safe: the spool's lock admits one caller at a time.

    Every method raises `OSError` (ENOSPC when the disk is full) with nothing changed, or
    `DamagedIndexError`. Opening checks for damage first; diskcache does not.

    A failed flush has an unknown result: the kernel may have kept the written pages, or dropped
    them and report success for the next flush. So `commit` overwrites a failed transaction before
    it reports that nothing changed, and raises `InDoubtError` when it cannot. Opening copies the
    journal into the database with new, flushed writes before anything relies on what was read.
    """

    def __init__(self, directory: Path) -> None:
        check(directory, _KNOWN_SETTINGS)
        self._directory = directory
        with translate_errors():
            # diskcache waits a minute for a locked database by default; no other process writes.
            self._cache: Any = diskcache.Cache(
                str(directory), timeout=5, disk=RecordOnlyDisk, **_SETTINGS
            )
            self._shared_memory = _preallocate(directory / (DATABASE + "-shm"), _SHARED_BYTES)
            with contextlib.suppress(OSError):  # a full disk: the spool frees its reserve later
                os.close(_preallocate(directory / (DATABASE + "-wal"), JOURNAL_BYTES))
        self._counts: dict[str, int] = {}
        self._is_in_doubt = False

    def load(self) -> IndexContents:
        """Read everything; linear in the number of captures. Counters that are invalid become 0."""
        contents = read_all(self._directory)
        if contents.invalid_counts:
            with self._transaction():
                self._write(IndexChange(), dict.fromkeys(contents.invalid_counts, 0))
        self._counts = dict(contents.counts)
        return contents

    def commit(self, change: IndexChange) -> None:
        """Make a change durable, atomically."""
        counts = {
            name: max(0, self._counts.get(name, 0) + delta)
            for name, delta in change.counts.items()
            if delta
        }
        try:
            with self._transaction():
                self._write(change, counts)
        except OSError as error:
            try:
                self.discard_failed()
            except OSError:
                raise InDoubtError(error.errno, error.strerror) from error
            raise
        self._counts.update(counts)

    def discard_failed(self) -> None:
        """Ensure that no later start finds a change whose commit raised. Raises `OSError`."""
        if self._is_in_doubt:
            with self._transaction():
                # Overwrites the failed transaction in the journal. `set` also stores the time, so
                # SQLite never skips the write as unchanged.
                self._cache.set(NOTE + _OVERWRITE_NOTE, "")

    def close(self) -> None:
        """Close this thread's connection; committed changes stay."""
        with contextlib.suppress(sqlite3.Error):
            self._cache.close()
        os.close(self._shared_memory)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with translate_errors():
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
        connection: sqlite3.Connection = self._cache._con  # noqa: SLF001  # it has no public name
        return connection

    def _write(self, change: IndexChange, counts: Mapping[str, int]) -> None:
        rows = [(CAPTURE + file.name, *self._cache.disk.store(file, None)) for file in change.added]
        self._connection.executemany(_ADD, rows)
        for name in change.removed:
            self._cache.delete(CAPTURE + name)
            self._cache.set(TOMBSTONE + name, "")
        for name in change.unlisted:
            self._cache.delete(CAPTURE + name)
        for name in change.cleared:
            self._cache.delete(TOMBSTONE + name)
        for name, count in counts.items():
            self._cache.set(COUNT + name, str(count))
        for name, text in change.notes.items():
            if text is None:
                self._cache.delete(NOTE + name)
            else:
                self._cache.set(NOTE + name, text)


def _preallocate(file: Path, size: int) -> int:
    """Allocate the blocks of one of SQLite's files; SQLite ignores bytes that it did not write.

    Returns the descriptor open: closing any descriptor of a file releases all locks that this
    process holds on it, including SQLite's (fcntl(2)).
    """
    # Readable too: where a file system cannot allocate (ext2, ext3), the C library rewrites a byte
    # of each block.
    descriptor = os.open(file, os.O_RDWR)
    try:
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno not in _CANNOT_ALLOCATE:
                raise
            _rewrite_each_block(descriptor, size)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _rewrite_each_block(descriptor: int, size: int) -> None:
    """Allocate as the C library of most systems does where the file system cannot."""
    for last in range(BLOCK_BYTES - 1, size, BLOCK_BYTES):
        os.pwrite(descriptor, os.pread(descriptor, 1, last) or b"\0", last)
