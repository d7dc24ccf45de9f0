"""Decides, before anything is written, what a put stores and what it evicts."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from agent.domain import LANES, EvictionClass, SpoolEntry
from agent.spool.disk_budget import Shortage
from agent.spool.eviction import EvictionQueue, InclusionProbabilities
from agent.spool.types import EncodedCapture, EvictionReason, PutResult


@dataclass(frozen=True, slots=True)
class Admission:
    """The plan of a put."""

    batch: Sequence[EncodedCapture]
    kept: tuple[EncodedCapture, ...]
    evicted: tuple[SpoolEntry, ...]  # new captures included
    replaced: tuple[SpoolEntry, ...]  # for better captures of the same scene; new included
    reason: EvictionReason
    last: int  # sequence of the last new capture
    inclusion: InclusionProbabilities  # after the put

    @property
    def leaving(self) -> list[SpoolEntry]:
        """Captures that are on disk now and that the put deletes."""
        new = {capture.entry for capture in self.batch}
        return [entry for entry in (*self.evicted, *self.replaced) if entry not in new]

    @property
    def counts(self) -> dict[str, int]:
        """Amounts to add to the spool's counters."""
        return {
            "stored": len(self.batch),
            self.reason.counter: len(self.evicted),
            EvictionReason.DUPLICATE.counter: len(self.replaced),
        }

    @property
    def stored(self) -> PutResult:
        """The result that `put` returns."""
        kept = tuple(capture.entry for capture in self.kept)
        return PutResult(kept, self.evicted, self.reason, self.replaced)


def admit(
    batch: Sequence[EncodedCapture],
    queue: EvictionQueue,
    waiting: Mapping[str, SpoolEntry],
    *,
    in_flight: Container[str],
    inclusion: InclusionProbabilities,
    shortage: Shortage,
    random_quota: int,
    last: int,
) -> Admission:
    """Return the plan of a put; change nothing.

    `last` is the sequence of the newest capture before this batch.
    """
    new = [capture.entry for capture in batch]
    evicted = queue.plan(new, excess=shortage.bytes, random_quota=random_quota)
    kept = [capture for capture in batch if capture.entry not in evicted]
    new_by_id = {one.id: one for one in new}
    worse = (
        new_by_id.get(name) or waiting.get(name)
        for name in {capture.replaces or "" for capture in kept}
        if name not in in_flight
    )
    replaced = tuple(one for one in worse if one is not None and one not in evicted)
    last += len(new)
    for entry in evicted:
        if LANES[entry.lane].eviction is EvictionClass.BY_TAG:
            inclusion = inclusion.after_eviction(entry.random_tag, last + 1)
    return Admission(
        batch,
        tuple(capture for capture in kept if capture.entry not in replaced),
        tuple(evicted),
        replaced,
        shortage.reason,
        last,
        inclusion,
    )
