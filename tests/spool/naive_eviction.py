"""Eviction as one would write it without a thought of speed."""

from collections.abc import Container, Sequence

from agent.domain import Lane, SpoolEntry
from agent.record.file_format import occupied_bytes


def naive_plan(
    entries: Sequence[SpoolEntry], *, excess: int, random_quota: int, tried: Container[str] = ()
) -> list[SpoolEntry]:
    """Who leaves, first to leave first, so that at least `excess` bytes become free."""
    left = list(entries)
    victims: list[SpoolEntry] = []
    while left and sum(occupied_bytes(one) for one in victims) < excess:
        drawn = [one for one in left if one.lane is Lane.RANDOM]
        asked = [one for one in left if one.lane is Lane.REQUESTED]
        chosen = [one for one in left if one.lane in {Lane.SCORE, Lane.INTERVAL}]
        over_share = sum(occupied_bytes(one) for one in drawn) > random_quota
        if drawn and (over_share or not chosen):
            victim = max(drawn, key=lambda one: (one.id not in tried, one.random_tag))
        elif chosen:
            victim = min(chosen, key=lambda one: (one.value, one.sequence))
        else:
            victim = min(asked, key=lambda one: one.sequence)
        victims.append(victim)
        left.remove(victim)
    return victims
