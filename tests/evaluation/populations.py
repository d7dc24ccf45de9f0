"""Streams of frames whose quality is known, and a sampler that works as the random lane does."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from agent.evaluation.box_matching import MatchCounts
from agent.evaluation.metrics import Reviewed

SLOT = 100  # frames


@dataclass(frozen=True, slots=True)
class Stream:
    """What a model did in each frame: errors come in episodes, as in a video."""

    right: np.ndarray
    wrong: np.ndarray
    missed: np.ndarray

    @classmethod
    def made(cls, chance: np.random.Generator, *, frames: int = 12_000) -> "Stream":
        trouble = np.repeat(chance.random(frames // 20) < 0.06, 20)  # 20 frames each
        objects = chance.poisson(3.0, frames)
        right = chance.binomial(objects, np.where(trouble, 0.5, 0.99))
        wrong = chance.poisson(np.where(trouble, 0.8, 0.01))
        return cls(right, wrong, objects - right)

    @property
    def failing(self) -> np.ndarray:
        return np.asarray((self.wrong + self.missed) > 0)

    @property
    def failure_rate(self) -> float:
        return float(self.failing.mean())

    @property
    def precision(self) -> float:
        return float(self.right.sum() / (self.right.sum() + self.wrong.sum()))

    @property
    def recall(self) -> float:
        return float(self.right.sum() / (self.right.sum() + self.missed.sum()))

    def frame(self, place: int, weight: float) -> Reviewed:
        found = MatchCounts(
            Counter(car=int(self.right[place])),
            Counter(car=int(self.wrong[place])),
            Counter(car=int(self.missed[place])),
        )
        return Reviewed(weight, found.is_perfect, found)

    def random_lane(self, chance: np.random.Generator) -> list[Reviewed]:
        """One uniformly drawn frame of each slot; the second half's slots are twice as long."""
        half = len(self.right) // 2
        return [
            self.frame(start + int(chance.integers(slot)), float(slot))
            for begin, end, slot in ((0, half, SLOT), (half, 2 * half, 2 * SLOT))
            for start in range(begin, end, slot)
        ]

    def score_lane(self, chance: np.random.Generator, count: int) -> list[Reviewed]:
        """Frames that a rule found suspicious: mostly those that do fail."""
        suspicion = np.where(self.failing, 0.7, 0.3) + chance.normal(0, 0.15, len(self.right))
        return [self.frame(int(place), 1.0) for place in np.argsort(-suspicion)[:count]]
