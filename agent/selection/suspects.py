"""Confidences relative to the threshold, and what the suspects of a frame have in common.

No rule and no tracker knows an absolute confidence: one model calls a car with 0.9, another with
0.2, and each works well at its own threshold. Distances are in logits, log(c / (1 - c)).
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Protocol, TypeVar

from agent.domain import Detection, Thresholds

NEARNESS_DECAY = 1.6
"""Per logit of distance to the threshold, the chance of an error falls by exp(-1.6).

Measured on six labelled person sequences at threshold 0.5: a box of 0.475 hides a miss in 39 % of
the cases, of 0.425 in 28 %, of 0.325 in 12 %, of 0.225 in 4 % (decay 1.8); a box of 0.525 is false
in 29 %, of 0.625 in 7 %, of 0.725 in 2 % (decay 3.3). With a threshold that is too low or too high
for the model the two sides change places, so that one decay serves both.
"""

LEAST_P = 0.02
"""Suspects below it are left out: a hundred boxes near the floor are no reason for a capture."""

MOST_SUSPECTS = 32
"""Of one frame; those with the highest `p` are kept. Bounds time and memory in a crowd."""

MOST_NAMED = 4 * MOST_SUSPECTS
"""Suspects of a frame, over all rules, of which those with the highest `p` are recorded."""

_CACHED = 8192  # each rule asks for the same confidences, in seven frames each
_ROUNDING = 1e-9  # relative
_EDGE = 1e-3  # confidences of 0 and 1 have no logit


def logit(confidence: float) -> float:
    """Return log(c / (1 - c)), of a confidence clipped to 0.001 to 0.999."""
    inside = min(max(confidence, _EDGE), 1 - _EDGE)
    return math.log(inside / (1 - inside))


@lru_cache(_CACHED)
def margin(confidence: float, threshold: float) -> float:
    """Return how far a confidence is above (positive) or below the threshold, in logits."""
    return logit(confidence) - logit(threshold)


@lru_cache(_CACHED)
def nearness(confidence: float, threshold: float) -> float:
    """Return how near to the threshold a confidence is, on either side: 1 at it, falling to 0."""
    return math.exp(-NEARNESS_DECAY * abs(margin(confidence, threshold)))


class ConfidenceAt(dict[str, float]):
    """The confidence that has a given distance to the threshold, by label.

    A fainter detection is further below its threshold than that: of many detections few are near,
    and one comparison finds them. Equal up to rounding; who needs more compares `margin`, too.
    The confidence at a distance of 0 is the threshold itself.
    """

    def __init__(self, thresholds: Thresholds, distance: float) -> None:
        """`distance` is in logits, negative below the threshold."""
        super().__init__()
        self._thresholds = thresholds
        self._distance = distance
        self._lowest = min(self[""], *(self[label] for label in thresholds.labels), 1.0)

    def reached_by(self, detections: Sequence[Detection]) -> list[Detection]:
        """Return the detections that are not fainter; the highest confidence comes first.

        None is looked at that follows the last one which could reach any label's confidence.
        """
        end = bisect_right(detections, -self._lowest, key=_falling)
        return [each for each in detections[:end] if each.confidence >= self[each.label]]

    def __missing__(self, label: str) -> float:
        threshold = self._thresholds.of(label)
        if not self._distance:
            self[label] = threshold
            return threshold
        confidence = 1 / (1 + math.exp(-logit(threshold) - self._distance))
        # Confidences beyond the edge count as those at it.
        confidence = 0.0 if confidence <= _EDGE else min(confidence, 1 - _EDGE)
        self[label] = confidence = confidence * (1 - _ROUNDING)
        return confidence


def _falling(detection: Detection) -> float:
    return -detection.confidence


class Doubt(Protocol):
    """What is compared of suspects; equal boxes are one place."""

    @property
    def rule(self) -> str:
        """The rule that named it."""

    @property
    def p(self) -> float:
        """Probability that a labeller finds an error there, 0 to 1."""

    @property
    def box(self) -> object:
        """Where it is; None = the whole frame."""

    @property
    def track(self) -> int | None:
        """Number of the object, or of the event of the rule."""


AnyDoubt = TypeVar("AnyDoubt", bound=Doubt)


def highest(suspects: Iterable[AnyDoubt]) -> tuple[AnyDoubt, ...]:
    """Return what all rules name in a frame, the highest `p` first, at most `MOST_NAMED`."""
    return tuple(sorted(suspects, key=lambda each: -each.p)[:MOST_NAMED])


def strongest(suspects: Iterable[AnyDoubt]) -> tuple[AnyDoubt, ...]:
    """Return one suspect for each track or place: of several rules the highest `p` counts.

    The class of a whole frame is one place; events of the whole frame are those of their rule.
    Highest `p` first, at most `MOST_SUSPECTS`, none below `LEAST_P`: a rule leaves those out
    itself, and reviews may lower others.
    """
    best: dict[object, AnyDoubt] = {}
    for suspect in suspects:
        if suspect.p < LEAST_P:
            continue
        key: object = suspect.box
        if suspect.track is not None:
            key = suspect.track if suspect.box is not None else (suspect.rule, suspect.track)
        known = best.get(key)
        if known is None or suspect.p > known.p:
            best[key] = suspect
    return tuple(sorted(best.values(), key=lambda each: -each.p)[:MOST_SUSPECTS])
