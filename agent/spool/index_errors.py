"""What SQLite and diskcache raise, as the two kinds that the spool acts on."""

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from types import MappingProxyType

import diskcache

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
    """The database is no index of ours any more; rebuild it from the record files."""


class InDoubtError(OSError):
    """A commit failed, and only a later one that returns makes sure that it never was.

    Until then a start may find it done.
    """


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise `OSError` for what the disk refuses, `DamagedIndexError` for what is no index."""
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
    """The operating system's error behind SQLite's, where there is one.

    diskcache raises its own `Timeout` whatever kept a transaction from beginning, and SQLite
    another error when a transaction is rolled back that a full disk ended: the first counts.
    """
    found = None
    while error is not None:
        code = getattr(error, "sqlite_errorcode", 0)
        number = _SYSTEM_ERRORS.get(code) or _SYSTEM_ERRORS.get(code & 0xFF)
        if number is not None:
            found = OSError(number, str(error))
        error = error.__context__
    return found
