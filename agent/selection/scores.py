"""From the scores of several rules to one value."""

import math
from collections.abc import Iterable


def noisy_or(weighted_scores: Iterable[float]) -> float:
    """1 minus the product of (1 - weighted score): one certain reason is enough, more add up.

    Each input and the answer are in 0 to 1; no input gives 0.
    """
    return 1.0 - math.prod(1.0 - min(1.0, max(0.0, score)) for score in weighted_scores)
