"""Opens a spool: takes the lock, checks or rebuilds the index, and handles every file.

What a start may find:

| found | cause | result |
| --- | --- | --- |
| a temporary file | a put that did not return | removed |
| a whole record file without a row, with a tombstone | an unfinished deletion | removed |
| a whole record file without a row | a put that did not return, or a lost index | adopted |
| a truncated record file without a row | the medium lost synced data | `damaged/`, counted |
| a file that is not a record file | foreign | `damaged/`, not counted |
| a row whose file is in `rejected/` or `damaged/` | an unfinished move | completed, counted |
| a row without a file | the medium lost the file | counted as damaged |
| rows of a put that raised | a flush failed and the process ended | kept, as stored |
| two files of one capture | a failed put that was repeated | the one with a row is kept |
| a damaged, empty or missing index | | `damaged/`, rebuilt from the files and the ledger's copies |
| a full file system | | the reserve is freed first, then few captures are evicted, and counted |
"""

import contextlib
import errno
import os
import pwd
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.domain import SpoolEntry
from agent.errors import ConfigurationError, SpoolUnavailable
from agent.files import TEMPORARY_SUFFIX, Disk, is_disk_full
from agent.logs import Log
from agent.ports import Clock, SendOrder
from agent.record.file_format import BLOCK_BYTES, file_name, parse_name
from agent.selection.budget.ledger import AUTO_LEDGER_NOTE, LEDGER_NOTE
from agent.spool.disk_budget import RANDOM_SHARE
from agent.spool.eviction import EvictionQueue
from agent.spool.index import Index
from agent.spool.index_reading import DATABASE, MIN_FREE_TO_OPEN, DamagedIndexError, IndexContents
from agent.spool.layout import (
    RESERVE_BYTES,
    SpoolPaths,
    existing_parent,
    prune,
    refuse_torn,
    restore_reserve,
)
from agent.spool.ledger_file import LedgerFile, latest_ledgers
from agent.spool.lock import owned
from agent.spool.reconciliation import Progress, Reconciliation
from agent.spool.spool import Spool
from agent.spool.types import SpoolLimits

OpenIndex = Callable[[Path], Index]
"""Opens the index in the diskcache directory; raises as `Index` does."""

_ROOM_TO_OPEN = MIN_FREE_TO_OPEN + 8 * BLOCK_BYTES  # bytes, with the first changes of the index
_FILES_TO_OPEN = 2
"""Files that SQLite makes when it opens the index."""
_FREED_S = 0.2
"""Seconds that a file system may take to free the blocks of a deleted file."""


@contextlib.contextmanager
def open_spool(
    directory: Path,
    limits: SpoolLimits,
    *,
    clock: Clock,
    log: Log,
    disk: Disk | None = None,
    open_index: OpenIndex = Index,
    order: SendOrder | None = None,
    progress: Progress = lambda _read, _of: None,
    exchange: Path | None = None,
    evicts: bool = True,
) -> Iterator[Spool]:
    """Open the spool in `directory` for the `with` block; create it when it is missing.

    `progress` is called every few seconds during a long start. `exchange` is the folder where the
    daemon publishes its state; other commands have none. `evicts`: on a disk without room for the
    index, evict as many captures as it needs.

    Raises `ConfigurationError` when the folder belongs to another user or is not usable,
    `TemporaryError` while another process owns it, `SpoolUnavailable` on a disk error.
    """
    paths = SpoolPaths(directory.absolute())
    disk = disk or Disk(inside=paths.root)
    _prepare(paths, disk)
    with contextlib.ExitStack() as opened:
        try:
            opened.enter_context(owned(paths.lock, exchange=exchange))
            evicted = _make_room(paths, limits, disk, evicts=evicts)
            index, contents = _open_index(paths, disk, open_index)
            opened.callback(index.close)
            recovery = Reconciliation(paths, limits, disk, index, log, progress, evicted)
            ledger_files = [
                LedgerFile(disk, paths, note) for note in (LEDGER_NOTE, AUTO_LEDGER_NOTE)
            ]
            contents.notes.update(latest_ledgers(contents.notes, ledger_files))
            state = recovery.run(contents)
            with contextlib.suppress(OSError):
                restore_reserve(disk, paths)
                for copies in ledger_files:
                    copies.repair(state.notes.get(copies.note, ""))
        except OSError as error:
            raise _unavailable(paths, disk, error) from error
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


def _prepare(paths: SpoolPaths, disk: Disk) -> None:
    """Create the folders, readable by this user only; refuse a folder of another user."""
    root = paths.root
    try:
        if root.exists():
            if not root.is_dir():
                raise ConfigurationError(f"cannot use AGENT_SPOOL_DIR {root}: it is not a folder")
            owner = root.stat().st_uid
            if owner != os.geteuid():
                raise ConfigurationError(
                    f"cannot use AGENT_SPOOL_DIR {root}: it belongs to {_user(owner)}, and this "
                    f"process runs as {_user(os.geteuid())}. Run it as {_user(owner)}, or choose "
                    "another folder."
                )
            if root.stat().st_mode & 0o077:
                root.chmod(0o700)
        refuse_torn(disk, existing_parent(root))
        for path in (root, paths.cache, paths.records, paths.rejected, paths.damaged):
            disk.make_directory(path)
        for path in (root, paths.cache):
            disk.sync_directory(path)  # a start may have been killed before it synced them
        with contextlib.suppress(PermissionError):  # another user created `root` for this one
            disk.sync_directory(root.parent)
    except PermissionError as error:
        raise ConfigurationError(
            f"cannot use AGENT_SPOOL_DIR {root}: {error.strerror}. The user "
            f"{_user(os.geteuid())} needs write permission there."
        ) from error
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigurationError(
            f"cannot use AGENT_SPOOL_DIR {root}: {error.filename} is not a folder"
        ) from error
    except OSError as error:
        raise _unavailable(paths, disk, error) from error


def _make_room(
    paths: SpoolPaths, limits: SpoolLimits, disk: Disk, *, evicts: bool
) -> list[SpoolEntry]:
    """Make room for the index on a full disk; return the captures that had to be evicted for it.

    They are the least valuable ones, and few: the others can be delivered then. The first one
    whose deletion makes no room is the last. Raises `OSError` when nothing makes enough room.
    """
    if disk.free_bytes(paths.root) < RESERVE_BYTES:
        disk.remove(paths.reserve)
    if _has_room(paths, disk):
        return []
    prune(disk, paths.damaged, 0)  # of no use but for a person who looks at them
    entries: list[SpoolEntry] = []
    for file in disk.files(paths.records):
        if file.name.endswith(TEMPORARY_SUFFIX):
            disk.remove(paths.records / file.name)
        entries += filter(None, [parse_name(file.name, file.size)])
    disk.sync_directory(paths.records)  # frees the blocks on most file systems
    evicted: list[SpoolEntry] = []
    if evicts and not _has_room(paths, disk):
        queue = EvictionQueue(entries)
        quota = int(RANDOM_SHARE * limits.max_bytes)
        for entry in queue.plan((), excess=sys.maxsize, random_quota=quota):
            before = _room(paths, disk)
            disk.remove(paths.records / file_name(entry))
            disk.sync_directory(paths.records)
            evicted.append(entry)
            if not _made_room(paths, disk, before) or not any(_missing(_room(paths, disk))):
                break  # no room: all captures would go in vain
    if not _has_room(paths, disk):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return evicted


def _has_room(paths: SpoolPaths, disk: Disk) -> bool:
    free, files = _room(paths, disk)
    return free >= MIN_FREE_TO_OPEN and files >= _FILES_TO_OPEN


def _room(paths: SpoolPaths, disk: Disk) -> tuple[int, int]:
    """Return the bytes and the files that the file system still takes."""
    return disk.free_bytes(paths.root), disk.free_files(paths.root)


def _missing(room: tuple[int, int]) -> tuple[int, int]:
    """Return the bytes and the files that are missing to open the index."""
    free, files = room
    return max(0, _ROOM_TO_OPEN - free), max(0, _FILES_TO_OPEN - files)


def _made_room(
    paths: SpoolPaths,
    disk: Disk,
    before: tuple[int, int],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether a deletion made some of the room that was missing; xfs takes about 1 ms for it.

    It makes none where root has filled the blocks that ext4 reserves for it: those are refilled
    first.
    """
    deadline = time.monotonic() + _FREED_S
    while time.monotonic() < deadline:
        if sum(_missing(_room(paths, disk))) < sum(_missing(before)):
            return True
        sleep(_FREED_S / 100)
    return False


def _unavailable(paths: SpoolPaths, disk: Disk, error: OSError) -> SpoolUnavailable:
    """Say why the spool cannot be opened, and what a person does."""
    what = f"cannot open the spool AGENT_SPOOL_DIR={paths.root}"
    if error.errno == errno.EROFS:
        return SpoolUnavailable(
            f"{what}: it is read-only. Under systemd, the sandbox needs another folder than the "
            "service's own in ReadWritePaths=. A memory card becomes read-only when it is dying: "
            "copy what waits with `capture-agent export DIR`, then replace it."
        )
    if is_disk_full(error):
        full = "has no room for another file (inodes)"
        if disk.free_files(existing_parent(paths.root)) >= _FILES_TO_OPEN:
            full = "is full"
        return SpoolUnavailable(f"{what}: the disk {full}. Delete files that nobody needs.")
    return SpoolUnavailable(f"{what}: {error}")


def _open_index(
    paths: SpoolPaths, disk: Disk, open_index: OpenIndex
) -> tuple[Index, IndexContents]:
    """Return the index and its content; move a damaged index to `damaged/` and start a new one."""
    with contextlib.suppress(DamagedIndexError):
        return _load(open_index(paths.cache))
    stamp = time.monotonic_ns()  # only to give two damaged indexes different names
    # The database first: left without its journal, it would look valid but be out of date.
    for suffix in ("", "-wal", "-shm"):
        file = paths.cache / (DATABASE + suffix)
        disk.move(file, paths.damaged / f"{file.name}-{stamp}")
    return _load(open_index(paths.cache))


def _load(index: Index) -> tuple[Index, IndexContents]:
    try:
        return index, index.load()
    except DamagedIndexError:
        # Close before its files are moved: SQLite deletes the journal by name when it closes, and
        # a new index would use that name by then.
        index.close()
        raise


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
