"""Whether confidences mean what they say: of detections with 0.8, are 80 % right?

Detections are put into ten bins of about equal weight by their confidence. The expected calibration
error (Naeini, Cooper, Hauskrecht 2015) is the weighted mean over the bins of the difference between
the mean confidence and the share that is right. Its interval is that of the bootstrap replicates,
2.5 to 97.5 %; the bins stay as they are. The error is a mean of absolute values, so that few
detections make it look larger than it is.
"""

from dataclasses import dataclass

import numpy as np

from agent.evaluation.sample import Flags, Floats, Integers

BINS = 10


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Detections of similar confidence."""

    low: float
    high: float
    confidence: float  # weighted mean
    right: float  # weighted share that is right
    detections: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far confidences are from the shares that are right."""

    error: float  # expected calibration error, 0 to 1
    low: float
    high: float
    bins: tuple[CalibrationBin, ...]


def calibration(
    confidence: Floats, is_right: Flags, frame: Integers, weight: Floats, replicated: Floats
) -> Calibration | None:
    """Compare the confidence of detections with the share that is right; None without any.

    `frame` has the number of each detection's frame. `weight` is that of the frames, `replicated`
    `[replicates, frames]`.
    """
    kept = weight[frame] > 0
    confidence, is_right, frame = confidence[kept], is_right[kept], frame[kept]
    if not len(confidence):
        return None
    bins = _bins(confidence, weight[frame])
    count = int(bins.max()) + 1
    frames = len(weight)
    cell = frame * count + bins

    def by_frame(values: Floats) -> Floats:
        sums = np.bincount(cell, weights=values, minlength=frames * count)
        return np.asarray(sums.reshape(frames, count))

    cases = by_frame(np.ones(len(cell)))
    stated, right = by_frame(confidence), by_frame(is_right.astype(np.float64))
    error = float(_error(weight[None], cases, stated, right)[0])
    errors = _error(replicated, cases, stated, right) if len(replicated) else np.array([error])
    low, high = np.quantile(errors, (0.025, 0.975))
    of_bins, of_stated, of_right = (weight @ each for each in (cases, stated, right))
    return Calibration(
        error,
        float(min(low, error)),
        float(max(high, error)),
        tuple(
            CalibrationBin(
                float(confidence[bins == number].min()),
                float(confidence[bins == number].max()),
                float(of_stated[number] / of_bins[number]),
                float(of_right[number] / of_bins[number]),
                int(np.count_nonzero(bins == number)),
            )
            for number in range(count)
        ),
    )


def _bins(confidence: Floats, weight: Floats) -> Integers:
    """Return a bin for each detection, without empty ones; equal confidences share a bin."""
    order = np.argsort(confidence, kind="stable")
    values, first = np.unique(confidence[order], return_index=True)
    before = np.concatenate(([0.0], np.cumsum(weight[order])))[first]
    wanted = np.minimum((BINS * before / weight.sum()).astype(np.intp), BINS - 1)
    _, numbers = np.unique(wanted, return_inverse=True)
    return np.asarray(numbers[np.searchsorted(values, confidence)], np.intp)


def _error(weights: Floats, cases: Floats, stated: Floats, right: Floats) -> Floats:
    total = np.maximum((weights @ cases).sum(axis=1), 1e-300)
    return np.asarray(np.abs(weights @ stated - weights @ right).sum(axis=1) / total)
