"""The only writer of files: each operation says what is true after a power cut.

A file appears under its final name only when its bytes are on the medium; a name is on the
medium only after `sync_directory`. Tests replace this class by one that forgets what was not
synced.
"""

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"

_PIECE = 1_000_000  # bytes that a copy holds in memory

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_disk_full(error: OSError) -> bool:
    """Whether the medium or a quota has no room, as opposed to any other failure."""
    return error.errno in _FULL


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One regular file of a folder."""

    name: str
    size: int  # bytes


class Disk:
    """The real file system. All paths are absolute; every method raises `OSError`."""

    def make_directory(self, path: Path) -> None:
        """Create `path` and its missing parents, private to the user, durably."""
        if path.is_dir():
            return
        self.make_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        self.sync_directory(path.parent)

    def write(self, path: Path, data: bytes) -> None:
        """Put a whole file under `path`, replacing one that is there.

        Afterwards the bytes survive a power cut; the name does after `sync_directory`. When it
        raises, nothing is under the name that was not there before.
        """
        with self._replaced(path) as descriptor:
            _write_all(descriptor, data)
            os.fsync(descriptor)

    def write_durably(self, path: Path, data: bytes) -> None:
        """`write`, and the name survives a power cut too."""
        self.write(path, data)
        self.sync_directory(path.parent)

    def copy(self, source: Path, destination: Path) -> str:
        """`write` what another file holds, of any size; return its sha256 in hex."""
        digest = hashlib.sha256()
        with self._replaced(destination) as descriptor:
            with source.open("rb") as file:
                while piece := file.read(_PIECE):
                    digest.update(piece)
                    _write_all(descriptor, piece)
            os.fsync(descriptor)
        return digest.hexdigest()

    def link(self, source: Path, name: Path) -> None:
        """Give a file another name, or where the file system has no such names, a copy of it.

        A name that is there stays. It survives a power cut after `sync_directory`.
        """
        try:
            os.link(source, name)
        except FileExistsError:
            return
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self.copy(source, name)

    def publish(self, path: Path, data: bytes) -> None:
        """Put a whole file in place for other users to read; a power cut may take it back.

        Not synced: it is written often, and means nothing after a restart.
        """
        with self._replaced(path, flags=os.O_NOFOLLOW) as descriptor:
            os.fchmod(descriptor, 0o644)  # the umask of the agent keeps others out
            _write_all(descriptor, data)

    def move(self, source: Path, destination: Path) -> None:
        """Rename within one file system, durably on both sides; repeating it completes it."""
        with contextlib.suppress(FileNotFoundError):
            source.replace(destination)
        self.sync_directory(destination.parent)
        self.sync_directory(source.parent)

    def remove(self, path: Path) -> None:
        """Unlink `path` if it is there. It may come back after a power cut until a sync."""
        path.unlink(missing_ok=True)

    def remove_tree(self, path: Path) -> None:
        """Delete a folder and all in it, if it is there; a power cut may leave any part of it."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path)

    def sync_directory(self, path: Path) -> None:
        """Make the names in `path`, those added and those removed, survive a power cut."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def read(self, path: Path) -> bytes:
        """All bytes of a file."""
        return path.read_bytes()

    def beginning(self, path: Path, length: int) -> tuple[bytes, int]:
        """The first `length` bytes of a file, and how many it has. Quick: many may be asked."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return os.read(descriptor, length), os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    def checksum(self, path: Path) -> str:
        """The sha256 in hex of a file of any size."""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def size(self, path: Path) -> int:
        """Bytes of a file, 0 when it is not there."""
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return 0

    def file_names(self, path: Path) -> Iterator[str]:
        """The names of the regular files directly in `path`, in no order.

        Looks at no file: that takes a minute with many on a card.
        """
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    yield entry.name

    def files(self, path: Path) -> Iterator[FileEntry]:
        """The regular files directly in `path`, in no order; none when it does not exist."""
        with contextlib.suppress(FileNotFoundError), os.scandir(path) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    with contextlib.suppress(FileNotFoundError):  # removed since it was listed
                        yield FileEntry(entry.name, entry.stat(follow_symlinks=False).st_size)

    def free_bytes(self, path: Path) -> int:
        """Bytes that we may still write on the file system of `path`."""
        stat = os.statvfs(path)
        return stat.f_bavail * stat.f_frsize

    @contextlib.contextmanager
    def _replaced(self, path: Path, *, flags: int = 0) -> Iterator[int]:
        """A descriptor to write to; what was written takes the name only after the block."""
        temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
        try:
            # O_CLOEXEC is Python's default; 0600 because images are private.
            flags |= os.O_CREAT | os.O_TRUNC
            descriptor = os.open(temporary, os.O_WRONLY | flags, 0o600)
            try:
                yield descriptor
            finally:
                os.close(descriptor)
            temporary.replace(path)
        except OSError:
            self.remove(temporary)
            raise


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
