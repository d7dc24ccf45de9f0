"""Average precision as COCO defines it, of weighted frames, for many weightings at once.

Precision is taken at the 101 recalls 0, 0.01, ..., 1: the highest precision at that recall or
above. Of each frame and label the 100 most confident detections count. AP50 is that at an IoU of
0.5, AP50-95 the mean over the ten IoUs 0.5, 0.55, ..., 0.95. With equal weights it is what
pycocotools computes for all areas.
"""

from dataclasses import dataclass, replace

import numpy as np

from agent.evaluation.matching import Matches
from agent.evaluation.sample import Flags, Floats, Integers, Sample

MOST_DETECTIONS = 100
"""Detections of a label in a frame that count: COCO's `maxDets`."""

_RECALLS = np.linspace(0.0, 1.0, 101)
_MOST_NUMBERS = 100_000  # weights of detections at once: they fit into the cache of a processor
_TINY = float(np.spacing(1))  # COCO's, against a division by 0


@dataclass(frozen=True, slots=True)
class LabelCurve:
    """The detections of one label, the most confident first, and in which frames its objects are.

    Rows of the flags are IoU thresholds.
    """

    label: str
    confidence: Floats  # [n], falling
    frame: Integers  # [n]
    hit: Flags  # [ious, n]
    ignored: Flags  # [ious, n]
    is_reported: Flags  # [n]: at or above the threshold in use
    object_frame: Integers  # [objects], without crowds
    rank: Integers  # [n], 0 for the most confident one of its frame
    detection: Integers  # [n], rows of the sample's detections

    def most_confident(self, count: int) -> "LabelCurve":
        """Return the curve of so many detections of each frame."""
        kept = self.rank < count
        if kept.all():
            return self
        return replace(
            self,
            confidence=self.confidence[kept],
            frame=self.frame[kept],
            hit=self.hit[:, kept],
            ignored=self.ignored[:, kept],
            is_reported=self.is_reported[kept],
            rank=self.rank[kept],
            detection=self.detection[kept],
        )


def label_curves(sample: Sample, matches: Matches) -> list[LabelCurve]:
    """Return the detections of each label of a sample, sorted by confidence."""
    order = np.argsort(-sample.reported.confidence, kind="stable")
    found = []
    for number, label in enumerate(sample.labels):
        rows = order[sample.reported.label[order] == number]
        objects = (sample.truth.label == number) & ~sample.truth.crowd
        found.append(
            LabelCurve(
                label,
                sample.reported.confidence[rows],
                sample.reported.frame[rows],
                matches.hit[:, rows],
                matches.ignored[:, rows],
                sample.reported.confidence[rows] >= sample.threshold[rows],
                sample.truth.frame[objects],
                matches.rank[rows],
                rows,
            )
        )
    return found


def average_precision(curve: LabelCurve, weights: Floats) -> Floats:
    """Return the AP at each IoU for each weighting of the frames, `[weightings, ious]`, 0 to 1.

    `weights` is `[weightings, frames]`, 0 and up. NaN where no frame with an object has a weight.
    """
    curve = curve.most_confident(MOST_DETECTIONS)
    step = max(1, _MOST_NUMBERS // max(1, len(curve.frame)))
    parts = [
        _average_precision(curve, weights[begin : begin + step])
        for begin in range(0, len(weights), step)
    ]
    return np.concatenate(parts)


def _average_precision(curve: LabelCurve, weights: Floats) -> Floats:
    objects = np.bincount(curve.object_frame, minlength=weights.shape[1])
    total = weights @ objects
    of_detection = weights[:, curve.frame]
    all_counted = np.cumsum(of_detection, axis=1)
    found = np.empty((len(weights), len(curve.hit)))
    for number, (hit, ignored) in enumerate(zip(curve.hit, curve.ignored, strict=True)):
        counted = np.cumsum(of_detection * ~ignored, axis=1) if ignored.any() else all_counted
        places = np.flatnonzero(hit)  # elsewhere recall stands still and precision falls
        right = np.cumsum(of_detection[:, places], axis=1)
        found[:, number] = _area(right, counted[:, places], total)
    found[total <= 0] = np.nan
    return found


def _area(right: Floats, counted: Floats, total: Floats) -> Floats:
    """Return the mean of the highest precisions at the 101 recalls; the arrays are sums so far."""
    if not right.shape[1]:
        return np.zeros(len(right))
    precision = right / (counted + _TINY)
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = right / np.where(total > 0, total, 1.0)[:, None]
    reached = np.searchsorted(_RECALLS, recall, "right")  # of the 101 recalls, up to here
    steps = np.diff(reached, axis=1, prepend=0)
    return np.asarray((highest * steps).sum(axis=1) / len(_RECALLS))
