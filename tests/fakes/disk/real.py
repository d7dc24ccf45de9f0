"""The real disk and the real index, with one fault each."""

import errno
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event

from agent.files import Disk, FileEntry
from agent.spool.index import Index, IndexChange


class RefusingDisk(Disk):
    """Writes and moves raise `refuses` while it is set."""

    def __init__(self, refuses: OSError | None = None, *, suffix: str = "") -> None:
        """Refuse only files whose name ends with `suffix`."""
        super().__init__()
        self.refuses = refuses
        self._suffix = suffix

    def write(self, path: Path, data: bytes) -> None:
        self.check(path)
        super().write(path, data)

    def move(self, source: Path, destination: Path) -> None:
        self.check(destination)
        super().move(source, destination)

    def check(self, path: Path) -> None:
        """Raise the error, if it is set and applies to this path."""
        if self.refuses and path.name.endswith(self._suffix):
            raise self.refuses


class KilledDisk(Disk):
    """The process ends at the write after so many."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self._left = writes

    def write(self, path: Path, data: bytes) -> None:
        self._left -= 1
        if self._left < 0:
            raise InterruptedError
        super().write(path, data)


class RefusingIndex(Index):
    """Commits raise while the disk refuses."""

    def __init__(self, directory: Path, disk: RefusingDisk) -> None:
        super().__init__(directory)
        self._disk = disk
        self._path = directory

    def commit(self, change: IndexChange) -> None:
        self._disk.check(self._path)
        super().commit(change)


class TypedDisk(Disk):
    """Its file system has the type `kind`."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def file_system(self, path: Path) -> str:
        assert path.exists()
        return self._kind


class MovedDisk(Disk):
    """Files have changed at given moments, by their names."""

    def __init__(self, changed: Mapping[str, float]) -> None:
        super().__init__()
        self._changed = changed

    def files(self, path: Path) -> Iterator[FileEntry]:
        for file in super().files(path):
            yield FileEntry(file.name, file.size, self._changed[file.name])


class BadBlockDisk(Disk):
    """The file `bad` cannot be read."""

    def __init__(self, bad: Path) -> None:
        super().__init__()
        self._bad = bad

    def read(self, path: Path) -> bytes:
        if path == self._bad:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(path)

    def beginning(self, path: Path, length: int) -> tuple[bytes, int]:
        self.read(path)
        return super().beginning(path, length)


class HangingDisk(RefusingDisk):
    """Writes into folders of the name `folder` wait for the event `let_go`, at most 60 s."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder
        self.hanging = Event()
        self.let_go = Event()

    def write(self, path: Path, data: bytes) -> None:
        if path.parent.name == self._folder:
            self.hanging.set()
            self.let_go.wait(60)
        super().write(path, data)


class OrderedDisk(Disk):
    """Logs what became durable, in order: names of files, and of folders with a slash."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []

    def write(self, path: Path, data: bytes) -> None:
        super().write(path, data)
        self.log.append(path.name)

    def sync_directory(self, path: Path) -> None:
        super().sync_directory(path)
        self.log.append(f"{path.name}/")


class TwoDisks(Disk):
    """The device's own disk, and another one that is mounted at `mount` while `is_mounted`."""

    def __init__(self, mount: Path) -> None:
        super().__init__()
        self.mount = mount
        self.is_mounted = False
        self.free = 10**12

    def device(self, path: Path) -> int:
        return 2 if self.is_mounted and path.is_relative_to(self.mount) else 1

    def mount_points(self) -> tuple[Path, ...]:
        return (self.mount,)

    def mounted(self) -> frozenset[Path]:
        return frozenset([Path("/"), Path("/run")] + [self.mount] * self.is_mounted)

    def free_bytes(self, path: Path) -> int:
        del path
        return self.free
