"""Simulated streams with known model errors, and samplers of their frames."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from agent.evaluation.metrics import MatchCounts, Reviewed

SLOT = 100  # frames


@dataclass(frozen=True, slots=True)
class Stream:
    """A model's right, wrong and missed objects in each frame; errors come in episodes."""

    right: np.ndarray
    wrong: np.ndarray
    missed: np.ndarray

    @classmethod
    def simulated(cls, random: np.random.Generator, *, frames: int = 12_000) -> "Stream":
        failing = np.repeat(random.random(frames // 20) < 0.06, 20)  # 20 frames each
        objects = random.poisson(3.0, frames)
        right = random.binomial(objects, np.where(failing, 0.5, 0.99))
        wrong = random.poisson(np.where(failing, 0.8, 0.01))
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

    def random_lane(self, random: np.random.Generator) -> list[Reviewed]:
        """Draw one frame of each slot uniformly; slots of the second half are twice as long."""
        half = len(self.right) // 2
        return [
            self.frame(start + int(random.integers(slot)), float(slot))
            for begin, end, slot in ((0, half, SLOT), (half, 2 * half, 2 * SLOT))
            for start in range(begin, end, slot)
        ]

    def score_lane(self, random: np.random.Generator, count: int) -> list[Reviewed]:
        """Return the `count` frames of the highest simulated rule score: mostly failing ones."""
        score = np.where(self.failing, 0.7, 0.3) + random.normal(0, 0.15, len(self.right))
        return [self.frame(int(place), 1.0) for place in np.argsort(-score)[:count]]
