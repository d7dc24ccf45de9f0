"""The figures of each label of a detector, from weighted frames whose objects are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.evaluation.average_precision import LabelCurve, average_precision, label_curves
from agent.evaluation.bootstrap import bootstrap_estimate, relative, replicate_count, replicates
from agent.evaluation.calibration import Calibration, calibration
from agent.evaluation.intervals import Estimate, weighted_ratio
from agent.evaluation.matching import Matches, match
from agent.evaluation.sample import Flags, Floats, Integers, Sample, SampleFrame, sample_of
from agent.evaluation.thresholds import (
    BestThreshold,
    ThresholdCurve,
    best_threshold,
    f1_of,
    precision_at,
    recall_at,
    threshold_curve,
)


@dataclass(frozen=True, slots=True)
class OfLabel:
    """How well one label is recognised."""

    label: str
    objects: int
    detections: int  # down to the floor
    precision: Estimate | None  # at the thresholds in use
    recall: Estimate | None
    ap50: Estimate | None
    ap50_95: Estimate | None
    recall_at_floor: Estimate | None  # of all detections: AP cannot see beyond it
    best: BestThreshold | None
    curve: ThresholdCurve
    calibration: Calibration | None

    @property
    def f1(self) -> float:
        """F1 at the thresholds in use."""
        return f1_of(self.precision, self.recall)

    @property
    def is_seen(self) -> bool:
        """Whether it has an object, or was reported at its threshold."""
        return self.precision is not None or self.recall is not None


@dataclass(frozen=True, slots=True)
class Measured:
    """A detector's figures on a sample, with what else is computed from them."""

    sample: Sample
    matches: Matches
    labels: tuple[OfLabel, ...]  # in alphabetical order
    precision: Estimate | None  # of all labels together
    recall: Estimate | None
    map50: Estimate | None  # mean over the labels that have objects
    map50_95: Estimate | None
    calibration: Calibration | None
    replicated: Floats  # [replicates, 2]: mean AP50 and AP50-95 of each
    replicated_weights: Floats  # [replicates, frames]

    @property
    def seen(self) -> tuple[OfLabel, ...]:
        """The labels that are worth a row in a table, those with most objects first."""
        found = [each for each in self.labels if each.is_seen]
        return tuple(sorted(found, key=lambda each: -each.objects))


def measure(frames: Sequence[SampleFrame], floor: float) -> Measured:
    """Measure a detector on frames whose objects are known; `floor` is that of the records."""
    sample = sample_of(frames)
    matches = match(sample.reported, sample.truth)
    curves = label_curves(sample, matches)
    weight = relative(sample.weight)
    drawn = replicates(sample.weight, replicate_count(len(sample.reported)))
    aps = [_average_precisions(curve, weight, drawn) for curve in curves]
    labels = tuple(
        _of_label(curve, each, weight, drawn, floor)
        for curve, each in zip(curves, aps, strict=True)
    )
    with_objects = [each for each in aps if np.isfinite(each[0]).all()]
    map50 = map50_95 = None
    replicated = np.full((len(drawn), 2), np.nan)
    if with_objects:
        values = np.array([each[0] for each in with_objects])  # [labels, 2]
        together = np.ma.masked_invalid(np.array([each[1] for each in with_objects]))
        replicated = np.asarray(together.mean(axis=0).filled(np.nan))
        objects = sample.truth.frame[~sample.truth.crowd]
        facts = {"frames": len(np.unique(objects)), "cases": float(len(objects))}
        map50, map50_95 = (
            bootstrap_estimate(float(values[:, n].mean()), replicated[:, n], **facts)  # type: ignore[arg-type]
            for n in (0, 1)
        )
    reported = _together(sample, matches)
    return Measured(
        sample,
        matches,
        labels,
        reported[0],
        reported[1],
        map50,
        map50_95,
        calibration(
            sample.reported.confidence[~matches.ignored[0]],
            matches.hit[0][~matches.ignored[0]],
            sample.reported.frame[~matches.ignored[0]],
            weight,
            drawn,
        ),
        replicated,
        drawn,
    )


def failing_frames(sample: Sample, matches: Matches) -> Flags:
    """Return which frames have a failure at the thresholds in use, `[frames]`."""
    is_reported = sample.reported.confidence >= sample.threshold
    wrong = is_reported & ~matches.hit[0] & ~matches.ignored[0]
    missed = missed_objects(sample, matches)
    frames = len(sample.weight)
    return np.asarray(
        np.bincount(sample.reported.frame[wrong], minlength=frames)
        + np.bincount(sample.truth.frame[missed], minlength=frames)
        > 0
    )


def missed_objects(sample: Sample, matches: Matches) -> Flags:
    """Return which objects no detection at or above its threshold finds."""
    is_reported = sample.reported.confidence >= sample.threshold
    found = matches.found_by >= 0
    if len(is_reported):
        found &= is_reported[np.maximum(matches.found_by, 0)]
    return np.asarray(~found & ~sample.truth.crowd)


def _average_precisions(curve: LabelCurve, weight: Floats, drawn: Floats) -> tuple[Floats, Floats]:
    """Return AP50 and AP50-95 of a label, `[2]`, and those of each replicate, `[replicates, 2]`."""

    def both(values: Floats) -> Floats:
        return np.stack((values[:, 0], values.mean(axis=1)), axis=1)

    return both(average_precision(curve, weight[None]))[0], both(average_precision(curve, drawn))


def _of_label(
    curve: LabelCurve,
    aps: tuple[Floats, Floats],
    weight: Floats,
    drawn: Floats,
    floor: float,
) -> OfLabel:
    everything = np.ones(len(curve.frame), np.bool_)
    shown = threshold_curve(curve, weight)
    frames, cases = len(np.unique(curve.object_frame)), float(len(curve.object_frame))
    ap50, ap50_95 = (
        bootstrap_estimate(float(aps[0][n]), aps[1][:, n], frames=frames, cases=cases)
        for n in (0, 1)
    )
    counted = ~curve.ignored[0]
    return OfLabel(
        curve.label,
        len(curve.object_frame),
        len(curve.frame),
        precision_at(curve, weight, curve.is_reported),
        recall_at(curve, weight, curve.is_reported),
        ap50,
        ap50_95,
        recall_at(curve, weight, everything),
        best_threshold(shown, floor),
        shown,
        calibration(
            curve.confidence[counted], curve.hit[0][counted], curve.frame[counted], weight, drawn
        ),
    )


def _together(sample: Sample, matches: Matches) -> tuple[Estimate | None, Estimate | None]:
    """Return precision and recall of all labels together, at the thresholds in use."""
    is_reported = sample.reported.confidence >= sample.threshold
    frames = len(sample.weight)

    def by_frame(frame: Integers) -> Floats:
        return np.bincount(frame, minlength=frames).astype(np.float64)

    right = by_frame(sample.reported.frame[is_reported & matches.hit[0]])
    counted = by_frame(sample.reported.frame[is_reported & ~matches.ignored[0]])
    objects = by_frame(sample.truth.frame[~sample.truth.crowd])
    return (
        weighted_ratio(sample.weight, right, counted),
        weighted_ratio(sample.weight, right, objects),
    )
