"""Eviction in its simplest form, without regard to speed."""

from collections.abc import Container, Sequence

from agent.domain import Lane, SpoolEntry
from agent.record.file_format import occupied_bytes


def naive_plan(
    entries: Sequence[SpoolEntry], *, excess: int, random_quota: int, attempted: Container[str] = ()
) -> list[SpoolEntry]:
    """Return the captures to evict, in order, so that at least `excess` bytes become free."""
    left = list(entries)
    evicted: list[SpoolEntry] = []
    while left and sum(occupied_bytes(one) for one in evicted) < excess:
        drawn = [one for one in left if one.lane is Lane.RANDOM]
        asked = [one for one in left if one.lane in {Lane.REQUESTED, Lane.VERDICT}]
        chosen = [one for one in left if one.lane in {Lane.SCORE, Lane.INTERVAL}]
        auto = [one for one in left if one.lane is Lane.AUTO]
        over_share = sum(occupied_bytes(one) for one in drawn) > random_quota
        if auto:
            leaving = min(auto, key=lambda one: (one.value, one.sequence))
        elif drawn and (over_share or not chosen):
            leaving = max(drawn, key=lambda one: (one.id not in attempted, one.random_tag))
        elif chosen:
            leaving = min(chosen, key=lambda one: (one.value, one.sequence))
        else:
            leaving = min(asked, key=lambda one: one.sequence)
        evicted.append(leaving)
        left.remove(leaving)
    return evicted
