"""From raw scores to one value: how unusual each rule's score is, and what they say together."""

import base64
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

HALF_LIFE_S = 24 * 3600.0
WARM_FRAMES = 500
TAIL = 0.9  # only what is above this share of all that the rule has seen counts

_BINS = 256


def noisy_or(weighted_scores: Iterable[float]) -> float:
    """1 minus the product of (1 - weighted score): one certain reason is enough, more add up.

    Each input and the answer are in 0 to 1; no input gives 0.
    """
    return 1.0 - math.prod(1.0 - min(1.0, max(0.0, score)) for score in weighted_scores)


@dataclass(slots=True)
class ScoreQuantiles:
    """How the scores of one rule on one camera are distributed, recent ones counting more.

    A histogram of 256 bins over 0 to 1 whose weights halve in 24 h, so that a rule that always
    fires a little and one that fires once a day can be compared by their ranks.
    """

    frames: int = 0
    _weights: NDArray[np.float64] = field(default_factory=lambda: np.zeros(_BINS))
    _unit: float = 1.0  # weight of a frame now; grows instead of all others shrinking
    _at: float | None = None

    @property
    def is_warm(self) -> bool:
        """Whether enough frames were seen for ranks to mean something."""
        return self.frames >= WARM_FRAMES

    def add(self, score: float, at: float) -> None:
        """Take a frame's score, 0 for one on which the rule did not fire; `at` in seconds."""
        if self._at is not None and at > self._at:
            self._unit *= 2.0 ** ((at - self._at) / HALF_LIFE_S)
            if self._unit > 1e9:  # noqa: PLR2004 (long before the floats lose bits)
                self._weights /= self._unit
                self._unit = 1.0
        self._at = at
        self._weights[_bin(score)] += self._unit
        self.frames += 1

    def tail_score(self, score: float) -> float:
        """0 for all but the top tenth of what was seen, rising to 1 for the highest.

        Until the sketch is warm, the raw score, clipped to 0..1, stands in, less and less: with a
        sudden change the first minutes of a day would outbid all the rest of it.
        """
        if score <= 0:
            return 0.0
        raw = min(1.0, score)
        if self.frames == 0:
            return raw
        tail = min(1.0, max(0.0, (self.rank(score) - TAIL) / (1.0 - TAIL)))
        warmth = min(1.0, self.frames / WARM_FRAMES)
        return warmth * tail + (1 - warmth) * raw

    def rank(self, score: float) -> float:
        """Share of what was seen that is lower; equal ones count half."""
        total = float(self._weights.sum())
        if total <= 0:
            return 0.0
        index = _bin(score)
        below = float(self._weights[:index].sum())
        return (below + 0.5 * float(self._weights[index])) / total

    @property
    def text(self) -> str:
        """The histogram as text, for the spool's index."""
        weights = (self._weights / self._unit).astype(np.float32)
        return f"{self.frames}:{base64.b85encode(weights.tobytes()).decode()}"

    @classmethod
    def from_text(cls, text: str) -> "ScoreQuantiles":
        """Read what `text` wrote; raises `ValueError` for anything else."""
        frames, _, code = text.partition(":")
        weights = np.frombuffer(base64.b85decode(code), np.float32).astype(np.float64)
        if weights.shape != (_BINS,) or not np.isfinite(weights).all():
            raise ValueError("cannot read the score quantiles: unknown format")
        return cls(int(frames), weights)


def _bin(score: float) -> int:
    """Bin 0 holds only the frames on which the rule did not fire."""
    if score <= 0:
        return 0
    return 1 + min(_BINS - 2, int(score * (_BINS - 1)))
