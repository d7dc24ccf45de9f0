"""Which of two models is better on the same frames.

Both models see the same frames, so that a frame that is hard is hard for both: the difference is
known better than each figure. Its standard deviation is that over bootstrap replicates which draw
the same frames for both models (a paired bootstrap); the interval is Student's.

AP50 decides, of a classifier the accuracy: they need no threshold. The failure rate is compared at
the thresholds in use, and at the best threshold of each model, which is chosen on the same frames
and so flatters both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from agent.evaluation.bootstrap import relative, replicate_count, replicates
from agent.evaluation.class_measures import ClassifiedFrame, accuracy
from agent.evaluation.intervals import CONFIDENCE, student
from agent.evaluation.label_measures import Measured, failing_frames, measure
from agent.evaluation.needed_reviews import needed_for_sign
from agent.evaluation.sample import Flags, Floats, Sample, SampleFrame

LEAST_FRAMES = 10
"""Frames below which no difference is called clear: with a few, all replicates may agree."""


class Outcome(StrEnum):
    """What the frames say."""

    OTHER = "other is better"
    CURRENT = "current is better"
    UNCLEAR = "cannot tell yet"


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of two models: that of the other one minus that of the current one."""

    current: float
    other: float
    low: float  # of the difference
    high: float
    deviation: float  # standard deviation of the difference
    frames: int

    @property
    def value(self) -> float:
        """The difference itself."""
        return self.other - self.current

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.frames >= LEAST_FRAMES and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same frames."""

    frames: int
    outcome: Outcome
    decided_by: str  # "AP50" or "accuracy"
    ap50: Difference | None = None
    ap50_95: Difference | None = None
    accuracy: Difference | None = None
    failure_rate: Difference | None = None  # at the thresholds in use
    failure_rate_at_best: Difference | None = None  # at the best threshold of each label and model
    more_reviews: int | None = None  # that would make the deciding difference clear
    measured: Measured | None = None  # the other model's own figures
    missing_labels: tuple[str, ...] = ()  # objects have them, and the other model cannot say them
    new_labels: tuple[str, ...] = ()  # the other model acts on them, and no object has them


def compare_detectors(
    current: Sequence[SampleFrame],
    other: Sequence[SampleFrame],
    *,
    floor: float,
    known_labels: Sequence[str],
) -> Comparison:
    """Compare two detectors on the same frames, in the same order.

    `known_labels` are those of the other model; empty if they are not stated.
    """
    mine, theirs = measure(current, floor), measure(other, floor)
    count = min(len(mine.replicated), len(theirs.replicated))
    drawn = mine.replicated_weights[:count]
    ap50, ap50_95 = (
        _difference(
            (_value(mine, n), _value(theirs, n)),
            theirs.replicated[:count, n] - mine.replicated[:count, n],
            len(current),
        )
        for n in (0, 1)
    )
    weight = relative(mine.sample.weight)
    truths = {box.label for each in current for box in each.truth if not box.is_crowd}
    reported = {box.label for each in other for box in each.reported}
    acted_on = {
        box.label
        for each in other
        for box in each.reported
        if box.confidence >= each.thresholds.get(box.label, each.default_threshold)
    }
    return _decided(
        Comparison(
            len(current),
            Outcome.UNCLEAR,
            "AP50",
            ap50=ap50,
            ap50_95=ap50_95,
            failure_rate=_failures(_in_use(mine), _in_use(theirs), weight, drawn),
            failure_rate_at_best=_failures(_at_best(mine), _at_best(theirs), weight, drawn),
            measured=theirs,
            missing_labels=tuple(sorted(truths - {*known_labels, *reported})),
            new_labels=tuple(sorted(acted_on - truths)),
        ),
        ap50,
    )


def compare_classifiers(
    current: Sequence[ClassifiedFrame], other: Sequence[ClassifiedFrame]
) -> Comparison:
    """Compare two classifiers on the same frames, in the same order."""
    weights = np.array([each.weight for each in current])
    drawn = replicates(weights, replicate_count(len(current)))
    wrong = [np.array([not each.is_right for each in frames]) for frames in (current, other)]
    failures = _failures(wrong[0], wrong[1], relative(weights), drawn)
    right = None
    values = [accuracy(frames) for frames in (current, other)]
    if failures is not None and values[0] is not None and values[1] is not None:
        right = Difference(
            values[0].value,
            values[1].value,
            -failures.high,
            -failures.low,
            failures.deviation,
            failures.frames,
        )
    truths = {label for each in current for label in each.classes}
    reported = {each.best for each in other if each.best}
    return _decided(
        Comparison(
            len(current),
            Outcome.UNCLEAR,
            "accuracy",
            accuracy=right,
            failure_rate=failures,
            new_labels=tuple(sorted(reported - truths)),
        ),
        right,
    )


def _decided(comparison: Comparison, by: Difference | None) -> Comparison:
    """Return a comparison with what one difference decides."""
    if by is None:
        return comparison
    if by.is_clear:
        outcome = Outcome.OTHER if by.value > 0 else Outcome.CURRENT
        return replace(comparison, outcome=outcome, more_reviews=0)
    needed = needed_for_sign(by.value, by.deviation, comparison.frames)
    if needed is not None:
        needed = max(needed, LEAST_FRAMES - comparison.frames)
    return replace(comparison, more_reviews=needed)


def _value(measured: Measured, number: int) -> float:
    """Return mean AP50 or AP50-95; 0 where the model has no right detection, NaN if unknown."""
    found = (measured.map50, measured.map50_95)[number]
    return found.value if found is not None else float("nan")


def _failures(mine: Flags, theirs: Flags, weight: Floats, drawn: Floats) -> Difference | None:
    """Compare the share of time in which each model fails."""
    total = float(weight.sum())
    if total <= 0:
        return None
    values = (float(weight @ mine) / total, float(weight @ theirs) / total)
    more = theirs.astype(np.float64) - mine.astype(np.float64)
    return _difference(values, (drawn @ more) / drawn.sum(axis=1), len(weight))


def _difference(values: tuple[float, float], replicated: Floats, frames: int) -> Difference | None:
    known = replicated[np.isfinite(replicated)]
    if not np.isfinite(values).all() or len(known) < 2:  # noqa: PLR2004 (one has no deviation)
        return None
    deviation = float(np.std(known, ddof=1))
    half = student(0.5 + CONFIDENCE / 2, max(1, frames - 1)) * deviation
    value = values[1] - values[0]
    return Difference(values[0], values[1], value - half, value + half, deviation, frames)


def _in_use(measured: Measured) -> Flags:
    return failing_frames(measured.sample, measured.matches)


def _at_best(measured: Measured) -> Flags:
    """Return which frames have a failure at the best threshold of each label."""
    best = {each.label: each.best.threshold for each in measured.labels if each.best is not None}
    limits = np.array([best.get(label, 1.1) for label in measured.sample.labels])
    threshold = limits[measured.sample.reported.label] if len(limits) else np.empty(0)
    sample: Sample = replace(measured.sample, threshold=threshold)
    return failing_frames(sample, measured.matches)
