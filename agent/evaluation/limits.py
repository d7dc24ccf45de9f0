"""The thresholds of a record that may have been written by another program.

`read_records` has checked that each threshold which a detection is compared with is a number.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """The confidences from which the application acted, and below which nothing was recorded."""

    default: float
    labels: Mapping[str, float]
    floor: float

    def of(self, label: str) -> float:
        """Return the threshold of a label."""
        return self.labels.get(label, self.default)

    def is_reached(self, detection: Mapping[str, Any]) -> bool:
        """Whether the application acted on a detection or class."""
        return bool(detection["confidence"] >= self.of(str(detection["label"])))


def limits_of(record: Mapping[str, Any]) -> Limits:
    """Return the thresholds of a checked record; 0 where it states none."""
    stated = record.get("thresholds")
    facts = stated if isinstance(stated, dict) else {}
    labels = facts.get("labels")
    return Limits(
        _number(facts.get("default")),
        {
            str(label): _number(limit)
            for label, limit in (labels.items() if isinstance(labels, dict) else ())
        },
        _number(facts.get("floor")),
    )


def _number(value: object) -> float:
    """Return a finite number, or 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    try:
        number = float(value)
    except OverflowError:  # an integer of more than 308 digits
        return 0.0
    return number if math.isfinite(number) else 0.0
