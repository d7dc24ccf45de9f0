"""The target `dir:/path`: captures as a dataset in a folder, such as a mounted disk."""

import errno
import os
import stat
from pathlib import Path
from typing import Self

from agent.domain import Receipt, StoredCapture
from agent.errors import (
    AgentError,
    CaptureRejected,
    ConfigurationError,
    DamagedDataset,
    TargetBlocked,
    TargetUnavailable,
    UnfitCapture,
)
from agent.files import Disk, is_disk_full
from agent.path_text import path_problem
from agent.ports import CaptureFolder
from agent.printable import printable
from agent.progress import doing
from agent.redaction import redact_endpoint
from agent.upload.targets.context import TargetContext

_MOUNT_ROOTS = (Path("/mnt"), Path("/media"), Path("/run/media"))
"""Folders below which disks are mounted by convention (Filesystem Hierarchy Standard 3.0)."""

_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class FolderTarget:
    """Stores captures in `folder`, which is created only inside a folder that exists.

    Where a disk should be mounted, nothing is stored on the device's own disk instead; and of its
    own disks (those of `own_folders`) `min_free` bytes stay free.

    A folder once seen is never created again: when it is gone, its disk was taken away, and what
    is below the mount point is the device's own card.
    """

    def __init__(
        self,
        folder: CaptureFolder,
        disk: Disk,
        *,
        own_folders: tuple[Path, ...] = (Path("/"),),
        min_free: int = 0,
    ) -> None:
        self.name = f"dir:{folder.directory}"
        self._directory = folder.directory
        self._disk = disk
        self._folder = folder
        self._seen = False
        self._own_folders = own_folders
        self._min_free = min_free

    @classmethod
    def from_url(cls, url: str, context: TargetContext) -> Self:
        """Make the target for `url`; see `OpensTarget`."""
        path = url.partition(":")[2]
        if not path.startswith("/") or "\0" in path:
            raise ConfigurationError(
                "AGENT_UPLOAD_URL: must be dir:/PATH with an absolute path, "
                f"not {redact_endpoint(url)!r}"
            )
        problem = path_problem(path)
        if problem is not None:
            raise ConfigurationError(
                f"AGENT_UPLOAD_URL: cannot use the path '{printable(path)}': {problem}"
            )
        return cls(
            context.capture_folder(Path(path)),
            context.disk,
            own_folders=context.own_folders,
            min_free=context.min_free,
        )

    def send(self, capture: StoredCapture) -> Receipt:
        """Store one capture; see `UploadTarget`."""
        self._require_directory()
        try:
            self._require_room(len(capture.image) + len(capture.clip) + len(capture.record_json))
            with doing(f"writes to {self.name}"):
                is_new = self._folder.store(capture.record_json, capture.image, capture.clip)
        except UnfitCapture as error:
            raise CaptureRejected(str(error)) from error
        except DamagedDataset as error:
            raise TargetBlocked(str(error)) from error
        except OSError as error:
            raise self._explained(error) from error
        self._seen = True
        return Receipt(
            capture.id,
            capture.image_sha256,
            duplicate=not is_new,
            clip_sha256=capture.clip_sha256,
        )

    def send_status(self, device: str, status: bytes) -> None:
        """Store the status of a device in `devices/` there; see `TakesStatus`."""
        self._require_directory()
        try:
            self._require_room(len(status))
            with doing(f"writes to {self.name}"):
                self._folder.store_status(device, status)
        except OSError as error:
            raise self._explained(error, "the status of this device") from error
        self._seen = True

    def probe(self) -> str:
        """Look whether the folder is there and lets us write; see `UploadTarget`."""
        self._require_directory()
        if not self._directory.is_dir() and os.path.lexists(self._directory):
            raise TargetBlocked(
                f"cannot store captures in {printable(self._directory)}: it is not a folder; "
                "name another one"
            )
        place = self._directory if self._directory.is_dir() else self._directory.parent
        if not os.access(place, os.W_OK | os.X_OK):
            if os.statvfs(place).f_flag & os.ST_RDONLY:
                raise self._explained(OSError(errno.EROFS, os.strerror(errno.EROFS)))
            raise TargetBlocked(
                f"cannot store captures in {self._directory}: this user may not write there; "
                "change the owner or the rights"
            )
        try:
            self._require_room(0)
            free = self._disk.free_bytes(place)
        except OSError as error:
            raise self._explained(error) from error
        return f"writable, {free / 1e9:.1f} GB free"

    def _require_directory(self) -> None:
        self._require_mounted()
        was_seen = self._seen  # before the look: another thread may be making it right now
        try:
            mode = self._directory.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            mode = None
        except OSError as error:
            raise self._explained(error) from error
        if mode is not None and stat.S_ISDIR(mode):
            self._seen = True
        elif mode is not None:
            raise TargetBlocked(
                f"cannot store captures in {printable(self._directory)}: it is not a folder; "
                "set AGENT_UPLOAD_URL to dir: and a folder"
            )
        elif was_seen or not self._directory.parent.is_dir():
            raise TargetUnavailable(
                f"cannot store captures in {self._directory}: it is not there; "
                "is the disk plugged in and mounted?",
                reached=False,
            )

    def _require_mounted(self) -> None:
        """Raise `TargetUnavailable` where a disk should be mounted and none is."""
        above = (self._directory, *self._directory.parents)
        roots = [one for one in (*_MOUNT_ROOTS, *self._disk.mount_points()) if one in above]
        if not roots:
            return
        mounted = self._disk.mounted().intersection(above)
        if not any(one.is_relative_to(root) for one in mounted for root in roots):
            raise TargetUnavailable(
                f"cannot store captures in {printable(self._directory)}: nothing is mounted there, "
                "it is on the device's own disk; plug the disk in and mount it, or choose a folder "
                "outside of /mnt, /media and the mount points of /etc/fstab",
                reached=False,
            )

    def _require_room(self, size: int) -> None:
        """Raise `TargetUnavailable` where `size` bytes more would fill a disk of the device."""
        place = existing_folder(self._directory)
        own = {self._disk.device(existing_folder(folder)) for folder in self._own_folders}
        free = self._disk.free_bytes(place)
        if self._disk.device(place) in own and free - size < self._min_free:
            raise TargetUnavailable(
                f"cannot store captures in {printable(self._directory)}: it is on the device's own "
                f"disk, which has {free / 1e6:.0f} MB free, and AGENT_SPOOL_MIN_FREE="
                f"{self._min_free / 1e6:.0f} MB must stay free; make room, or mount a disk there"
            )

    def _explained(self, error: OSError, what: str = "captures") -> AgentError:
        cannot = f"cannot store {what} in {self._directory}"
        if is_disk_full(error):
            return TargetUnavailable(f"{cannot}: the disk is full; make room")
        if error.errno in _FORBIDDEN:
            return TargetBlocked(
                f"{cannot}: {error.strerror}; change the rights, or mount the disk writable"
            )
        return TargetUnavailable(f"{cannot}: {error.strerror or type(error).__name__}")


def existing_folder(path: Path) -> Path:
    """Return a folder, or the nearest of those above it that exists."""
    return next(place for place in (path, *path.parents) if place.is_dir())
