"""Opening the spool: one owner, a whole index, and every file accounted for.

What is found, and what becomes of it:

| found | means | outcome |
| --- | --- | --- |
| a temporary file | a put that did not return | removed |
| a whole record file without a row, its name in the done ring | an unfinished deletion | removed |
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
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent.errors import ConfigurationError, SpoolUnavailable
from agent.logs import Log
from agent.ports import Clock
from agent.spool.disk import TEMPORARY_SUFFIX, Disk
from agent.spool.drafts import Limits, State
from agent.spool.index import Change, Index, RecordFile
from agent.spool.index_errors import DamagedIndexError
from agent.spool.index_reading import DATABASE, Contents
from agent.spool.layout import (
    RESERVE_BYTES,
    SpoolPaths,
    missing_kind,
    prune,
    restore_reserve,
)
from agent.spool.lock import owned
from agent.spool.order import SendingOrder
from agent.spool.record import HEADER_BYTES, Entry, has_whole_length, parse_name
from agent.spool.spool import Spool

OpenIndex = Callable[[Path], Index]
"""From the diskcache directory, its index; raises as `Index` does."""

Progress = Callable[[int, int], None]
"""Hears how many files of how many were read that the index did not know."""

GROUP = 5000
"""Files without a row that are read between two signs of life, and adopted in one transaction."""

_LEAST_ROOM = 131_072
"""With less, SQLite's shared memory has no blocks behind it, and the kernel kills the process."""


@contextlib.contextmanager
def open_spool(
    directory: Path,
    limits: Limits,
    *,
    clock: Clock,
    log: Log,
    disk: Disk | None = None,
    open_index: OpenIndex = Index,
    order: SendingOrder | None = None,
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
            recovery = _Recovery(paths, limits, disk, index, log, progress)
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


def _open_index(paths: SpoolPaths, disk: Disk, open_index: OpenIndex) -> tuple[Index, Contents]:
    """The index and what it holds; a damaged one is put aside and begun anew."""
    with contextlib.suppress(DamagedIndexError):
        return _load(open_index(paths.cache))
    stamp = time.monotonic_ns()  # only to keep two damaged ones apart
    # The database first: without its journal it would look whole and be out of date.
    for suffix in ("", "-wal", "-shm"):
        file = paths.cache / (DATABASE + suffix)
        disk.move(file, paths.damaged / f"{file.name}-{stamp}")
    return _load(open_index(paths.cache))


def _load(index: Index) -> tuple[Index, Contents]:
    try:
        return index, index.load()
    except DamagedIndexError:
        # Before its files move: SQLite deletes a journal by name when it closes, and the name
        # would be the new index's by then.
        index.close()
        raise


@dataclass(slots=True)
class _Recovery:
    """Makes rows and files agree, in as many transactions as bound the journal."""

    paths: SpoolPaths
    limits: Limits
    disk: Disk
    index: Index
    log: Log
    progress: Progress
    entries: dict[str, Entry] = field(default_factory=dict)
    adopted: list[RecordFile] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def run(self, contents: Contents) -> State:
        names = set(self.disk.file_names(self.paths.records))
        # Those with a row first: of two files of one capture the one that `put` returned for stays.
        for name, size in contents.records.items():
            if name in names:
                self._continue(name, size)
            else:
                self._missing(name)
        unknown = sorted(names - contents.records.keys())
        for number, name in enumerate(unknown):
            if number % GROUP == GROUP - 1:
                self._tell(number + 1, len(unknown))
            self._judge(name, contents)
        self.disk.sync_directory(self.paths.records)
        for begin in range(0, len(self.adopted), GROUP):
            group = self.adopted[begin : begin + GROUP]
            self.index.commit(Change(added=tuple(group), counts={"stored": len(group)}))
        self.index.commit(
            Change(
                gone=tuple(self.gone),
                forgotten=tuple(contents.done),
                counts=self.counts,
            )
        )
        aside = {
            folder: prune(self.disk, folder, self.limits.aside)
            for folder in (self.paths.rejected, self.paths.damaged)
        }
        if self.found:
            # An index that has never counted anything is new, and these files are older.
            self.log.warning("spool recovered", index_rebuilt=not contents.counts, **self.found)
        counts = Counter(contents.counts)
        counts.update(self.counts)
        counts["stored"] += len(self.adopted)
        return State(self.entries, counts, contents.notes, aside)

    def _continue(self, name: str, size: int) -> None:
        """A row and its file; whether that is as it was is found when it is sent."""
        entry = parse_name(name, size)
        if entry is None:
            self._put_aside(name, "foreign")
            self.gone.append(name)
        else:
            self.entries[entry.id] = entry

    def _judge(self, name: str, contents: Contents) -> None:
        """A file without a row."""
        header, size = self._header(name)
        entry = parse_name(name, size)
        if name.endswith(TEMPORARY_SUFFIX):
            self._remove(name, "unfinished_puts")
        elif entry is None:
            self._put_aside(name, "foreign")
        elif name in contents.done:
            self._remove(name, "unfinished_deletes")
        elif entry.id in self.entries:
            self._remove(name, "repeated")
        elif header is not None and not has_whole_length(header, size):
            self._put_aside(name, "damaged")
            self.counts["stored"] += 1
            self.counts["damaged"] += 1
        else:
            self.entries[entry.id] = entry
            self.adopted.append(RecordFile(name, size))
            self.found["adopted"] += 1

    def _header(self, name: str) -> tuple[bytes | None, int]:
        """The header and the size of a file; no header on a bad block, which is no failed start.

        What is wrong with such a file is found when it is sent.
        """
        file = self.paths.records / name
        try:
            return self.disk.beginning(file, HEADER_BYTES)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return None, self.disk.size(file)

    def _tell(self, read: int, of: int) -> None:
        """Reading so many files takes minutes on a card, and somebody may wait."""
        self.log.info("spool rebuilding", read=read, files=of)
        self.progress(read, of)

    def _missing(self, name: str) -> None:
        """A row whose file is not in the record folder."""
        kind = missing_kind(self.disk, self.paths, name)
        self.gone.append(name)
        self.counts[kind] += 1
        self.found["missing" if kind == "damaged" else "unfinished_rejects"] += 1

    def _remove(self, name: str, what: str) -> None:
        self.disk.remove(self.paths.records / name)
        self.found[what] += 1

    def _put_aside(self, name: str, what: str) -> None:
        self.disk.move(self.paths.records / name, self.paths.damaged / name)
        self.found[what] += 1


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
