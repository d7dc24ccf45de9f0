"""A file system in memory that loses unsynced data at a power cut, and fails on demand.

It keeps the contract of `agent.files.Disk`; `tests/files/test_files.py` runs one suite on both.
Every operation of the kernel is one step; a `DiskFault` may occur at any step.
"""

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from agent.files import TEMPORARY_SUFFIX, Disk, FileEntry

BLOCK = 4096


class PowerCut(BaseException):
    """The power is lost; not an `Exception`, so that no handler of the agent catches it."""


@dataclass(slots=True)
class Inode:
    """A file or a folder, without its names."""

    written: bytes = b""
    synced: bytes | None = None  # bytes on the medium; None: none
    is_folder: bool = False


@dataclass(frozen=True, slots=True)
class DiskFault:
    """A power cut or an error at the k-th step from now."""

    after_steps: int
    error: int | None = None  # an error number; None: a power cut
    lasting: bool = False  # every later step fails too, until the fault is removed
    times: int = 1  # consecutive steps that fail


ChooseKept = Callable[[int], int]
"""Chooses a number from 0 to a bound: how much of the unsynced data the medium keeps."""


def keep_nothing(_bound: int) -> int:
    """Keep only synced data."""
    return 0


def keep_everything(bound: int) -> int:
    """Keep all data: the medium wrote it before it was told to."""
    return bound


@dataclass
class PowerCutDisk(Disk):
    """See the module; `base` is a folder that exists from the start."""

    base: Path
    capacity: int = 1 << 40
    foreign: int = 0  # bytes that other programs occupy
    names: dict[Path, Inode] = field(default_factory=dict)
    medium: dict[Path, Inode] = field(default_factory=dict)
    pending: list[Mapping[Path, Inode | None]] = field(default_factory=list)
    fault: DiskFault | None = None
    steps: int = 0
    errors: int = 0  # that faults raised

    def __post_init__(self) -> None:
        self.names[self.base] = self.medium[self.base] = Inode(is_folder=True)

    # The Disk

    def make_directory(self, path: Path) -> None:
        if path in self.names:
            if not self.names[path].is_folder:
                raise FileExistsError(errno.EEXIST, "File exists", str(path))
            return
        self.make_directory(path.parent)
        self._rename({path: Inode(is_folder=True)})
        self.sync_directory(path.parent)

    @contextlib.contextmanager
    def locked(self, path: Path, *, seconds: float) -> Iterator[None]:
        del path, seconds  # one process
        yield

    def write(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
        inode = Inode()
        try:
            self._folder(path)
            self._rename({temporary: inode})
            self._fill(inode, data)
            self.sync_file(inode)
            self._rename({temporary: None, path: inode})
        except OSError:
            self.remove(temporary)
            raise

    def overwrite(self, path: Path, data: bytes) -> None:
        self.step()
        if path not in self.names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        self.names[path].written = data
        self.sync_file(self.names[path])

    def copy(self, source: Path, destination: Path) -> str:
        data = self._any(source)
        self.write(destination, data)
        return hashlib.sha256(data).hexdigest()

    def checksum(self, path: Path) -> str:
        return hashlib.sha256(self._any(path)).hexdigest()

    def link(self, source: Path, name: Path) -> None:
        self._folder(name)
        if source not in self.names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(source))
        if name not in self.names:
            self._rename({name: self.names[source]})

    def remove_tree(self, path: Path) -> None:
        for name in sorted(self.names, reverse=True):
            if name == path or path in name.parents:
                self._rename({name: None})

    def move(self, source: Path, destination: Path) -> None:
        if source in self.names:
            self._rename({source: None, destination: self.names[source]})
        self.sync_directory(destination.parent)
        self.sync_directory(source.parent)

    def remove(self, path: Path) -> None:
        if path in self.names:
            self._rename({path: None})

    def sync_directory(self, path: Path) -> None:
        self.step()
        self._folder(path / "any")
        self.sync_names(path)

    def sync_names(self, path: Path) -> None:
        """Make the changes of names in a folder durable."""
        touched = {name for change in self.pending for name in change if name.parent == path}
        chosen: list[Mapping[Path, Inode | None]] = []
        for change in reversed(self.pending):  # with each change, those that it depends on
            if touched & change.keys():
                touched |= change.keys()
                chosen.insert(0, change)
        self.pending = [change for change in self.pending if change not in chosen]
        for change in chosen:
            _apply(self.medium, change)

    def sync_name(self, path: Path) -> None:
        if path not in self.names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        self.sync_file(self.names[path])
        self.sync_directory(path.parent)

    def beginning(self, path: Path, length: int) -> tuple[bytes, int]:
        data = self.read(path)
        return data[:length], len(data)

    def read(self, path: Path) -> bytes:
        self.step()
        if path not in self.names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return self.names[path].written

    def size(self, path: Path) -> int:
        return len(self.names[path].written) if path in self.names else 0

    def file_names(self, path: Path) -> Iterator[str]:
        for file in self.files(path):
            yield file.name

    def files(self, path: Path) -> Iterator[FileEntry]:
        for name, inode in list(self.names.items()):
            if name.parent == path and not inode.is_folder:
                yield FileEntry(name.name, len(inode.written))

    def free_bytes(self, path: Path) -> int:
        del path
        used = sum(-(-len(inode.written) // BLOCK) * BLOCK for inode in self.names.values())
        return max(0, self.capacity - self.foreign - used)

    # The power and the medium

    def step(self) -> None:
        """Count one operation of the kernel; raise the fault that is due."""
        self.steps += 1
        fault = self.fault
        if fault is None or self.steps < fault.after_steps:
            return
        if fault.error is None:
            self.fault = None
            raise PowerCut
        self.errors += 1
        if not fault.lasting and self.steps >= fault.after_steps + fault.times - 1:
            self.fault = None
        raise OSError(fault.error, os.strerror(fault.error))

    def inject(self, fault: DiskFault | None) -> None:
        """Raise this fault after its number of steps; None removes the fault."""
        self.fault = fault
        self.steps = 0

    def cut_power(self, choose: ChooseKept) -> None:
        """Cut the power: of unsynced data keep what `choose` says; continue from the medium."""
        for change in self.pending:
            if choose(1):
                _apply(self.medium, change)
        for inode in {id(inode): inode for inode in self.medium.values()}.values():
            if inode.synced != inode.written:
                kept = choose(len(inode.written))
                inode.written = inode.written[:kept] + bytes(
                    choose(1) * (len(inode.written) - kept)
                )
                inode.synced = inode.written
        self.pending = []
        self.fault = None
        self.names = {
            path: inode
            for path, inode in self.medium.items()
            if all(parent in self.medium for parent in path.parents if self.base in parent.parents)
        }
        self.medium = dict(self.names)

    # Steps

    def sync_file(self, inode: Inode) -> None:
        """Sync the bytes of a file."""
        self.step()
        inode.synced = inode.written

    def _fill(self, inode: Inode, data: bytes) -> None:
        self.step()
        room = self.free_bytes(self.base)
        inode.written = data[:room] if len(data) > room else data
        if len(data) > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _rename(self, change: Mapping[Path, Inode | None]) -> None:
        self.step()
        _apply(self.names, change)
        self.pending.append(change)

    def _any(self, path: Path) -> bytes:
        """Read a file of this disk, or one of the real disk: a source of copies."""
        return self.read(path) if path in self.names or not path.exists() else path.read_bytes()

    def _folder(self, path: Path) -> None:
        if path.parent not in self.names and self.base in path.parents:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))


class NoFileSync(PowerCutDisk):
    """A planted bug: the bytes of files are never synced."""

    def sync_file(self, inode: Inode) -> None:
        self.step()


class NoFolderSync(PowerCutDisk):
    """A planted bug: folders with a name in `unsynced` are never synced."""

    unsynced: ClassVar[frozenset[str]]

    def sync_directory(self, path: Path) -> None:
        if path.name not in self.unsynced:
            super().sync_directory(path)


class TwoNamesDisk(PowerCutDisk):
    """As btrfs: syncing the new folder of a moved file does not sync that it left the old one."""

    def sync_names(self, path: Path) -> None:
        split: list[Mapping[Path, Inode | None]] = []
        for change in self.pending:
            left = {name: inode for name, inode in change.items() if name.parent != path}
            is_moved_here = any(change[name] for name in change.keys() - left.keys())
            if is_moved_here and left and not any(left.values()):
                split += [{name: change[name] for name in change.keys() - left.keys()}, left]
            else:
                split.append(change)
        self.pending = split
        super().sync_names(path)


class FatDisk(PowerCutDisk):
    """As FAT: a name has the size and the place of its file once the file is synced under it.

    There is one name for each file.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.entries: dict[Path, Inode] = {}  # that the medium has with size and place

    def sync_file(self, inode: Inode) -> None:
        super().sync_file(inode)
        self.entries |= {path: inode for path, one in self.names.items() if one is inode}

    def link(self, source: Path, name: Path) -> None:
        if name not in self.names:
            self.copy(source, name)

    def cut_power(self, choose: ChooseKept) -> None:
        super().cut_power(choose)
        for path, inode in self.names.items():
            if not inode.is_folder and self.entries.get(path) is not inode:
                inode.written = inode.synced = b""


class NamesNeverSynced(FatDisk):
    """A planted bug: files are synced under their temporary names only."""

    def sync_name(self, path: Path) -> None:
        self.sync_directory(path.parent)


def _apply(names: dict[Path, Inode], change: Mapping[Path, Inode | None]) -> None:
    for path, inode in change.items():
        if inode is None:
            names.pop(path, None)
        else:
            names[path] = inode
