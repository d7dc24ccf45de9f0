"""Reads the state of a spool from another process, without disturbing a running daemon."""

import contextlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from agent.domain import Lane, StoredCapture
from agent.errors import DamagedRecord
from agent.files import Disk
from agent.record.file_format import (
    LARGEST_BYTES,
    decode,
    file_name,
    occupied_bytes,
    parse_name,
    time_from_name,
    time_in_name,
)
from agent.spool.facts import CARRIED_NOTE, FACT_NOTE, count_in
from agent.spool.index_reading import DATABASE, read_totals
from agent.spool.layout import RESERVE_BYTES, SpoolPaths
from agent.spool.lock import Owner, owner_of
from agent.spool.types import MoveReason, evicted_by_reason

_RECENT_S = 3600


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """The state of a spool at one moment."""

    owner: Owner | None  # the process that writes, None when none runs
    waiting: int
    waiting_bytes: int
    oldest_waiting: float | None  # capture time, seconds since 1970 UTC, by the device's clock
    recent_bytes_per_hour: float  # on disk, of waiting captures of the last hour
    stored: int
    delivered: int
    rejected: int
    damaged: int
    evicted_by_reason: dict[str, int]
    last_delivered: float | None  # seconds since 1970 UTC
    occupied: int  # bytes on disk of the whole folder
    in_rejected: int = 0  # files in `rejected/`
    ledger: str | None = None  # credit ledger, as last made durable
    facts_waiting: int = 0  # verdicts that no endpoint has confirmed

    @property
    def evicted(self) -> int:
        """All evictions."""
        return sum(self.evicted_by_reason.values())


def best_waiting(directory: Path, most: int, *, camera: str = "") -> list[StoredCapture]:
    """Return the waiting captures with the highest values, of one camera or all; takes no lock.

    One that is delivered meanwhile, or is damaged, is left out. Raises `OSError`.
    """
    disk = Disk()
    records = SpoolPaths(directory.absolute()).records
    if not records.is_dir():
        return []
    found = (parse_name(name, 0) for name in disk.file_names(records))
    known = (each for each in found if each is not None)
    # Auto labels have a value of their own kind, and nobody is needed for them.
    entries = sorted(known, key=lambda each: (each.lane is Lane.AUTO, -each.value))
    captures = []
    for entry in entries:
        with contextlib.suppress(FileNotFoundError, DamagedRecord):
            data, _ = disk.beginning(records / file_name(entry), LARGEST_BYTES + 1)
            capture = decode(data)
            if camera in {"", capture.record["camera"]}:
                captures.append(capture)
        if len(captures) == most:
            break
    return captures


def read_status(directory: Path, *, now: float, disk: Disk | None = None) -> SpoolStatus:
    """Return the state of the spool in `directory`; a missing spool is empty.

    `now` is wall time, seconds since 1970 UTC. Raises `OSError` when the spool cannot be read.
    """
    disk = disk or Disk()
    paths = SpoolPaths(directory.absolute())
    if not (paths.cache / DATABASE).exists():
        return _without_index(disk, paths)
    span = time_in_name(now - _RECENT_S), time_in_name(now)
    totals = read_totals(paths.cache, span, ("last_delivered", "ledger"), (FACT_NOTE, CARRIED_NOTE))
    counts = Counter(totals.counts)
    rejected = [file.size for file in disk.files(paths.rejected)]
    moved_bytes = sum(rejected) + sum(file.size for file in disk.files(paths.damaged))
    last = totals.notes.get("last_delivered")
    return SpoolStatus(
        owner=owner_of(paths.lock),
        waiting=totals.waiting,
        waiting_bytes=totals.waiting_bytes,
        oldest_waiting=None if totals.oldest is None else time_from_name(totals.oldest),
        recent_bytes_per_hour=totals.recent_bytes / (_RECENT_S / 3600),
        stored=counts["stored"],
        delivered=counts["delivered"],
        rejected=counts[MoveReason.REJECTED],
        damaged=counts[MoveReason.DAMAGED],
        evicted_by_reason=evicted_by_reason(counts),
        last_delivered=float(last) if last else None,
        occupied=totals.waiting_bytes
        + moved_bytes
        + sum(file.size for file in disk.files(paths.cache))
        + min(RESERVE_BYTES, disk.size(paths.reserve)),
        in_rejected=len(rejected),
        ledger=totals.notes.get("ledger"),
        facts_waiting=count_in(totals.listed[FACT_NOTE], totals.listed[CARRIED_NOTE]),
    )


def _without_index(disk: Disk, paths: SpoolPaths) -> SpoolStatus:
    """Return the state of a spool that is missing, or whose index is: what the file names say.

    The next start rebuilds the index from them.
    """
    found = (parse_name(file.name, file.size) for file in disk.files(paths.records))
    entries = [entry for entry in found if entry is not None]
    size = sum(map(occupied_bytes, entries))
    return SpoolStatus(
        owner=owner_of(paths.lock),
        waiting=len(entries),
        waiting_bytes=size,
        oldest_waiting=None,
        recent_bytes_per_hour=0.0,
        stored=len(entries),
        delivered=0,
        rejected=0,
        damaged=0,
        evicted_by_reason={},
        last_delivered=None,
        occupied=size,
        in_rejected=sum(1 for _ in disk.files(paths.rejected)),
    )
