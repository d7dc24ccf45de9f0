"""Who is stored by a put and who leaves for it: decided before anything is written."""

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
    evicted: tuple[SpoolEntry, ...]  # new captures among them
    replaced: tuple[SpoolEntry, ...]  # by a better capture of the same scene, new ones included
    reason: EvictionReason
    last: int  # sequence of the last new capture
    thinning: InclusionProbabilities  # afterwards

    @property
    def leaving(self) -> list[SpoolEntry]:
        """Those that were there and are not any more."""
        new = {newcomer.entry for newcomer in self.batch}
        return [entry for entry in (*self.evicted, *self.replaced) if entry not in new]

    @property
    def counts(self) -> dict[str, int]:
        """To be added to the spool's."""
        return {
            "stored": len(self.batch),
            self.reason.counter: len(self.evicted),
            EvictionReason.DUPLICATE.counter: len(self.replaced),
        }

    @property
    def stored(self) -> PutResult:
        """What the caller hears when it is done."""
        kept = tuple(newcomer.entry for newcomer in self.kept)
        return PutResult(kept, self.evicted, self.reason, self.replaced)


def admit(
    batch: Sequence[EncodedCapture],
    catalogue: EvictionQueue,
    waiting: Mapping[str, SpoolEntry],
    *,
    in_flight: Container[str],
    thinning: InclusionProbabilities,
    shortage: Shortage,
    random_quota: int,
    last: int,
) -> Admission:
    """Decide. `last` is the sequence of the last capture before these; nothing is changed."""
    new = [newcomer.entry for newcomer in batch]
    evicted = catalogue.plan(new, excess=shortage.bytes, random_quota=random_quota)
    kept = [newcomer for newcomer in batch if newcomer.entry not in evicted]
    just_come = {one.id: one for one in new}
    worse = (
        just_come.get(name) or waiting.get(name)
        for name in {newcomer.replaces or "" for newcomer in kept}
        if name not in in_flight
    )
    replaced = tuple(one for one in worse if one is not None and one not in evicted)
    last += len(new)
    for entry in evicted:
        if LANES[entry.lane].eviction is EvictionClass.BY_TAG:
            thinning = thinning.evicted(entry.random_tag, last + 1)
    return Admission(
        batch,
        tuple(newcomer for newcomer in kept if newcomer.entry not in replaced),
        tuple(evicted),
        replaced,
        shortage.reason,
        last,
        thinning,
    )
