"""Counters for the minute summary and the totals."""

import math
import threading
from collections import Counter
from dataclasses import dataclass, field

from agent.runtime.followed import FollowedCaptures


@dataclass(slots=True)
class Stats:
    """Counts since the last `take` and since the start. Thread-safe."""

    followed: FollowedCaptures = field(default_factory=FollowedCaptures)
    """What became of the captures that somebody asked for."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _total: Counter[str] = field(default_factory=Counter)
    _recent: Counter[str] = field(default_factory=Counter)
    _inference_s: list[float] = field(default_factory=list)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._total[name] += amount
            self._recent[name] += amount

    def inferred(self, seconds: float) -> None:
        """One frame was analysed in so many seconds."""
        with self._lock:
            self._total["analysed"] += 1
            self._recent["analysed"] += 1
            self._inference_s.append(seconds)

    def total(self) -> Counter[str]:
        """Everything since the start."""
        with self._lock:
            return Counter(self._total)

    def take(self) -> tuple[Counter[str], list[float]]:
        """Everything since the last call: counters, and seconds of each inference."""
        with self._lock:
            recent, self._recent = self._recent, Counter()
            seconds, self._inference_s = self._inference_s, []
            return recent, seconds


def percentile(values: list[float], share: float) -> float:
    """The least value that `share` of the values do not exceed (nearest rank); 0 for none."""
    if not values:
        return 0.0
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
