"""The only writer of files: each operation says what is true after a power cut.

A file appears under its final name only when its bytes are on the medium; a name is on the
medium only after `sync_directory`. Tests replace this class by one that forgets what was not
synced.

Folders such as a USB stick or a folder for metrics may be writable for others. So nothing is
written through a link that they planted, and FIFOs and devices are neither opened nor replaced:

- a temporary file is always a new one (`O_EXCL`), and takes its final name by renaming;
- below the folder that a `Disk` is made for, no folder may be a symbolic link.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"

_PIECE = 1_000_000  # bytes that a copy holds in memory

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EBADF})

_LOCK_POLL_S = 0.05

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_disk_full(error: OSError) -> bool:
    """Whether the medium or a quota has no room, as opposed to any other failure."""
    return error.errno in _FULL


def open_regular(path: Path) -> int:
    """Open a regular file for reading and return its descriptor; never waits, opens nothing else.

    The open of a FIFO would wait for its writer, and that of a device may act on it. A file that
    is replaced by one of them at the same moment is refused too.

    Raises:
        ValueError: It is something else; the message says what.
        OSError: It cannot be opened.
    """
    _check_regular(path.stat())
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        _check_regular(os.fstat(descriptor))
    except (OSError, ValueError):
        os.close(descriptor)
        raise
    return descriptor


def read_regular_file(path: Path, limit: int) -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes.

    Raises:
        ValueError: It is not a regular file, or it is longer; the message says so.
        OSError: It cannot be read.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        # Not at once up to the limit: memory for all of it would be taken first.
        size = min(os.fstat(file.fileno()).st_size, limit)
        data = file.read(size + 1)
        if len(data) > size:  # it has grown, or is a file that does not say its size
            data += file.read(limit + 1 - len(data))
    if len(data) > limit:
        raise ValueError(f"the file has more than {limit // 1_000_000} MB")
    return data


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One regular file of a folder."""

    name: str
    size: int  # bytes
    changed: float = field(default=0.0, compare=False)
    """Seconds since 1970 UTC; renaming changes it too."""


class GrowingFile:
    """A file that one process alone extends. Every method raises `OSError`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def append(self, data: bytes) -> None:
        """Add bytes. They survive a kill of the process, and a power cut after `sync`.

        When it raises, the file ends where it did before, as far as the medium allows that.
        """
        size = os.fstat(self._descriptor).st_size
        try:
            _write_all(self._descriptor, data)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, size)
            raise

    def sync(self) -> None:
        """Make what was added survive a power cut."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Let other processes extend it."""
        os.close(self._descriptor)


class Disk:
    """The real file system. All paths are absolute; every method raises `OSError`."""

    def __init__(self, *, inside: Path | None = None, is_shared: bool = False) -> None:
        """Make a disk.

        Args:
            inside: below this folder no symbolic link is followed; it may be one itself.
            is_shared: what is made may be read by those who may read the folder that it lies in,
                as on a stick for a labeller; otherwise by the user alone.
        """
        self._inside = inside
        self._is_shared = is_shared

    def make_directory(self, path: Path) -> None:
        """Create `path` and its missing parents, private to the user, durably."""
        if self._is_folder(path):
            return
        self.make_directory(path.parent)
        with self._open_folder(path.parent) as parent, contextlib.suppress(FileExistsError):
            os.mkdir(path.name, 0o700, dir_fd=parent)
            if self._is_shared:
                with _opened_folder(path.name, parent) as made:
                    _share(made, parent, 0o055)
        if not self._is_folder(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
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
        """`write`, and the name survives a power cut too, also on a FAT file system."""
        self.write(path, data)
        self.sync_name(path)

    def overwrite(self, path: Path, data: bytes) -> None:
        """Write new content into a file that is there, durably.

        That needs no room on most file systems, but a power cut leaves any mixture of old and new.
        """
        with self._open_folder(path.parent) as folder:
            descriptor = os.open(path.name, os.O_WRONLY | os.O_NOFOLLOW, dir_fd=folder)
        try:
            _write_all(descriptor, data)
            os.ftruncate(descriptor, len(data))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def append(self, path: Path, data: bytes) -> None:
        """Add bytes to the end of a file, which is made if it is missing, durably.

        A power cut or an error may leave any beginning of them.
        """
        with self._open_folder(path.parent) as folder:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(path.name, flags, 0o600, dir_fd=folder)
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise _refusal("it is not a regular file", path)
                if self._is_shared and os.fstat(descriptor).st_uid == os.geteuid():
                    _share(descriptor, folder, 0o044)
                _write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self.sync_directory(path.parent)

    def grow(self, path: Path, *, seconds: float) -> GrowingFile:
        """Open a file to add to its end, again and again; it is made if it is missing.

        Raises `BlockingIOError` when another process has it open for `seconds`.
        """
        with self._open_folder(path.parent) as folder:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(path.name, flags, 0o600, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _refusal("it is not a regular file", path)
            _lock(descriptor, seconds)
            if not os.fstat(descriptor).st_nlink:  # its process deleted it meanwhile
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(path))
            self.sync_directory(path.parent)
        except OSError:
            os.close(descriptor)
            raise
        return GrowingFile(descriptor)

    def truncate(self, path: Path, size: int) -> None:
        """Cut a file to its first `size` bytes, durably."""
        with self._open_folder(path.parent) as folder:
            descriptor = os.open(path.name, os.O_WRONLY | os.O_NOFOLLOW, dir_fd=folder)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def copy(self, source: Path, destination: Path) -> str:
        """`write` what another file holds, of any size; return its sha256 in hex."""
        digest = hashlib.sha256()
        with self._replaced(destination) as descriptor:
            with _regular(source) as origin:
                while piece := os.read(origin, _PIECE):
                    digest.update(piece)
                    _write_all(descriptor, piece)
            os.fsync(descriptor)
        return digest.hexdigest()

    def link(self, source: Path, name: Path) -> None:
        """Give a file another name, or where the file system has no such names, a copy of it.

        A name that is there stays. It survives a power cut after `sync_name`.
        """
        try:
            with (
                self._open_folder(source.parent) as origin,
                self._open_folder(name.parent) as folder,
            ):
                os.link(
                    source.name,
                    name.name,
                    src_dir_fd=origin,
                    dst_dir_fd=folder,
                    follow_symlinks=False,
                )
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
        with self._replaced(path) as descriptor:
            os.fchmod(descriptor, 0o644)  # the umask of the agent keeps others out
            _write_all(descriptor, data)

    def move(self, source: Path, destination: Path) -> None:
        """Rename within one file system, durably on both sides; repeating it completes it."""
        with (
            self._open_folder(source.parent) as origin,
            self._open_folder(destination.parent) as folder,
            contextlib.suppress(FileNotFoundError),
        ):
            os.replace(source.name, destination.name, src_dir_fd=origin, dst_dir_fd=folder)
        self.sync_directory(destination.parent)
        self.sync_directory(source.parent)

    def remove(self, path: Path) -> None:
        """Unlink `path` if it is there. It may come back after a power cut until a sync."""
        with contextlib.suppress(FileNotFoundError), self._open_folder(path.parent) as folder:
            os.unlink(path.name, dir_fd=folder)

    def remove_tree(self, path: Path) -> None:
        """Delete a folder and all in it, if it is there; a power cut may leave any part of it."""
        with contextlib.suppress(FileNotFoundError), self._open_folder(path.parent) as folder:
            shutil.rmtree(path.name, dir_fd=folder)

    def sync_directory(self, path: Path) -> None:
        """Make the names in `path`, those added and those removed, survive a power cut."""
        with self._open_to_list(path) as descriptor:
            os.fsync(descriptor)

    def sync_name(self, path: Path) -> None:
        """Make a file that was written under this name survive a power cut with its name.

        FAT keeps the size and the place of a file in the entry of its name, and writes them only
        when the file is synced under that name: `write` synced it under another one.
        """
        with self._opened(path) as descriptor:
            os.fsync(descriptor)
        self.sync_directory(path.parent)

    def read(self, path: Path) -> bytes:
        """All bytes of a file."""
        with self._opened(path) as descriptor, open(descriptor, "rb", closefd=False) as file:
            return file.read()

    def read_from(self, path: Path, begin: int) -> bytes:
        """All bytes of a file from the byte `begin` on."""
        with self._opened(path) as descriptor, open(descriptor, "rb", closefd=False) as file:
            file.seek(begin)
            return file.read()

    def beginning(self, path: Path, length: int) -> tuple[bytes, int]:
        """The first `length` bytes of a file, and how many it has. Quick: many may be asked."""
        with self._opened(path) as descriptor:
            size = os.fstat(descriptor).st_size
            return os.read(descriptor, min(length, size)), size

    def checksum(self, path: Path) -> str:
        """The sha256 in hex of a file of any size."""
        with self._opened(path) as descriptor, open(descriptor, "rb", closefd=False) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def size(self, path: Path) -> int:
        """Bytes of a file, 0 when it is not there."""
        try:
            with self._open_folder(path.parent) as folder:
                return os.stat(path.name, dir_fd=folder).st_size
        except FileNotFoundError:
            return 0

    def file_names(self, path: Path) -> Iterator[str]:
        """The names of the regular files directly in `path`, in no order.

        Looks at no file: that takes a minute with many on a card.
        """
        with self._open_to_list(path) as folder, os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    yield entry.name

    def files(self, path: Path) -> Iterator[FileEntry]:
        """The regular files directly in `path`, in no order; none when it does not exist."""
        with (
            contextlib.suppress(FileNotFoundError),
            self._open_to_list(path) as folder,
            os.scandir(folder) as entries,
        ):
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    with contextlib.suppress(FileNotFoundError):  # removed since it was listed
                        status = entry.stat(follow_symlinks=False)
                        yield FileEntry(entry.name, status.st_size, status.st_ctime)

    def free_bytes(self, path: Path) -> int:
        """Bytes that we may still write on the file system of `path`."""
        stat = os.statvfs(path)
        return stat.f_bavail * stat.f_frsize

    def free_files(self, path: Path) -> int:
        """How many more files the file system of `path` may have."""
        stat = os.statvfs(path)
        return stat.f_favail if stat.f_files else sys.maxsize  # some have no limit

    def file_system(self, path: Path) -> str:
        """The type of the file system of a folder, such as `ext4`; empty when it is unknown."""
        device = path.stat().st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        try:
            mounts = Path("/proc/self/mountinfo").read_text("utf-8", "replace")
        except OSError:
            return ""
        for line in mounts.splitlines():
            mount, _, mounted = line.partition(" - ")
            if mount.split()[2] == number:
                return mounted.split()[0]
        return ""

    def device(self, path: Path) -> int:
        """The number of the file system of a path."""
        return path.stat().st_dev

    def mounted(self) -> frozenset[Path]:
        """The folders that something is mounted at now, in the view of this process."""
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
        return frozenset(Path(_unescaped(line.split()[4])) for line in lines)

    def mount_points(self) -> tuple[Path, ...]:
        """The folders that /etc/fstab mounts something at, mounted or not; without the root."""
        try:
            lines = Path("/etc/fstab").read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return ()
        fields = (line.split() for line in lines if not line.lstrip().startswith("#"))
        places = (Path(_unescaped(each[1])) for each in fields if len(each) > 1)
        return tuple(place for place in places if place.is_absolute() and place != Path("/"))

    @contextlib.contextmanager
    def locked(self, path: Path, *, seconds: float) -> Iterator[None]:
        """Hold the lock of a file, which is made if it is missing, against other processes.

        Where the file system has no locks, as some network mounts, nothing is held. Raises
        `BlockingIOError` when another process holds it for `seconds`.
        """
        with self._open_folder(path.parent) as folder:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(path.name, flags, 0o600, dir_fd=folder)
            if self._is_shared and os.fstat(descriptor).st_uid == os.geteuid():
                with contextlib.suppress(OSError):  # a file system without modes
                    os.fchmod(descriptor, 0o666)  # other devices write there as other users
        try:
            _lock(descriptor, seconds)
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _replaced(self, path: Path) -> Iterator[int]:
        """A descriptor to write to; what was written takes the name only after the block."""
        temporary = path.name + TEMPORARY_SUFFIX
        with self._open_folder(path.parent) as folder:
            _refuse_special(folder, path)
            try:
                _unlink(folder, temporary)  # of a process that was killed, or planted
                # O_CLOEXEC is Python's default; 0600 because images are private.
                descriptor = os.open(
                    temporary,
                    os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW,
                    0o600,
                    dir_fd=folder,
                )
                try:
                    if self._is_shared:
                        _share(descriptor, folder, 0o044)
                    yield descriptor
                finally:
                    os.close(descriptor)
                os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                with contextlib.suppress(OSError):
                    _unlink(folder, temporary)
                raise

    @contextlib.contextmanager
    def _opened(self, path: Path) -> Iterator[int]:
        """A descriptor to read a regular file."""
        with self._open_folder(path.parent) as folder:
            is_inside = self._inside is not None and path.is_relative_to(self._inside)
            with _regular(path, folder=folder, follow_links=not is_inside) as descriptor:
                yield descriptor

    def _is_folder(self, path: Path) -> bool:
        try:
            with self._open_folder(path):
                return True
        except (FileNotFoundError, NotADirectoryError):
            return False

    @contextlib.contextmanager
    def _open_folder(self, path: Path) -> Iterator[int]:
        """A descriptor of a folder, to name files in it."""
        root = path
        names: tuple[str, ...] = ()
        if self._inside is not None and path.is_relative_to(self._inside):
            root, names = self._inside, path.relative_to(self._inside).parts
        flags = os.O_PATH | os.O_DIRECTORY
        descriptor = os.open(root, flags)
        try:
            for name in names:
                try:
                    inner = os.open(name, flags | os.O_NOFOLLOW, dir_fd=descriptor)
                except NotADirectoryError:
                    if stat.S_ISLNK(os.lstat(name, dir_fd=descriptor).st_mode):
                        raise _refusal(f"{name} is a symbolic link", path) from None
                    raise
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _open_to_list(self, path: Path) -> Iterator[int]:
        """A descriptor of a folder, to list and to sync it."""
        with self._open_folder(path) as folder:
            descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def copied(*files: Path) -> Iterator[Path]:
    """A temporary folder with copies of those files that exist, in memory where that is possible.

    Raises `OSError`.
    """
    in_memory = Path("/dev/shm")  # noqa: S108  # a new private folder is made in it
    place = in_memory if os.access(in_memory, os.W_OK | os.X_OK) else None
    with tempfile.TemporaryDirectory(prefix="capture-agent-", dir=place) as folder:
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                Disk().copy(file, Path(folder) / file.name)
        yield Path(folder)


@contextlib.contextmanager
def temporary_file(pieces: Iterable[bytes], suffix: str) -> Iterator[Path]:
    """A file with these bytes until the end of the context; a power cut may leave any part of it.

    Raises `OSError`, and what the pieces raise.
    """
    with tempfile.TemporaryDirectory(prefix="capture-agent-") as folder:
        path = Path(folder) / f"copy{suffix}"
        with path.open("xb") as file:
            for piece in pieces:
                file.write(piece)
        yield path


@contextlib.contextmanager
def _regular(path: Path, *, folder: int | None = None, follow_links: bool = True) -> Iterator[int]:
    """A descriptor to read a regular file; `path` or its name in `folder`.

    Opening a FIFO would wait for a writer, and reading a device may never end.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow_links else os.O_NOFOLLOW)
    name = path if folder is None else path.name
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refusal("it is a symbolic link", path) from None
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _refusal("it is not a regular file", path)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened_folder(name: str, parent: int) -> Iterator[int]:
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _share(descriptor: int, parent: int, rights: int) -> None:
    """Add those of `rights` that others have on the parent; not each file system has rights."""
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode) | os.fstat(parent).st_mode & rights
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, mode)


def _refuse_special(folder: int, path: Path) -> None:
    """Raise `OSError` if what is under a name must not be replaced; a link is replaced itself."""
    try:
        mode = os.lstat(path.name, dir_fd=folder).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        raise _refusal("it is not a regular file", path)


def _refusal(why: str, path: Path) -> OSError:
    return OSError(errno.ELOOP, f"refused, because {why}", str(path))


def _unlink(folder: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _unescaped(name: str) -> str:
    """Return a name in a table of mounts as it is: blanks and backslashes are octal there."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), name)


def _lock(descriptor: int, seconds: float) -> None:
    pause = threading.Event()
    for _ in range(max(int(seconds / _LOCK_POLL_S), 1)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            failure = error
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return
            raise
        else:
            return
        pause.wait(_LOCK_POLL_S)
    raise failure


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _check_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no file")
        raise ValueError(f"it is {kind}, not a regular file")


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
