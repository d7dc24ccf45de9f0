"""What the spool holds, as another process sees it while the daemon runs, without disturbing it."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from agent.files import Disk
from agent.record.file_format import time_from_name, time_in_name
from agent.spool.index_reading import DATABASE, read_totals
from agent.spool.layout import RESERVE_BYTES, SpoolPaths
from agent.spool.lock import owner_process, published
from agent.spool.types import MoveReason, evicted_by_reason

_RECENT_S = 3600


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """A spool at one moment."""

    owner: int | None  # process that writes, None when none runs
    waiting: int
    waiting_bytes: int
    oldest_waiting: float | None  # seconds since 1970 UTC, by the device's clock at capture
    recent_bytes_per_hour: float  # of what still waits, captured in the last hour
    stored: int
    delivered: int
    rejected: int
    damaged: int
    evicted_by_reason: dict[str, int]
    last_delivered: float | None  # seconds since 1970 UTC
    occupied: int  # bytes of the whole folder
    in_flight: int = 0  # being sent by the process that owns it
    last_error: str | None = None  # of its latest delivery, None after a successful one
    upload: str | None = None  # what the endpoint lets it do
    model: str | None = None  # that it runs
    model_error: str | None = None  # why it runs that one and not the file at AGENT_MODEL
    ledger: str | None = None  # of credits, as it was durable last

    @property
    def evicted(self) -> int:
        """All evictions."""
        return sum(self.evicted_by_reason.values())


def read_status(directory: Path, *, now: float, disk: Disk | None = None) -> SpoolStatus:
    """Look at the spool in `directory`; one that was never made is empty.

    `now` is wall time. Raises `OSError` when it cannot be read.
    """
    disk = disk or Disk()
    paths = SpoolPaths(directory.absolute())
    if not (paths.cache / DATABASE).exists():
        return SpoolStatus(owner_process(paths.lock), 0, 0, None, 0.0, 0, 0, 0, 0, {}, None, 0)
    span = time_in_name(now - _RECENT_S), time_in_name(now)
    totals = read_totals(paths.cache, span, ("last_delivered", "ledger"))
    counts = Counter(totals.counts)
    aside = sum(file.size for path in (paths.rejected, paths.damaged) for file in disk.files(path))
    last = totals.notes.get("last_delivered")
    owner = owner_process(paths.lock)
    facts = published(paths.lock) if owner is not None else {}
    return SpoolStatus(
        owner=owner,
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
        + aside
        + sum(file.size for file in disk.files(paths.cache))
        + min(RESERVE_BYTES, disk.size(paths.reserve)),
        in_flight=int(facts.get("in_flight", 0)),
        last_error=facts.get("last_error"),
        upload=facts.get("upload"),
        model=facts.get("model"),
        model_error=facts.get("model_error"),
        ledger=totals.notes.get("ledger"),
    )
