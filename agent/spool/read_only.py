"""Reads a spool whose disk refuses writes, so that its captures can still be taken out.

A memory card becomes read-only when it is dying, and a full disk may not even have room for the
index. The captures in it are whole, so they are claimed as usual, and all changes are kept in
memory only: after the next start they wait again.

The order in which they are claimed depends only on what the disk holds. So a repeated `flush` sends
the same captures first, which the endpoint recognizes, and spends no credit twice.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from agent.errors import SpoolUnavailable
from agent.files import Disk
from agent.logs import Log
from agent.ports import Clock, SendOrder
from agent.selection.budget.ledger import AUTO_LEDGER_NOTE, LEDGER_NOTE
from agent.spool.index import Index, IndexChange
from agent.spool.index_reading import DamagedIndexError, IndexContents, read_all, readable_copy
from agent.spool.layout import SpoolPaths
from agent.spool.ledger_file import LedgerFile, latest_ledgers
from agent.spool.lock import held
from agent.spool.reconciliation import Reconciliation
from agent.spool.spool import Spool
from agent.spool.types import SpoolLimits


class DiscardingDisk(Disk):
    """Reads the real disk. Removals, moves and syncs do nothing; writing a file raises EROFS."""

    def make_directory(self, path: Path) -> None:
        """Do nothing."""

    def write(self, path: Path, data: bytes) -> None:
        """Raise `OSError`."""
        del data
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    def move(self, source: Path, destination: Path) -> None:
        """Do nothing."""

    def remove(self, path: Path) -> None:
        """Do nothing."""

    def sync_directory(self, path: Path) -> None:
        """Do nothing."""


class DiscardingIndex(Index):
    """The content of an index, as it was read; commits change nothing on disk."""

    def __init__(self, contents: IndexContents) -> None:
        self._contents = contents

    def load(self) -> IndexContents:
        """Return what was read."""
        return self._contents

    def commit(self, change: IndexChange) -> None:
        """Do nothing: the spool remembers the change."""

    def discard_failed(self) -> None:
        """Do nothing: no commit fails."""

    def close(self) -> None:
        """Do nothing: no file is open."""


class DiscardingLedgerFile(LedgerFile):
    """Reads the ledger's copies."""

    def write(self, text: str) -> None:
        """Do nothing: the send order remembers its purchases."""


@contextlib.contextmanager
def read_spool(
    directory: Path,
    limits: SpoolLimits,
    *,
    clock: Clock,
    log: Log,
    order: SendOrder | None = None,
) -> Iterator[Spool]:
    """Open the spool in `directory` without writing to its disk; `put` always fails.

    Raises `TemporaryError` while another process owns the spool, `SpoolUnavailable` when it cannot
    be read.
    """
    paths = SpoolPaths(directory.absolute())
    disk = DiscardingDisk(inside=paths.root)
    with held(paths.lock):
        try:
            index = DiscardingIndex(_contents(paths))
            ledger_files = [
                DiscardingLedgerFile(disk, paths, note) for note in (LEDGER_NOTE, AUTO_LEDGER_NOTE)
            ]
            notes = index.load().notes
            notes.update(latest_ledgers(notes, ledger_files))
            recovery = Reconciliation(paths, limits, disk, index, log, lambda _read, _of: None)
            state = recovery.run(index.load())
        except OSError as error:
            raise SpoolUnavailable(f"cannot read the spool {paths.root}: {error}") from error
        yield Spool(
            paths,
            limits,
            disk=disk,
            index=index,
            state=state,
            clock=clock,
            log=log,
            order=order,
            ledger_files=ledger_files,
        )


def _contents(paths: SpoolPaths) -> IndexContents:
    """Return the content of the index; nothing if it is damaged: the files have what matters."""
    try:
        with readable_copy(paths.cache) as copy:
            return read_all(copy)
    except DamagedIndexError:
        return IndexContents()
