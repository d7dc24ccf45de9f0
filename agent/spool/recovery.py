"""Opening the spool: one owner, a whole index, and every file accounted for.

What is found, and what becomes of it:

| found | means | outcome |
| --- | --- | --- |
| a temporary file | a put that did not return | removed |
| a whole record file without a row, its name in the tombstones | an unfinished deletion | removed |
| a whole record file without a row | a put that did not return, or a lost index | adopted |
| of those one that is cut short | the medium lost what it had synced | `damaged/`, counted |
| a file that is no record file | foreign | `damaged/`, not counted |
| a row whose file is in `rejected/` or `damaged/` | an unfinished move | finished, counted |
| a row without a file | the medium lost it | counted as damaged |
| rows of a put that raised | a flush failed and the process ended | as if it had returned |
| two files of one capture | a put that failed and was repeated | the one with a row stays |
| an index that is damaged, empty or missing | | `damaged/`, rebuilt from the files |
| a file system without room | | the reserve is freed first |
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
"""From the diskcache directory, its index; raises as `Index` does."""

_LEAST_ROOM = 131_072
"""With less, SQLite's shared memory has no blocks behind it, and the kernel kills the process."""


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
) -> Iterator[Spool]:
    """Own the spool in `directory`, made when it is missing, for the time of the `with` block.

    `progress` hears how far a long start has come, every few seconds.

    Raises `ConfigurationError` when the folder cannot be ours, `TemporaryError` while another
    process owns it, `SpoolUnavailable` when the disk refuses.
    """
    disk = disk or Disk()
    paths = SpoolPaths(directory.absolute())
    _prepare(paths, disk)
    with owned(paths.lock) as publish, contextlib.ExitStack() as opened:
        try:
            _make_room(paths, disk)
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
            publish=publish,
        )


def _prepare(paths: SpoolPaths, disk: Disk) -> None:
    """Make the folders, private; refuse a place that belongs to somebody else."""
    root = paths.root
    try:
        if root.exists():
            if not root.is_dir():
                raise ConfigurationError(f"cannot use AGENT_SPOOL_DIR {root}: it is no folder")
            owner = root.stat().st_uid
            if owner != os.geteuid():
                raise ConfigurationError(
                    f"cannot use AGENT_SPOOL_DIR {root}: it belongs to {_user(owner)}, and this "
                    f"process runs as {_user(os.geteuid())}. Run it as {_user(owner)}, or choose "
                    "another folder."
                )
            if root.stat().st_mode & 0o077:
                root.chmod(0o700)
        for path in (root, paths.cache, paths.records, paths.rejected, paths.damaged):
            disk.make_directory(path)
        for path in (root, paths.cache):
            disk.sync_directory(path)  # they may be of a start that was killed before it did so
        with contextlib.suppress(PermissionError):  # somebody else made `root` for us, then
            disk.sync_directory(root.parent)
    except PermissionError as error:
        raise ConfigurationError(
            f"cannot use AGENT_SPOOL_DIR {root}: {error.strerror}. The user "
            f"{_user(os.geteuid())} must be able to write there."
        ) from error
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigurationError(
            f"cannot use AGENT_SPOOL_DIR {root}: {error.filename} is no folder"
        ) from error
    except OSError as error:
        raise SpoolUnavailable(f"cannot open the spool AGENT_SPOOL_DIR={root}: {error}") from error


def _make_room(paths: SpoolPaths, disk: Disk) -> None:
    """Free the reserve on a full disk, or say that nothing can be opened there."""
    if disk.free_bytes(paths.root) < RESERVE_BYTES:
        disk.remove(paths.reserve)
    if disk.free_bytes(paths.root) < _LEAST_ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _open_index(
    paths: SpoolPaths, disk: Disk, open_index: OpenIndex
) -> tuple[Index, IndexContents]:
    """The index and what it holds; a damaged one is put aside and begun again."""
    with contextlib.suppress(DamagedIndexError):
        return _load(open_index(paths.cache))
    stamp = time.monotonic_ns()  # only to keep two damaged ones apart
    # The database first: without its journal it would look whole and be out of date.
    for suffix in ("", "-wal", "-shm"):
        file = paths.cache / (DATABASE + suffix)
        disk.move(file, paths.damaged / f"{file.name}-{stamp}")
    return _load(open_index(paths.cache))


def _load(index: Index) -> tuple[Index, IndexContents]:
    try:
        return index, index.load()
    except DamagedIndexError:
        # Before its files move: SQLite deletes a journal by name when it closes, and the name
        # would be the new index's by then.
        index.close()
        raise


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
