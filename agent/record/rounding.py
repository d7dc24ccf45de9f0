"""Rounds many numbers at once, each to what Python's `round` returns for it."""

import numpy as np
from numpy.typing import NDArray

from agent.domain import FloatArray

_EDGE = 1e-6  # of a unit of the last digit: far more than the product below may be off
_LARGEST = 1e9  # beyond it the product has too few digits for `_EDGE`


def rounded(values: NDArray[np.float64] | FloatArray, digits: int) -> NDArray[np.float64]:
    """Return `round(value, digits)` for each value, in a tenth of its time; `digits` is 0 to 4."""
    power = 10.0**digits
    exact = np.asarray(values, np.float64)
    scaled = exact * power
    whole = np.rint(scaled)
    found: NDArray[np.float64] = whole / power
    # In the middle between two results the product may be on the other side, or `rint` may be.
    is_odd = np.abs(scaled - whole) > 0.5 - _EDGE
    is_odd |= np.abs(scaled) > _LARGEST
    if is_odd.any():
        found[is_odd] = [round(each, digits) for each in exact[is_odd].tolist()]
    return found
