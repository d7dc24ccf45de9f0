"""How good a model is, from its randomly drawn captures: weighted ratios with 95 % intervals.

Each measure is a ratio of two weighted totals over frames, sum(w y) / sum(w x): wrong frames by
frames, right boxes by reported boxes, found objects by objects. Its variance is the linearised one
of a ratio estimator (Sarndal, Swensson, Wretman: Model Assisted Survey Sampling, 1992, section
5.6), with the frame as the unit, so that boxes of one frame may be alike. The interval is Wilson's
with the effective sample size that this variance stands for (Korn, Graubard: Survey Methodology 24,
1998), and Student's quantile: unlike the plain normal interval it keeps its promise near 0 and 1.

The random lane draws one instant in each slot; treating the draws as independent makes intervals
too wide rather than too narrow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Term:
    """What one frame adds to a ratio."""

    weight: float  # seconds that the frame stands for; above 0
    hits: float  # at most `cases`
    cases: float  # 0 or more


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share of 0 to 1, and between what it is with 95 % confidence."""

    value: float
    low: float
    high: float
    frames: int  # that have a case
    cases: float  # unweighted


def ratio(terms: Sequence[Term]) -> Estimate | None:
    """Estimate hits by cases; None where there is no case at all."""
    numbers = np.array([(term.weight, term.hits, term.cases) for term in terms], np.float64)
    weight, hits, cases = numbers.reshape(-1, 3).T
    return weighted_ratio(weight, hits, cases)


def weighted_ratio(
    weight: NDArray[np.float64], hits: NDArray[np.float64], cases: NDArray[np.float64]
) -> Estimate | None:
    """Estimate hits by cases from one number for each frame; None where there is no case at all.

    Hits are at most the cases of their frame; frames without a weight do not count.
    """
    counted = weight > 0
    weight, hits, cases = weight[counted], hits[counted], cases[counted]
    weight = weight / weight.max(initial=1e-300)  # squares of large ones would overflow
    total = float(np.sum(weight * cases))
    if total <= 0:
        return None
    value = min(1.0, max(0.0, float(np.sum(weight * hits)) / total))
    frames = int(np.count_nonzero(cases > 0))
    size = _effective(weight, hits, cases, value)
    low, high = interval(value, size, frames)
    return Estimate(value, low, high, frames, float(cases.sum()))


def _effective(
    weight: NDArray[np.float64],
    hits: NDArray[np.float64],
    cases: NDArray[np.float64],
    value: float,
) -> float:
    """The size of the simple random sample of cases that would tell as much."""
    units, total = len(weight), float(np.sum(weight * cases))
    # Weights and clusters alone (Kish): what is left to go by where no variance shows.
    most = total**2 / float(np.sum((weight * cases) ** 2))
    if units < 2 or not 0 < value < 1:  # noqa: PLR2004 (one frame has no variance)
        return most
    residuals = float(np.sum((weight * (hits - value * cases)) ** 2))
    variance = units / (units - 1) * residuals / total**2
    if variance <= 0:
        return most
    return min(value * (1 - value) / variance, float(cases.sum()))


def interval(value: float, size: float, frames: int) -> tuple[float, float]:
    """Wilson's interval (1927) for a share seen in `size` cases of `frames` frames."""
    quantile = student(0.5 + CONFIDENCE / 2, max(1, frames - 1))
    square = quantile**2
    middle = (value + square / (2 * size)) / (1 + square / size)
    spread = value * (1 - value) / size + square / (4 * size**2)
    half = quantile * math.sqrt(spread) / (1 + square / size)
    # At the ends Wilson's own limit is 0 or 1 but for rounding.
    low = 0.0 if value == 0 else max(0.0, middle - half)
    high = 1.0 if value == 1 else min(1.0, middle + half)
    return low, high


def student(share: float, degrees: int) -> float:
    """Quantile of Student's t: exact for 1 and 2 degrees, else Cornish-Fisher (error below 1 %).

    Abramowitz and Stegun, 26.7.5.
    """
    if degrees == 1:
        return math.tan(math.pi * (share - 0.5))
    if degrees == 2:  # noqa: PLR2004
        return (2 * share - 1) * math.sqrt(2 / (4 * share * (1 - share)))
    z = NormalDist().inv_cdf(share)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return math.fsum(term / degrees**power for power, term in enumerate(terms))
