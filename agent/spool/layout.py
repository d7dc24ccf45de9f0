"""What lies where in the spool's folder, and what keeps its side rooms in bounds."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from agent.files import Disk
from agent.spool.types import MoveReason

RESERVE_BYTES = 4_000_000


@dataclass(frozen=True)
class SpoolPaths:
    """The places of a spool."""

    root: Path

    @cached_property
    def lock(self) -> Path:
        """Locked by the one process that writes."""
        return self.root / "lock"

    @cached_property
    def reserve(self) -> Path:
        """Freed to get out of a full disk."""
        return self.root / "reserve"

    @cached_property
    def cache(self) -> Path:
        """The diskcache directory."""
        return self.root / "cache"

    @cached_property
    def records(self) -> Path:
        """The record files."""
        return self.cache / "records"

    @cached_property
    def rejected(self) -> Path:
        """Captures that the endpoint refused."""
        return self.root / MoveReason.REJECTED

    @cached_property
    def damaged(self) -> Path:
        """Files that are not what they were."""
        return self.root / MoveReason.DAMAGED


def missing_kind(disk: Disk, paths: SpoolPaths, name: str) -> MoveReason:
    """Where a capture went whose file is not with the others: a move may be unfinished."""
    return MoveReason.REJECTED if disk.size(paths.rejected / name) else MoveReason.DAMAGED


def restore_reserve(disk: Disk, paths: SpoolPaths) -> None:
    """Make the reserve again when there is clearly room for it. Raises `OSError`."""
    missing = disk.size(paths.reserve) < RESERVE_BYTES
    if missing and disk.free_bytes(paths.root) > 2 * RESERVE_BYTES:
        disk.write(paths.reserve, bytes(RESERVE_BYTES))


def prune(disk: Disk, folder: Path, limit: int) -> int:
    """Remove the oldest files of a folder until `limit` bytes are left; answers what is left."""
    files = sorted(disk.files(folder), key=lambda file: file.name.partition("-")[2])
    total = sum(file.size for file in files)
    for file in files:
        if total <= limit:
            break
        disk.remove(folder / file.name)
        total -= file.size
    return total
