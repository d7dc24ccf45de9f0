"""Reads the index: checks it, loads all of it at start, and sums it up for `status`.

A row is a capture, a tombstone, a counter or a note; the prefix of its key says which. The row of a
capture has the name of its record file and its size.
"""

import contextlib
import errno
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import diskcache

from agent.files import Disk, copied
from agent.record.file_format import BLOCK_BYTES, TIME_IN_NAME

RECORDS = "records"
"""The folder of the record files, inside the diskcache directory."""

DATABASE = "cache.db"

MIN_FREE_TO_OPEN = 131_072
"""Free bytes. With less, SQLite's shared memory has no disk blocks, and the kernel kills the
process."""

CAPTURE, COUNT, NOTE = "capture/", "count/", "note/"
TOMBSTONE = "done/"  # the prefix on disk

_FOREIGN_ROWS = """
    SELECT count(*) FROM Cache WHERE NOT coalesce(
        raw = 1 AND typeof(key) = 'text' AND expire_time IS NULL AND (
            mode = 1 AND filename IS NULL AND typeof(value) = 'text'
            OR mode = 2 AND key = 'capture/' || substr(filename, 9) AND value IS NULL
                AND filename = 'records/' || substr(key, 9) AND typeof(size) = 'integer'), 0)
"""
_COUNTER = re.compile(r"[0-9]{1,15}")
_RECORD_FILES = "SELECT substr(key, 9), size FROM Cache WHERE mode = 2"  # after `capture/`
_TEXTS = "SELECT key, value FROM Cache WHERE mode = 1"
_WAITING = """
    SELECT count(*), coalesce(sum(bytes), 0), min(time),
        coalesce(sum(bytes) FILTER (WHERE time BETWEEN :since AND :until), 0)
    FROM (
        SELECT (size + :block - 1) / :block * :block AS bytes,
            substr(key, 9 + :time_at, :time_digits) AS time
        FROM Cache WHERE mode = 2)
"""
_COUNTS = """
    SELECT substr(key, 7), value FROM Cache
    WHERE raw = 1 AND key > 'count/' AND key < 'count0'
"""
_NOTES_FROM = "SELECT value FROM Cache WHERE raw = 1 AND key >= ? AND key < ?"
_NOTE = "SELECT value FROM Cache WHERE raw = 1 AND key = ?"
_IN_NAMES = MappingProxyType(
    {
        "block": BLOCK_BYTES,
        "time_at": TIME_IN_NAME.start,
        "time_digits": TIME_IN_NAME.stop - TIME_IN_NAME.start,
    }
)


_SYSTEM_ERRORS = MappingProxyType(
    {
        sqlite3.SQLITE_FULL: errno.ENOSPC,
        sqlite3.SQLITE_READONLY: errno.EROFS,
        sqlite3.SQLITE_IOERR: errno.EIO,
        sqlite3.SQLITE_IOERR_SHMSIZE: errno.ENOSPC,
        sqlite3.SQLITE_CANTOPEN: errno.EACCES,
        sqlite3.SQLITE_BUSY: errno.EAGAIN,
    }
)


class DamagedIndexError(Exception):
    """The database is not a valid index; rebuild it from the record files."""


class InDoubtError(OSError):
    """A commit failed, and its result is unknown until a later commit succeeds.

    A start before that may find it committed.
    """


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Raise errors of SQLite as `OSError` (disk) or `DamagedIndexError` (invalid database)."""
    try:
        yield
    except (diskcache.Timeout, sqlite3.OperationalError) as error:
        system = system_error(error)
        if system is None:
            system = OSError(errno.EIO, str(error) or "the index is locked by another process")
        raise system from error
    except sqlite3.DatabaseError as error:
        raise DamagedIndexError(str(error)) from error


def system_error(error: BaseException | None) -> OSError | None:
    """Return the operating system's error that caused SQLite's; None when there is none.

    diskcache raises `Timeout` for any error at the begin of a transaction, and rolling back a
    transaction that a full disk ended raises a second error in SQLite: the first error counts.
    """
    found = None
    while error is not None:
        code = getattr(error, "sqlite_errorcode", 0)
        number = _SYSTEM_ERRORS.get(code) or _SYSTEM_ERRORS.get(code & 0xFF)
        if number is not None:
            found = OSError(number, str(error))
        error = error.__context__
    return found


@dataclass(slots=True)
class IndexContents:
    """The whole content of the index, as read at start."""

    records: dict[str, int] = field(default_factory=dict)  # bytes by record file name
    tombstones: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    invalid_counts: set[str] = field(default_factory=set)
    """Names of the counters that are 0 because they could not be read."""


@dataclass(frozen=True, slots=True)
class IndexTotals:
    """Totals of the index for `status`, all of one moment."""

    waiting: int
    waiting_bytes: int  # on disk, in whole blocks
    oldest: str | None  # time from the name of the oldest record file
    recent_bytes: int  # on disk, of captures within the requested span
    counts: dict[str, int]
    notes: dict[str, str]
    listed: dict[str, list[str]] = field(default_factory=dict)
    """Texts of the notes whose names begin with each of the requested prefixes."""


def check(directory: Path, known_settings: frozenset[str]) -> None:
    """Raise `DamagedIndexError` for a damaged database, and for rows or settings of others.

    diskcache applies every setting that it finds, so unknown settings are refused too. A missing
    database is valid.
    """
    path = directory / DATABASE
    if not path.exists():
        return
    if path.stat().st_size == 0:
        raise DamagedIndexError("the index is empty")
    with translate_errors():
        try:
            with _connection(path, "rw") as database:
                result = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
                settings = {name for (name,) in database.execute("SELECT key FROM Settings")}
                foreign = database.execute(_FOREIGN_ROWS).fetchone()[0]
                # A flush of an earlier process may have failed: write and flush again what is
                # read now. The checkpoint does nothing while `status` reads, which is brief; the
                # next start repeats it.
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as error:
            if system_error(error) is None:  # no such table, no such column
                raise DamagedIndexError(str(error)) from error
            raise
    if result != "ok":
        raise DamagedIndexError(f"the index is damaged: {result}")
    if foreign or not settings <= known_settings:
        raise DamagedIndexError("the index has rows or settings of another program")


def read_all(directory: Path) -> IndexContents:
    """Read a checked index; linear in the number of captures.

    Raises `OSError` or `DamagedIndexError`.
    """
    contents = IndexContents()
    with translate_errors(), _connection(directory / DATABASE, "ro") as database:
        contents.records.update(database.execute(_RECORD_FILES))
        for key, value in database.execute(_TEXTS):
            kind, slash, name = key.partition("/")
            if kind + slash == TOMBSTONE:
                contents.tombstones.add(name)
            elif kind + slash == COUNT:
                count = _count(value)
                contents.counts[name] = count or 0
                if count is None:
                    contents.invalid_counts.add(name)
            elif kind + slash == NOTE:
                contents.notes[name] = value
            else:
                raise DamagedIndexError(f"a row of the index has the unknown key {key!r}")
    return contents


def read_totals(
    directory: Path,
    span: tuple[str, str],
    notes: tuple[str, ...],
    prefixes: tuple[str, ...] = (),
) -> IndexTotals:
    """Sum up the index from another process, without a lock that could block the daemon.

    `span` is the first and the last time that count as recent, in the form used in file names.
    `prefixes` end with a slash: of each, all notes whose names begin so are read.

    Raises `OSError` when there is no readable index.
    """
    path = directory / DATABASE
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, "no index", str(path))
    try:
        if _is_safe_to_open(directory):
            with contextlib.suppress(sqlite3.OperationalError):
                return _totals(path, span, notes, prefixes)
        with readable_copy(directory) as copy:
            return _totals(copy / DATABASE, span, notes, prefixes)
    except (sqlite3.Error, DamagedIndexError) as error:
        raise OSError(errno.EIO, f"cannot read the index: {error}", str(path)) from error


@contextlib.contextmanager
def readable_copy(directory: Path) -> Iterator[Path]:
    """Return a folder with a copy of the index, for a disk on which SQLite cannot open it.

    Raises `OSError` or `DamagedIndexError`.
    """
    with copied(directory / DATABASE, directory / (DATABASE + "-wal")) as copy:
        if not (copy / DATABASE).exists():
            raise DamagedIndexError("the index is missing")
        with translate_errors():
            yield copy


def _is_safe_to_open(directory: Path) -> bool:
    """Return whether SQLite has its shared memory, or room for it.

    On a full disk a page of it without a disk block kills the process, also one that only reads.
    """
    shared = directory / (DATABASE + "-shm")
    return shared.exists() or Disk().free_bytes(directory) >= MIN_FREE_TO_OPEN


def _totals(
    path: Path, span: tuple[str, str], notes: tuple[str, ...], prefixes: tuple[str, ...]
) -> IndexTotals:
    with _connection(path, "ro") as database:
        database.execute("BEGIN")  # one snapshot for all queries
        spanned = {**_IN_NAMES, "since": span[0], "until": span[1]}
        waiting, size, oldest, recent = database.execute(_WAITING, spanned).fetchone()
        counts = {name: _count(value) or 0 for name, value in database.execute(_COUNTS)}
        found = {
            name: str(value)
            for name in notes
            for (value,) in database.execute(_NOTE, (NOTE + name,))
        }
        listed = {
            prefix: [
                str(value)
                # The character after the slash ends the range.
                for (value,) in database.execute(
                    _NOTES_FROM, (NOTE + prefix, NOTE + prefix[:-1] + "0")
                )
            ]
            for prefix in prefixes
        }
    return IndexTotals(waiting, size, oldest, recent, counts, found, listed)


@contextlib.contextmanager
def _connection(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    address = f"file:{quote(str(path))}?mode={mode}"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=5)) as database:
        yield database


def _count(text: object) -> int | None:
    """Return a counter; None if it is not one, so that a damaged counter costs only itself."""
    return int(text) if isinstance(text, str) and _COUNTER.fullmatch(text) else None
