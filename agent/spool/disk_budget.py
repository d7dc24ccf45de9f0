"""How much of the disk the spool may use, and the reserve that lets it work on a full disk."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.files import Disk, is_disk_full
from agent.logs import Log
from agent.spool.index_reading import DATABASE
from agent.spool.layout import RESERVE_BYTES, Pruned, SpoolPaths, prune, restore_reserve
from agent.spool.types import EvictionReason, MoveReason, SpoolLimits

RANDOM_SHARE = 0.2
"""Share of the disk budget that is guaranteed to random captures."""

_GROWTH_BYTES = 65_536  # that the index may grow by between two checkpoints
_JOURNAL_BYTES = 1_500_000  # SQLite's journal and shared memory at their largest


@dataclass(frozen=True, slots=True)
class Shortage:
    """How many bytes must be evicted so that new captures fit, and why."""

    bytes: int
    reason: EvictionReason


class DiskBudget:
    """The limits of a spool, and the bytes that it uses besides waiting captures."""

    def __init__(
        self,
        paths: SpoolPaths,
        limits: SpoolLimits,
        disk: Disk,
        moved_bytes: Mapping[Path, int],
        log: Log,
    ) -> None:
        self._paths = paths
        self._limits = limits
        self._disk = disk
        self._moved_bytes = dict(moved_bytes)
        self._log = log
        self.is_short = False
        """Whether the latest captures were stored only in place of others."""

    @property
    def random_quota(self) -> int:
        """Bytes that are guaranteed to random captures."""
        return int(RANDOM_SHARE * self._limits.max_bytes)

    def overhead(self) -> int:
        """Return the bytes of the spool that are not waiting captures."""
        database = self._disk.size(self._paths.cache / DATABASE)
        return RESERVE_BYTES + database + _JOURNAL_BYTES + sum(self._moved_bytes.values())

    def shortage(self, size: int) -> Shortage:
        """Return the bytes that the file system lacks for `size` more bytes; at most `size`."""
        room = self._disk.free_bytes(self._paths.root) - size
        short = max(self._limits.min_free, RESERVE_BYTES) - room
        limit = EvictionReason.DISK_FULL if room < RESERVE_BYTES else EvictionReason.MIN_FREE
        return Shortage(max(0, min(size, short)), limit if short > 0 else EvictionReason.BUDGET)

    def over_budget(self, used: int, short: Shortage) -> Shortage:
        """Return the larger shortage: the budget's with `used` bytes of captures, or `short`.

        `used` counts the new captures; `short` is the shortage of the file system.
        """
        over = used + self.overhead() + _GROWTH_BYTES - self._limits.max_bytes
        return Shortage(over, EvictionReason.BUDGET) if over >= short.bytes else short

    def is_full(self, error: OSError) -> bool:
        """Return whether the disk is full.

        SQLite reports a full disk with several errors, so the free bytes count too.
        """
        return is_disk_full(error) or self._disk.free_bytes(self._paths.root) < _GROWTH_BYTES

    def free_reserve(self) -> None:
        """Delete the reserve file, so that the next writes have room on a full disk."""
        self._disk.remove(self._paths.reserve)

    def after_put(self, reason: EvictionReason, *, waiting: int) -> None:
        """Log once when the disk becomes full or has room again, and restore the reserve."""
        if reason is not EvictionReason.BUDGET:
            if not self.is_short:
                self._log.warning("disk full", reason=reason, waiting=waiting)
            self.is_short = True
            return
        with contextlib.suppress(OSError):
            restore_reserve(self._disk, self._paths)
            # Near the limit, puts alternately fit and do not: wait for clearly more room.
            room = self._disk.free_bytes(self._paths.root) - self._limits.min_free
            if self.is_short and room > 2 * RESERVE_BYTES:
                self._log.warning("spool available", waiting=waiting)
                self.is_short = False

    def after_move(self, why: MoveReason, name: str) -> None:
        """Prune the folder that the file `name` was moved to, but for this one."""
        folder, limit = self._paths.root / why, self._limits.max_moved_bytes
        with contextlib.suppress(OSError):
            pruned = prune(self._disk, folder, limit, keep=name)
            self._moved_bytes[folder] = pruned.bytes_left
            log_pruned(self._log, folder, pruned, limit)

    def after_requeue(self, size: int) -> None:
        """Subtract bytes that were moved from `rejected/` back to the record folder."""
        self._moved_bytes[self._paths.rejected] -= size


def log_pruned(log: Log, folder: Path, pruned: Pruned, limit: int) -> None:
    """Log what was removed, if anything was."""
    if pruned.files:
        log.warning(
            "folder pruned",
            folder=folder.name,
            files=pruned.files,
            bytes=pruned.bytes,
            limit=limit,
        )
