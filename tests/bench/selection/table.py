"""Figures of a bench, as text."""

import math
from collections.abc import Sequence
from statistics import mean, stdev


def interval(values: Sequence[float]) -> str:
    """Return the mean and half the width of its 95 % interval."""
    half = 1.96 * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{mean(values):.2f} ±{half:.2f}"
