"""Precision, recall and F1 of a label over the threshold, and the threshold of the best F1.

Below the floor of the records nothing is known: detections there were discarded on the device.
"""

from dataclasses import dataclass

import numpy as np

from agent.evaluation.average_precision import LabelCurve
from agent.evaluation.intervals import Estimate, weighted_ratio
from agent.evaluation.sample import Flags, Floats

FLAT = 0.01
"""F1 that a threshold may lack, and still be as good as the best."""

_DECIMALS = (2, 3, 4)  # of a threshold to paste
_ROUNDING = 0.003  # F1 that a threshold of fewer digits may lose


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """Weighted figures of one label at each confidence that occurs; at an IoU of 0.5."""

    threshold: Floats  # [n], falling
    precision: Floats  # [n], of what is at or above it
    recall: Floats  # [n]

    @property
    def f1(self) -> Floats:
        """Harmonic mean of precision and recall, 0 where both are 0."""
        both = self.precision + self.recall
        return np.asarray(2 * self.precision * self.recall / np.where(both > 0, both, 1.0))


@dataclass(frozen=True, slots=True)
class BestThreshold:
    """The threshold of the best F1, and how flat the curve is around it."""

    threshold: float
    f1: float
    precision: float
    recall: float
    flat_low: float  # from here to `flat_high` F1 is at most 0.01 lower
    flat_high: float
    ends_at_floor: bool  # F1 is flat down to the floor, and may be better below


def threshold_curve(curve: LabelCurve, weight: Floats) -> ThresholdCurve:
    """Return the figures at each confidence; empty without detections or objects of a weight."""
    total = float(weight[curve.object_frame].sum())
    if total <= 0 or not len(curve.confidence):
        return ThresholdCurve(np.empty(0), np.empty(0), np.empty(0))
    own = weight[curve.frame]
    right = np.cumsum(own * curve.hit[0])
    counted = np.cumsum(own * ~curve.ignored[0])
    last = np.flatnonzero(np.diff(curve.confidence, append=-1.0))  # of equal confidences
    precision = right[last] / np.where(counted[last] > 0, counted[last], 1.0)
    return ThresholdCurve(curve.confidence[last], precision, right[last] / total)


def best_threshold(curve: ThresholdCurve, floor: float) -> BestThreshold | None:
    """Return the threshold of the best F1; None where no detection is right.

    Of equal ones it is the highest, with as few digits as cost at most 0.003 of F1.
    """
    f1 = curve.f1
    if not len(f1) or f1.max() <= 0:
        return None
    best = int(np.argmax(f1))
    flat = f1 >= f1[best] - FLAT
    first = best - int(np.argmin(flat[best::-1])) + 1 if not flat[: best + 1].all() else 0
    after = best + int(np.argmin(flat[best:])) - 1 if not flat[best:].all() else len(f1) - 1
    chosen = _short(curve, best, floor)
    kept = int(np.count_nonzero(curve.threshold >= chosen)) - 1
    return BestThreshold(
        chosen,
        float(f1[kept]),
        float(curve.precision[kept]),
        float(curve.recall[kept]),
        float(curve.threshold[after]),
        float(curve.threshold[first]),
        ends_at_floor=after == len(f1) - 1,
    )


def precision_at(curve: LabelCurve, weight: Floats, chosen: Flags) -> Estimate | None:
    """Estimate which share of some detections is right; `chosen` marks them.

    `weight` is that of the frames. None where there is no such detection.
    """
    frames = len(weight)
    hits = np.bincount(curve.frame[chosen & curve.hit[0]], minlength=frames)
    cases = np.bincount(curve.frame[chosen & ~curve.ignored[0]], minlength=frames)
    return weighted_ratio(weight, hits.astype(np.float64), cases.astype(np.float64))


def recall_at(curve: LabelCurve, weight: Floats, chosen: Flags) -> Estimate | None:
    """Estimate which share of the objects some detections find; None without an object."""
    frames = len(weight)
    hits = np.bincount(curve.frame[chosen & curve.hit[0]], minlength=frames)
    cases = np.bincount(curve.object_frame, minlength=frames)
    return weighted_ratio(weight, hits.astype(np.float64), cases.astype(np.float64))


def precision_above(curve: LabelCurve, weight: Floats, confidence: float) -> Estimate | None:
    """Estimate the precision of detections at or above a confidence."""
    return precision_at(curve, weight, curve.confidence >= confidence)


def f1_of(precision: Estimate | None, recall: Estimate | None) -> float:
    """Return the F1 of two estimates; 0 where either is unknown."""
    if precision is None or recall is None or precision.value + recall.value <= 0:
        return 0.0
    return 2 * precision.value * recall.value / (precision.value + recall.value)


def _short(curve: ThresholdCurve, best: int, floor: float) -> float:
    """Return a threshold of few digits whose F1 is nearly that of the best one.

    It lies between the faintest detection that the best threshold keeps and the next one, or near.
    """
    at = float(curve.threshold[best])
    is_last = best + 1 == len(curve.threshold)
    below = min(floor, at) if is_last else float(curve.threshold[best + 1])
    f1 = curve.f1
    for decimals in _DECIMALS:
        middle = round((below + at) / 2, decimals)
        kept = int(np.count_nonzero(curve.threshold >= middle)) - 1
        if middle >= floor and kept >= 0 and f1[best] - f1[kept] <= _ROUNDING:
            return middle
    return at
