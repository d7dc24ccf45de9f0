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
| a damaged, empty or missing index | | `damaged/`, rebuilt from the files |
| a full file system | | the reserve is freed first |
"""

import contextlib
import errno
import os
import pwd
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.errors import ConfigurationError, SpoolUnavailable
from agent.files import Disk
from agent.logs import Log
from agent.ports import Clock, SendOrder
from agent.spool.index import Index
from agent.spool.index_reading import DATABASE, DamagedIndexError, IndexContents
from agent.spool.layout import RESERVE_BYTES, SpoolPaths, restore_reserve
from agent.spool.lock import owned
from agent.spool.reconciliation import Progress, Reconciliation
from agent.spool.spool import Spool
from agent.spool.types import SpoolLimits

OpenIndex = Callable[[Path], Index]
"""Opens the index in the diskcache directory; raises as `Index` does."""

_TORN = frozenset({"vfat", "msdos", "exfat"})
"""File systems that keep size and place of a file in its name's entry, without a journal."""

_MIN_FREE_TO_OPEN = 131_072
"""Free bytes. With less, SQLite's shared memory has no disk blocks, and the kernel kills the
process."""


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
) -> Iterator[Spool]:
    """Open the spool in `directory` for the `with` block; create it when it is missing.

    `progress` is called every few seconds during a long start. `exchange` is the folder where the
    daemon publishes its state; other commands have none.

    Raises `ConfigurationError` when the folder belongs to another user or is not usable,
    `TemporaryError` while another process owns it, `SpoolUnavailable` on a disk error.
    """
    paths = SpoolPaths(directory.absolute())
    disk = disk or Disk(inside=paths.root)
    _prepare(paths, disk)
    with owned(paths.lock, exchange=exchange), contextlib.ExitStack() as opened:
        try:
            _free_reserve(paths, disk)
            index, contents = _open_index(paths, disk, open_index)
            opened.callback(index.close)
            recovery = Reconciliation(paths, limits, disk, index, log, progress)
            state = recovery.run(contents)
            with contextlib.suppress(OSError):
                restore_reserve(disk, paths)
        except OSError as error:
            raise SpoolUnavailable(
                f"cannot open the spool AGENT_SPOOL_DIR={paths.root}: {error}"
            ) from error
        yield Spool(
            paths,
            limits,
            disk=disk,
            index=index,
            state=state,
            clock=clock,
            log=log,
            order=order,
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
        raise SpoolUnavailable(f"cannot open the spool AGENT_SPOOL_DIR={root}: {error}") from error


def refuse_torn(disk: Disk, folder: Path) -> None:
    """Raise `ConfigurationError` for a folder on a file system that tears files at a power cut."""
    kind = disk.file_system(folder)
    if kind in _TORN:
        raise ConfigurationError(
            f"cannot keep a spool in {folder}: its file system is {kind}, and a power cut leaves "
            f"files on it empty or torn. Set AGENT_SPOOL_DIR to a folder on ext4, xfs, btrfs or "
            "f2fs. `capture-agent export` can copy captures to such a stick."
        )


def existing_parent(path: Path) -> Path:
    """Return `path`, or its nearest parent that exists."""
    return next(one for one in (path, *path.parents) if one.exists())


def _free_reserve(paths: SpoolPaths, disk: Disk) -> None:
    """Free the reserve on a full disk. Raises `OSError` when even that is not enough."""
    if disk.free_bytes(paths.root) < RESERVE_BYTES:
        disk.remove(paths.reserve)
    if disk.free_bytes(paths.root) < _MIN_FREE_TO_OPEN:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


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
