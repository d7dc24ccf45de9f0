"""Simple policies for a labelling budget, and an upper bound."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

TUNED = 0.97
"""Quantile of the day's scores used as threshold: the best case, because it knows the day."""


@dataclass(frozen=True)
class Scored:
    """The scores of a frame."""

    frame: int
    value: float
    low_confidence: float


def at_random(frames: int, credits_: int, draw: random.Random) -> list[int]:
    """Return uniformly random frames."""
    return draw.sample(range(frames), credits_)


def threshold_and_counters(scored: Sequence[Scored], frames: int, credits_: int) -> list[int]:
    """Return the first frames above a threshold, limited per minute, hour and day."""
    enough = sorted(each.low_confidence for each in scored)[int(TUNED * len(scored))]
    per_hour, per_minute = max(1, credits_ // 8), max(1, credits_ // 50)
    hours: Counter[int] = Counter()
    minutes: Counter[int] = Counter()
    taken: list[int] = []
    for each in scored:
        hour, minute = each.frame * 24 // frames, each.frame * 24 * 60 // frames
        if len(taken) >= credits_:
            break
        if (
            each.low_confidence >= max(enough, 1e-6)
            and hours[hour] < per_hour
            and minutes[minute] < per_minute
        ):
            hours[hour] += 1
            minutes[minute] += 1
            taken.append(each.frame)
    return taken


def top_of_the_day(scored: Sequence[Scored], credits_: int) -> list[int]:
    """Return the frames of the highest values, near-duplicates included."""
    best = sorted(scored, key=lambda each: (-each.value, each.frame))[:credits_]
    return sorted(each.frame for each in best)


def oracle(episodes: Sequence[frozenset[int]], credits_: int) -> list[int]:
    """Return one frame of each failure, up to the number of credits."""
    met: set[int] = set()
    taken: list[int] = []
    for frame, failures in enumerate(episodes):
        if failures - met and len(taken) < credits_:
            taken.append(frame)
            met |= failures
    return taken
