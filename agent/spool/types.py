"""Types of the spool: limits, new captures, results of a put, and the recovered state."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from agent.domain import Lane, SpoolEntry

_MOVED_SHARE = 0.05  # of the budget, for each of rejected/ and damaged/


_EVICTED = "evicted/"
"""Prefix of the counters of evictions; the reason follows."""


class EvictionReason(StrEnum):
    """Why captures were evicted. The values are part of the log, the index and `status`."""

    BUDGET = "budget"
    """The spool reached `AGENT_SPOOL_MAX`."""

    MIN_FREE = "min_free"
    """The file system has fewer free bytes than `AGENT_SPOOL_MIN_FREE`."""

    DISK_FULL = "disk_full"
    """The file system is full."""

    DUPLICATE = "duplicate"
    """A better frame of the same cell of time replaced it."""

    @property
    def counter(self) -> str:
        """Name of the counter in the index."""
        return _EVICTED + self


class MoveReason(StrEnum):
    """Why a file was moved out of the record folder: the name of its new folder and its counter."""

    REJECTED = "rejected"
    """The endpoint refused the capture for good."""

    DAMAGED = "damaged"
    """The bytes differ from what was written, or the file is not a record file."""


def evicted_by_reason(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the evictions of each reason that occurred, from all counters of a spool."""
    return {
        name.removeprefix(_EVICTED): count
        for name, count in counts.items()
        if name.startswith(_EVICTED)
    }


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """How many bytes the spool may occupy."""

    max_bytes: int
    min_free: int = 0

    @property
    def max_moved_bytes(self) -> int:
        """Most bytes that each of `rejected/` and `damaged/` may hold."""
        return int(self.max_bytes * _MOVED_SHARE)


@dataclass(frozen=True, slots=True)
class NewCapture:
    """A capture to store; the spool adds its sequence number."""

    id: str
    lane: Lane
    value: float  # expected new failures, at most 999.999
    record: Mapping[str, Any] = field(repr=False)  # without `sequence`
    image: bytes = field(repr=False)
    hint: str = ""  # for the send order
    replaces: str | None = None
    """Id of a worse capture of the same scene, which is evicted if it still waits."""
    clip: bytes = field(default=b"", repr=False)  # as the record describes it; empty for none


@dataclass(frozen=True, slots=True)
class PutResult:
    """Which captures a put stored, evicted and replaced."""

    kept: tuple[SpoolEntry, ...]
    evicted: tuple[SpoolEntry, ...]  # new captures among them were never written
    reason: EvictionReason = EvictionReason.BUDGET
    replaced: tuple[SpoolEntry, ...] = ()  # evicted for a better capture of the same scene


@dataclass(frozen=True, slots=True)
class EncodedCapture:
    """A capture as the bytes of its record file, with what the index stores of it."""

    entry: SpoolEntry
    data: bytes  # of the record file
    hint: str
    replaces: str | None


@dataclass(slots=True)
class RecoveredState:
    """What recovery found; the spool continues from it."""

    entries: dict[str, SpoolEntry]  # by id
    counts: Counter[str]
    notes: dict[str, str]
    moved_bytes: dict[Path, int]  # bytes in rejected/ and damaged/
