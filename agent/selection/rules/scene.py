"""Rules on the whole scene: overlaps, counts, rare labels and motion."""

import json
import math
from collections import defaultdict, deque
from dataclasses import dataclass, field
from statistics import median
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agent.domain import Detection, Task, Thresholds
from agent.selection.frame_context import FrameContext
from agent.selection.rules.options import option
from agent.selection.tracker import iou_matrix

_CLASH_IOU = 0.5  # from which two boxes are in the same place
_COUNT_WINDOW_S = 60.0
_COUNT_LEAST = 10  # frames before a count can be unusual
_COUNT_FULL = 10.0  # robust standard deviations that score 1
_COUNT_LATEST = 3  # frames; a sudden count differs from all of them
_COUNT_SUDDEN = 2  # objects; smaller changes are normal
_RARE_LEAST = 200  # frames before a label can be rare
_RARE_SHARE = 0.02  # of the frames; a rare label is in at most so many
_FRAMES = ""  # the key that counts frames, among the labels
_RARE_HALF_LIFE_S = 24 * 3600.0
_MOTION_LEAST = 0.004  # share of the image; less is noise
_MOTION_FULL = 0.06  # share of the image that scores 1
_MOTION_ALL = 0.5  # share of the image; beyond it the camera or the light changed, not an object
_COVER = 0.15  # margin around a box, as a share of its size


@dataclass(frozen=True, slots=True)
class Clash:
    """Two boxes with different labels are in the same place."""

    name: ClassVar[str] = "clash"
    weight: ClassVar[float] = 0.35
    is_temporal: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = (Task.DETECT,)

    thresholds: Thresholds

    def score(self, context: FrameContext) -> float:
        """Return the overlap beyond half, times the ratio of the lower to the higher confidence.

        At least one of the two must reach its threshold.
        """
        detections = [
            d
            for d in context.observation.detections
            if d.confidence >= self.thresholds.of(d.label) / 2
        ]
        if len(detections) < 2:  # noqa: PLR2004 (a pair)
            return 0.0
        overlap = iou_matrix([d.box for d in detections], [d.box for d in detections])
        return max(
            (
                self._pair(detections[i], detections[j], float(overlap[i, j]))
                for i, j in np.argwhere(np.triu(overlap >= _CLASH_IOU, 1))
            ),
            default=0.0,
        )

    def _pair(self, a: Detection, b: Detection, overlap: float) -> float:
        if a.label == b.label:
            return 0.0
        higher = max((a, b), key=lambda detection: detection.confidence)
        if higher.confidence < self.thresholds.of(higher.label):
            return 0.0
        depth = (overlap - _CLASH_IOU) / (1.0 - _CLASH_IOU)
        return min(1.0, depth * min(a.confidence, b.confidence) / higher.confidence)


@dataclass(slots=True)
class CountChange:
    """Far more or far fewer objects than in the last minute.

    Only sudden changes count: when a scene fills slowly, no single frame stands out.
    """

    name: ClassVar[str] = "count_change"
    weight: ClassVar[float] = 0.25
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = (Task.DETECT,)

    thresholds: Thresholds
    least_deviation: float = option(
        3.0,
        ge=0,
        le=10,
        unit="robust standard deviations",
        meaning="How far the count must be from that of the last minute.",
    )
    _counts: deque[tuple[float, int]] = field(default_factory=deque)

    def score(self, context: FrameContext) -> float:
        """Return the robust z-score of the count against the last minute; 10 scores 1."""
        at = context.observation.frame.at
        count = sum(
            d.confidence >= self.thresholds.of(d.label) for d in context.observation.detections
        )
        if self._counts and at < self._counts[-1][0]:
            self._counts.clear()  # the stream started again
        while self._counts and at - self._counts[0][0] > _COUNT_WINDOW_S:
            self._counts.popleft()
        z = self._deviation(count)
        self._counts.append((at, count))
        return min(1.0, z / _COUNT_FULL) if z >= self.least_deviation else 0.0

    def _deviation(self, count: int) -> float:
        if len(self._counts) < _COUNT_LEAST:
            return 0.0
        latest = (self._counts[-n - 1][1] for n in range(_COUNT_LATEST))
        sudden = min(abs(count - n) for n in latest)
        if sudden < _COUNT_SUDDEN:
            return 0.0
        past = [n for _, n in self._counts]
        usual = median(past)
        spread = 1.4826 * median(abs(n - usual) for n in past)
        # Plus half an object, because a scene that is always empty has a spread of 0.
        return min(sudden, abs(count - usual)) / (spread + 0.5)


@dataclass(slots=True)
class RareLabel:
    """The model reports a label that this camera rarely shows."""

    name: ClassVar[str] = "rare_label"
    weight: ClassVar[float] = 0.30
    is_temporal: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = (Task.DETECT,)

    thresholds: Thresholds
    _seen: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _unit: float = 1.0  # weight of a detection now; it grows, which ages all earlier ones
    _at: float | None = None

    def score(self, context: FrameContext) -> float:
        """Return the confidence times 1 - sqrt(share), for labels in at most 2 % of the frames."""
        self._age(context.observation.frame.at)
        highest: dict[str, float] = {}
        for detection in context.observation.detections:
            if detection.confidence >= self.thresholds.of(detection.label):
                highest.setdefault(detection.label, detection.confidence)
        frames = self._seen[_FRAMES]
        best = 0.0
        if frames >= _RARE_LEAST * self._unit:
            for label, confidence in highest.items():
                share = self._seen[label] / frames
                if share <= _RARE_SHARE:
                    best = max(best, confidence * (1 - math.sqrt(share)))
        # Frames are counted, not detections: else one parked car would make other labels rare.
        for label in (_FRAMES, *highest):
            self._seen[label] += self._unit
        return best

    def memory(self) -> str:
        """Return in how many frames each label was seen, as text for the spool's index."""
        return json.dumps({label: round(n / self._unit, 3) for label, n in self._seen.items()})

    def remember(self, text: str) -> None:
        """Restore what `memory` returned; raise `ValueError` for anything else."""
        seen = {str(label): float(count) for label, count in json.loads(text).items()}
        self._seen.update(seen)

    def _age(self, at: float) -> None:
        if self._at is not None and at > self._at:
            self._unit *= 2.0 ** ((at - self._at) / _RARE_HALF_LIFE_S)
        self._at = at
        if self._unit > 1e9:  # noqa: PLR2004 (long before floats lose precision)
            for label in self._seen:
                self._seen[label] /= self._unit
            self._unit = 1.0


@dataclass(frozen=True, slots=True)
class MotionWithoutDetection:
    """Something moves where the model detects nothing."""

    name: ClassVar[str] = "motion_without_detection"
    weight: ClassVar[float] = 0.25
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = (Task.DETECT,)

    thresholds: Thresholds

    def score(self, context: FrameContext) -> float:
        """Return the share of the image that moves outside of all boxes; 6 % scores 1."""
        if context.moving is None:
            return 0.0
        share = np.count_nonzero(context.moving) / context.moving.size
        if not _MOTION_LEAST <= share <= _MOTION_ALL:
            return 0.0
        share = np.count_nonzero(context.moving & ~self._covered(context)) / context.moving.size
        return min(1.0, share / _MOTION_FULL) if share >= _MOTION_LEAST else 0.0

    def _covered(self, context: FrameContext) -> NDArray[np.bool_]:
        """Return where boxes are in this frame or the one before: motion shows in both places."""
        assert context.moving is not None  # noqa: S101 (the caller checked it)
        covered = np.zeros(context.moving.shape, np.bool_)
        rows, columns = context.moving.shape[0], context.moving.shape[1]
        for observation in (context.observation, *context.before[:1]):
            height, width = observation.frame.pixels.shape[:2]
            for detection in observation.detections:
                if detection.confidence < self.thresholds.of(detection.label) / 2:
                    continue
                box = detection.box
                dx = _COVER * (box.x_max - box.x_min) + width / columns
                dy = _COVER * (box.y_max - box.y_min) + height / rows
                top = max(0, int((box.y_min - dy) / height * rows))
                left = max(0, int((box.x_min - dx) / width * columns))
                bottom = math.ceil((box.y_max + dy) / height * rows)
                right = math.ceil((box.x_max + dx) / width * columns)
                covered[top:bottom, left:right] = True
        return covered
