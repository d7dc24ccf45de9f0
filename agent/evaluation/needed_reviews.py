"""How many more reviews would settle a question.

The half width of an interval falls with the square root of the number of frames, so that a width
of w becomes t with n (w / t)^2 frames. At a share of 0 or 1 it falls with the number itself. Both
assume that further frames are like those seen.
"""

import math
from statistics import NormalDist

from agent.evaluation.intervals import CONFIDENCE, Estimate, student

TARGET = 0.05
"""Half width of an interval that settles a share: 5 points."""


def needed_for_width(
    estimate: Estimate | None, reviewed: int, target: float = TARGET
) -> int | None:
    """Return how many more reviewed frames bring an interval to a half width of `target`.

    0 if it is as narrow already; None where nothing is known to go by.
    """
    if estimate is None or reviewed < 1:
        return None
    ratio = (estimate.high - estimate.low) / 2 / target
    if ratio <= 1:
        return 0
    power = 1 if estimate.value in {0.0, 1.0} else 2
    return math.ceil(reviewed * (ratio**power - 1))


def needed_for_sign(difference: float, deviation: float, reviewed: int) -> int | None:
    """Return how many more reviewed frames would show that a difference is not 0.

    `deviation` is its standard deviation with `reviewed` frames. None where there is no difference.
    """
    if not difference or reviewed < 1:
        return None
    quantile = student(0.5 + CONFIDENCE / 2, max(1, reviewed - 1))
    ratio = quantile * deviation / abs(difference)
    return max(0, math.ceil(reviewed * (ratio**2 - 1)))


def needed_from_nothing(target: float = TARGET) -> int:
    """Return how many frames settle the share that needs most, 0.5."""
    return math.ceil(NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) ** 2 / 4 / target**2)
