"""Where a spool may be, its paths, the reserve, and pruning of `rejected/` and `damaged/`."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from agent.errors import ConfigurationError
from agent.files import Disk, FileEntry
from agent.spool.types import MoveReason

RESERVE_BYTES = 4_000_000

_TORN = frozenset({"vfat", "msdos", "exfat"})
"""File systems that keep size and place of a file in its name's entry, without a journal."""


@dataclass(frozen=True)
class SpoolPaths:
    """The paths of a spool."""

    root: Path

    @cached_property
    def lock(self) -> Path:
        """Locked by the one process that writes."""
        return self.root / "lock"

    @cached_property
    def reserve(self) -> Path:
        """A file that is deleted to make room on a full disk."""
        return self.root / "reserve"

    @cached_property
    def exchange(self) -> Path:
        """State and answers of a daemon that has no folder in memory for them."""
        return self.root / "live"

    @cached_property
    def ledgers(self) -> tuple[Path, Path]:
        """The two copies of the labelling budget's ledger."""
        return self.root / "ledger", self.root / "ledger-copy"

    @cached_property
    def auto_ledgers(self) -> tuple[Path, Path]:
        """The two copies of the ledger of the lane `auto`."""
        return self.root / "ledger-auto", self.root / "ledger-auto-copy"

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
        """Damaged record files, foreign files, and damaged indexes."""
        return self.root / MoveReason.DAMAGED


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


def move_reason(disk: Disk, paths: SpoolPaths, name: str) -> MoveReason:
    """Return why a file is missing from the record folder.

    A file in `rejected/` is there because of a rejection that did not finish; otherwise the file
    is damaged or lost.
    """
    return MoveReason.REJECTED if disk.size(paths.rejected / name) else MoveReason.DAMAGED


def restore_reserve(disk: Disk, paths: SpoolPaths) -> None:
    """Create the reserve again when the disk has ample room. Raises `OSError`."""
    missing = disk.size(paths.reserve) < RESERVE_BYTES
    if missing and disk.free_bytes(paths.root) > 2 * RESERVE_BYTES:
        disk.write(paths.reserve, bytes(RESERVE_BYTES))


@dataclass(frozen=True, slots=True)
class Pruned:
    """What `prune` removed from a folder, and what is left."""

    files: int
    bytes: int
    bytes_left: int


def prune(disk: Disk, folder: Path, limit: int, *, keep: str = "") -> Pruned:
    """Remove files until at most `limit` bytes are left: first those that were moved there first.

    The file `keep` stays, whatever its size. Raises `OSError`.
    """
    files = sorted(disk.files(folder), key=_age)
    left = sum(file.size for file in files)
    removed = []
    for file in files:
        if left <= limit:
            break
        if file.name != keep:
            disk.remove(folder / file.name)
            removed.append(file.size)
            left -= file.size
    return Pruned(len(removed), sum(removed), left)


def _age(file: FileEntry) -> tuple[float, str]:
    """The order in which files were moved; of the same moment, that of their sequences."""
    return file.changed, file.name.partition("-")[2]
