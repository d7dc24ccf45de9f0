"""What goes into the spool, what comes of it, and what it begins with."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.domain import Lane, SpoolEntry

_ASIDE_SHARE = 0.05  # of the budget, each for rejected/ and damaged/


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """What the spool may occupy."""

    max_bytes: int
    min_free: int = 0

    @property
    def aside(self) -> int:
        """Bytes that `rejected/`, and likewise `damaged/`, may hold."""
        return int(self.max_bytes * _ASIDE_SHARE)


@dataclass(frozen=True, slots=True)
class NewCapture:
    """A capture that is to be stored; the spool adds its sequence number."""

    id: str
    lane: Lane
    value: float  # 0 to 1
    record: Mapping[str, Any] = field(repr=False)  # schema 1 without `sequence`
    image: bytes = field(repr=False)
    hint: str = ""  # for the order of sending
    replaces: str | None = None  # id of a capture that leaves if it still waits: the same, worse


@dataclass(frozen=True, slots=True)
class PutResult:
    """What became of a put."""

    kept: tuple[SpoolEntry, ...]
    evicted: tuple[SpoolEntry, ...]  # new captures among them were never written
    reason: str = "budget"
    replaced: tuple[SpoolEntry, ...] = ()  # by a better capture of the same scene


@dataclass(frozen=True, slots=True)
class EncodedCapture:
    """A capture on its way to the disk."""

    entry: SpoolEntry
    data: bytes  # of the record file
    hint: str
    replaces: str | None


@dataclass(slots=True)
class RecoveredState:
    """What recovery found and the spool continues from."""

    entries: dict[str, SpoolEntry]  # by id
    counts: Counter[str]
    notes: dict[str, str]
    aside: dict[Path, int]  # bytes in rejected/ and damaged/
