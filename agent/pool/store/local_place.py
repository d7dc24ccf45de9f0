"""A store in a folder of this machine, or on a network mount."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from agent.errors import ConfigurationError, TemporaryError
from agent.files import TEMPORARY_SUFFIX, Disk, GrowingFile, is_disk_full, open_regular
from agent.pool.store.place import RowLog
from agent.ports import Clock
from agent.printable import printable
from agent.system import SystemClock

LOG_SUFFIX = ".rows"

SYNC_S = 1.0
"""Seconds of rows that a power cut may take; a kill of the process takes none."""

_LOG_LOCK_S = 10.0  # a killed worker may take a moment to end
_PERSON = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.EEXIST,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
    }
)


class LocalPlace:
    """The folder `.pool` of an output folder."""

    def __init__(self, out: Path, *, clock: Clock | None = None) -> None:
        self._folder = out.absolute() / ".pool"
        self._disk = Disk()
        self._clock = clock or SystemClock()

    @property
    def name(self) -> str:
        """Where it is, for messages."""
        return printable(self._folder)

    def prepare(self) -> None:
        """Make the folder; delete what killed runs had not finished writing."""
        with _explained(self.name, "write to"):
            self._disk.make_directory(self._folder)
            for name in list(self._disk.file_names(self._folder)):
                if name.endswith(TEMPORARY_SUFFIX):
                    self._disk.remove(self._folder / name)

    def names(self) -> Iterator[str]:
        """Yield the names of all files but temporary ones."""
        with _explained(self.name, "read"):
            for each in self._disk.files(self._folder):
                if not each.name.endswith(TEMPORARY_SUFFIX):
                    yield each.name

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file; None without it."""
        with _explained(self.name, "read"):
            try:
                return self._disk.read(self._folder / name)
            except FileNotFoundError:
                return None

    def open(self, name: str) -> IO[bytes]:
        """Open a file to read parts of it; raises `OSError` or `ValueError` if that fails."""
        return os.fdopen(open_regular(self._folder / name), "rb")

    def write(self, name: str, data: bytes) -> None:
        """Put a whole file under a name, durably."""
        with _explained(self.name, "write to"):
            self._disk.write_durably(self._folder / name, data)

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        with _explained(self.name, "write to"):
            self._disk.remove(self._folder / name)

    def rename(self, name: str, new: str) -> None:
        """Give a file another name, durably."""
        with _explained(self.name, "write to"):
            self._disk.move(self._folder / name, self._folder / new)

    def log_names(self) -> Iterator[str]:
        """Yield the names of the parts in progress."""
        for name in self.names():
            if name.endswith(LOG_SUFFIX):
                yield name.removesuffix(LOG_SUFFIX)

    def read_log(self, part: str) -> bytes:
        """Return what was kept of a part in progress; nothing without one."""
        return self.read(part + LOG_SUFFIX) or b""

    def open_log(self, part: str, head: bytes, former: bytes = b"") -> RowLog:
        """Go on with a part in progress after its bytes `former`; else begin with `head`."""
        path = self._folder / (part + LOG_SUFFIX)
        with _explained(self.name, "write to"):
            try:
                file = self._disk.grow(path, seconds=_LOG_LOCK_S)
            except BlockingIOError:
                raise TemporaryError(
                    f"cannot write {printable(path)}: another process writes it; call the command "
                    "again when it has ended"
                ) from None
            if self._disk.size(path) > len(former):
                self._disk.truncate(path, len(former))
            log = _LocalLog(file, self, part)
            if not former:
                log.append(head)
            return log

    def remove_log(self, part: str) -> None:
        """Delete a part in progress, after its rows were sealed."""
        self.remove(part + LOG_SUFFIX)

    def now(self) -> float:
        """Seconds of a clock that never steps."""
        return self._clock.monotonic()


class _LocalLog:
    """A file that grows. Synced once a second: not a row is lost by a kill, some by a power cut."""

    def __init__(self, file: GrowingFile, place: LocalPlace, part: str) -> None:
        self._file = file
        self._place = place
        self._part = part
        self._synced = place.now()

    def append(self, data: bytes) -> None:
        with _explained(self._place.name, "write to"):
            self._file.append(data)
            now = self._place.now()
            if now - self._synced >= SYNC_S:
                self._file.sync()
                self._synced = now

    def content(self) -> bytes:
        return self._place.read_log(self._part)

    def discard(self) -> None:
        self._place.remove_log(self._part)
        self._file.close()


@contextlib.contextmanager
def _explained(name: str, act: str) -> Iterator[None]:
    """Turn errors of the disk into those that a person can act on; a lock that is held is none."""
    try:
        yield
    except BlockingIOError:
        raise
    except OSError as error:
        raise _meaning(error, f"cannot {act} {name}") from error


def _meaning(error: OSError, cannot: str) -> ConfigurationError | TemporaryError:
    why = printable(error.strerror or str(error))
    if is_disk_full(error):
        return ConfigurationError(
            f"{cannot}: {why}; free some space and call the same command again, what was analysed "
            "stays"
        )
    if error.errno in _PERSON:
        return ConfigurationError(
            f"{cannot}: {why}; check the rights of the folder, or give another --out"
        )
    return TemporaryError(f"{cannot}: {why}; call the same command again, what was analysed stays")
