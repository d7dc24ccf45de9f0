"""How much of the disk the spool may take, and the reserve that gets it out of a full one."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.files import Disk, is_disk_full
from agent.logs import Log
from agent.spool.index_reading import DATABASE
from agent.spool.layout import RESERVE_BYTES, SpoolPaths, prune, restore_reserve
from agent.spool.types import EvictionReason, MoveReason, SpoolLimits

RANDOM_SHARE = 0.2
"""Share of the disk that random captures keep when rules fill the rest."""

_GROWTH_BYTES = 65_536  # of the index, by the transactions between two checkpoints
_JOURNAL_BYTES = 1_500_000  # SQLite's journal and shared memory at their bounds


@dataclass(frozen=True, slots=True)
class Shortage:
    """What must leave so that new captures can be stored, and why."""

    bytes: int
    reason: EvictionReason


class DiskBudget:
    """The limits of a spool, and what it takes besides the captures that wait."""

    def __init__(
        self,
        paths: SpoolPaths,
        limits: SpoolLimits,
        disk: Disk,
        aside: Mapping[Path, int],
        log: Log,
    ) -> None:
        self._paths = paths
        self._limits = limits
        self._disk = disk
        self._aside = dict(aside)
        self._log = log
        self._is_short = False

    @property
    def random_quota(self) -> int:
        """Bytes that random captures keep."""
        return int(RANDOM_SHARE * self._limits.max_bytes)

    def overhead(self) -> int:
        """Bytes of the spool that are not waiting captures."""
        database = self._disk.size(self._paths.cache / DATABASE)
        return RESERVE_BYTES + database + _JOURNAL_BYTES + sum(self._aside.values())

    def shortage(self, size: int) -> Shortage:
        """What the disk itself has too little for `size` more bytes; no more than those."""
        room = self._disk.free_bytes(self._paths.root) - size
        short = max(self._limits.min_free, RESERVE_BYTES) - room
        limit = EvictionReason.DISK_FULL if room < RESERVE_BYTES else EvictionReason.MIN_FREE
        return Shortage(max(0, min(size, short)), limit if short > 0 else EvictionReason.BUDGET)

    def over_budget(self, used: int, short: Shortage) -> Shortage:
        """What leaves where `used` bytes of captures are wanted and the disk is `short`."""
        over = used + self.overhead() + _GROWTH_BYTES - self._limits.max_bytes
        return Shortage(over, EvictionReason.BUDGET) if over >= short.bytes else short

    def is_full(self, error: OSError) -> bool:
        """SQLite reports a full disk in several ways, so the file system is asked too."""
        return is_disk_full(error) or self._disk.free_bytes(self._paths.root) < _GROWTH_BYTES

    def free_reserve(self) -> None:
        """Others took the room: what is written now goes into the reserve's."""
        self._disk.remove(self._paths.reserve)

    def after_a_put(self, reason: EvictionReason, *, waiting: int) -> None:
        """Say once when the room ends or is there again, and keep a reserve."""
        if reason is not EvictionReason.BUDGET:
            if not self._is_short:
                self._log.warning("disk full", reason=reason, waiting=waiting)
            self._is_short = True
            return
        with contextlib.suppress(OSError):
            restore_reserve(self._disk, self._paths)
            # At the brink every other put fits; room is there when several more would.
            room = self._disk.free_bytes(self._paths.root) - self._limits.min_free
            if self._is_short and room > 2 * RESERVE_BYTES:
                self._log.warning("spool available", waiting=waiting)
                self._is_short = False

    def after_setting_aside(self, kind: MoveReason) -> None:
        """Keep the folder of this name in bounds."""
        folder = self._paths.root / kind
        with contextlib.suppress(OSError):
            self._aside[folder] = prune(self._disk, folder, self._limits.aside)

    def after_taking_back(self, size: int) -> None:
        """So many bytes left `rejected/`."""
        self._aside[self._paths.rejected] -= size
