"""Simulated streams with known model errors, and samplers of their frames."""

from dataclasses import dataclass

import numpy as np

from agent.evaluation.intervals import Estimate, weighted_ratio

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

    def frames(self, places: np.ndarray, weight: np.ndarray) -> "Drawn":
        return Drawn(weight, self.right[places], self.wrong[places], self.missed[places])

    def random_lane(self, random: np.random.Generator) -> "Drawn":
        """Draw one frame of each slot uniformly; slots of the second half are twice as long."""
        half = len(self.right) // 2
        starts = np.concatenate((np.arange(0, half, SLOT), np.arange(half, 2 * half, 2 * SLOT)))
        slots = np.where(starts < half, SLOT, 2 * SLOT)
        return self.frames(starts + random.integers(slots), slots.astype(np.float64))

    def score_lane(self, random: np.random.Generator, count: int) -> "Drawn":
        """Return the `count` frames of the highest simulated rule score: mostly failing ones."""
        score = np.where(self.failing, 0.7, 0.3) + random.normal(0, 0.15, len(self.right))
        return self.frames(np.argsort(-score)[:count], np.ones(count))


@dataclass(frozen=True, slots=True)
class Drawn:
    """Frames of a sample, with the weight of each."""

    weight: np.ndarray
    right: np.ndarray
    wrong: np.ndarray
    missed: np.ndarray

    def failure_rate(self) -> Estimate | None:
        failing = (self.wrong + self.missed) > 0
        return weighted_ratio(self.weight, failing.astype(float), np.ones(len(failing)))

    def precision(self) -> Estimate | None:
        return weighted_ratio(self.weight, self.right, self.right + self.wrong)

    def recall(self) -> Estimate | None:
        return weighted_ratio(self.weight, self.right, self.right + self.missed)
