"""Figures of a bench, as text."""

import math
from collections.abc import Sequence
from statistics import mean, stdev


def interval(values: Sequence[float]) -> str:
    """Return the mean and half the width of its 95 % interval."""
    return f"{mean(values):.2f} ±{half_width(values):.2f}"


def half_width(values: Sequence[float]) -> float:
    """Return half the width of the 95 % interval of the mean; 0 of a single value."""
    return 1.96 * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
