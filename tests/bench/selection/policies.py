"""What others do with a budget, and the bound of what could be done."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

TUNED = 0.97
"""The threshold is the best case: an operator who knows which scores the day will bring."""


@dataclass(frozen=True)
class Scored:
    """A frame by number with what the rules said of it."""

    frame: int
    value: float
    low_confidence: float


def at_random(frames: int, credits_: int, draw: random.Random) -> list[int]:
    """Any frames."""
    return draw.sample(range(frames), credits_)


def threshold_and_counters(scored: Sequence[Scored], frames: int, credits_: int) -> list[int]:
    """The first frames over a threshold, until the counter of a minute, hour or day is full."""
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
    """The highest values, however alike."""
    best = sorted(scored, key=lambda each: (-each.value, each.frame))[:credits_]
    return sorted(each.frame for each in best)


def oracle(episodes: Sequence[frozenset[int]], credits_: int) -> list[int]:
    """One frame of each failure, as far as the credits go."""
    met: set[int] = set()
    taken: list[int] = []
    for frame, failures in enumerate(episodes):
        if failures - met and len(taken) < credits_:
            taken.append(frame)
            met |= failures
    return taken
