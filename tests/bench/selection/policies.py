"""Simple policies for a labelling budget, and an upper bound."""

import random
from collections import Counter
from collections.abc import Sequence

import numpy as np

from agent.domain import Thresholds
from agent.selection.suspects import nearness
from tests.bench.selection.failures import Seen

CANDIDATES = 3
"""Frames above the threshold for each credit: the best case, because it knows the day's scores."""


def found(day: Sequence[Seen], frames: Sequence[int]) -> int:
    """Count the distinct failures that labels of these frames show."""
    return len(frozenset().union(*(day[frame].episodes for frame in frames)))


def at_random(frames: int, credits_: int, draw: random.Random) -> list[int]:
    """Return uniformly random frames."""
    return sorted(draw.sample(range(frames), credits_))


def at_intervals(frames: int, credits_: int, phase: float) -> list[int]:
    """Return frames a fixed interval apart; `phase` is the first one's place in it, 0 to 1."""
    return [min(frames - 1, int((n + phase) * frames / credits_)) for n in range(credits_)]


def threshold_and_counters(day: Sequence[Seen], credits_: int, thresholds: Thresholds) -> list[int]:
    """Return the first frames with a doubtful box, limited per minute, hour and day."""
    scores = [max(_doubts(seen, thresholds), default=0.0) for seen in day]
    enough = max(1e-6, sorted(scores)[-min(len(scores), CANDIDATES * credits_)])
    per_hour, per_minute = max(1, credits_ // 8), max(1, credits_ // 50)
    hours: Counter[int] = Counter()
    minutes: Counter[int] = Counter()
    taken: list[int] = []
    for frame, score in enumerate(scores):
        hour, minute = frame * 24 // len(day), frame * 24 * 60 // len(day)
        if len(taken) >= credits_:
            break
        if score >= enough and hours[hour] < per_hour and minutes[minute] < per_minute:
            hours[hour] += 1
            minutes[minute] += 1
            taken.append(frame)
    return taken


def top_n(day: Sequence[Seen], credits_: int, thresholds: Thresholds) -> list[int]:
    """Return the frames with the most doubt in all their boxes, near-duplicates included."""
    scores = [sum(_doubts(seen, thresholds)) for seen in day]
    best = sorted(range(len(day)), key=lambda frame: (-scores[frame], frame))[:credits_]
    return sorted(best)


def oracle(day: Sequence[Seen], credits_: int) -> list[int]:
    """Return each time the frame with the most failures that no frame has shown yet."""
    counts = np.array([len(seen.episodes) for seen in day])
    showing: dict[int, list[int]] = {}
    for frame, seen in enumerate(day):
        for episode in seen.episodes:
            showing.setdefault(episode, []).append(frame)
    taken: list[int] = []
    while len(taken) < credits_ and counts.any():
        best = int(counts.argmax())
        taken.append(best)
        for episode in day[best].episodes:
            counts[showing.pop(episode, [])] -= 1
    return taken


def _doubts(seen: Seen, thresholds: Thresholds) -> list[float]:
    detections = seen.observation.detections
    return [nearness(each.confidence, thresholds.of(each.label)) for each in detections]
