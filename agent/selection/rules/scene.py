"""Rules on the whole scene: overlaps, counts, rare labels and motion."""

import json
import math
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agent.domain import OBJECT_TASKS, Suspect, Task, Thresholds
from agent.selection.frame_context import FrameContext
from agent.selection.rules.options import option
from agent.selection.suspects import LEAST_P, ConfidenceAt, margin
from agent.selection.tracker import MOST_DETECTIONS, iou_matrix

EVENT_GAP_S = 10.0
"""What a rule finds again within so many seconds is still the same event."""

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
_MOTION_PART = 10  # cells; the image has 9 x 16 parts of 10 x 10 cells
_MOTION_IN_PART = 0.05  # share of a part's cells from which the part moves
_MOTION_ALL = 0.5  # share of the parts; beyond it the camera moves, the light changes, or it rains
_CLASH_MARGIN = 1.0  # logits below the threshold; fainter boxes claim nothing
_COVER = 0.15  # margin around a box, as a share of its size


@dataclass(slots=True)
class Events:
    """Numbers the events of a rule: what comes again within 10 s is the same event."""

    _number: int = 0
    _last: float | None = None

    def number(self, at: float) -> int:
        """Return the number of the event that is there at `at`, in seconds of the stream."""
        if self._last is None or not 0 <= at - self._last <= EVENT_GAP_S:
            self._number += 1
        self._last = at
        return self._number


@dataclass(frozen=True, slots=True)
class Clash:
    """Two boxes with different labels are in the same place."""

    name: ClassVar[str] = "clash"
    prior: ClassVar[float] = 0.35
    is_temporal: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = OBJECT_TASKS

    thresholds: Thresholds
    _least: ConfidenceAt = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare the confidences below which a box claims nothing."""
        object.__setattr__(self, "_least", ConfidenceAt(self.thresholds, -_CLASH_MARGIN))

    def suspects(self, context: FrameContext) -> Iterator[Suspect]:
        """Yield the less confident box of each pair of which one reaches its threshold.

        `p` is 0.35 for boxes of one place and equally near to their thresholds; it falls with the
        overlap, 0 at an IoU of 0.5, and with the difference of their distances in logits.
        """
        claims = [
            (margin(d.confidence, self.thresholds.of(d.label)), d, track)
            for d, track in context.objects(self._least)
        ]
        claims = [claim for claim in claims if claim[0] >= -_CLASH_MARGIN][:MOST_DETECTIONS]
        if len({claim[1].label for claim in claims}) < 2:  # noqa: PLR2004 (a pair)
            return
        boxes = [d.box for _, d, _ in claims]
        overlap = iou_matrix(boxes, boxes)
        for i, j in np.argwhere(overlap >= _CLASH_IOU).tolist():
            if i >= j:
                continue
            (high, winner, _), (low, loser, track) = sorted(
                (claims[i], claims[j]), key=lambda claim: -claim[0]
            )
            if winner.label == loser.label or high < 0:
                continue
            depth = (float(overlap[i, j]) - _CLASH_IOU) / (1.0 - _CLASH_IOU)
            p = self.prior * depth * math.exp(-(high - low))
            if p >= LEAST_P:
                number = track.number if track is not None else None
                reason = f"is at the same place as {winner.label}"
                yield Suspect(self.name, p, loser.label, loser.box, number, reason)


@dataclass(slots=True)
class CountChange:
    """Far more or far fewer objects than in the last minute.

    Only sudden changes count: when a scene fills slowly, no single frame stands out.
    """

    name: ClassVar[str] = "count_change"
    prior: ClassVar[float] = 0.15
    counts_frames: ClassVar[bool] = True
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = OBJECT_TASKS

    thresholds: Thresholds
    least_deviation: float = option(
        3.0,
        ge=0,
        le=10,
        unit="robust standard deviations",
        meaning="How far the count must be from that of the last minute.",
    )
    _counts: deque[tuple[float, int]] = field(default_factory=deque)
    _events: Events = field(default_factory=Events)
    _least: ConfidenceAt = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare the thresholds."""
        self._least = ConfidenceAt(self.thresholds, 0)

    def suspects(self, context: FrameContext) -> Iterator[Suspect]:
        """Yield the frame; `p` is 0.15 times the robust z-score of the count, 10 counting as 1."""
        at = context.observation.frame.at
        count = len(self._least.reached_by(context.observation.detections))
        if self._counts and at < self._counts[-1][0]:
            self._counts.clear()  # the stream started again
        while self._counts and at - self._counts[0][0] > _COUNT_WINDOW_S:
            self._counts.popleft()
        z = self._deviation(count)
        self._counts.append((at, count))
        p = self.prior * min(1.0, z / _COUNT_FULL)
        if z >= self.least_deviation and p >= LEAST_P:
            reason = f"has {count} objects, unlike the last minute"
            yield Suspect(self.name, p, track=self._events.number(at), reason=reason)

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
    prior: ClassVar[float] = 0.3
    counts_frames: ClassVar[bool] = True
    is_temporal: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = OBJECT_TASKS

    thresholds: Thresholds
    _seen: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _unit: float = 1.0  # weight of a detection now; it grows, which ages all earlier ones
    _at: float | None = None
    _least: ConfidenceAt = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare the thresholds."""
        self._least = ConfidenceAt(self.thresholds, 0)

    def suspects(self, context: FrameContext) -> Iterator[Suspect]:
        """Yield objects whose label is in at most 2 % of the frames; `p` is 0.3 (1 - sqrt(share)).

        At least 200 frames must have been seen, over restarts.
        """
        self._age(context.observation.frame.at)
        frames = self._seen[_FRAMES]
        is_known = frames >= _RARE_LEAST * self._unit
        labels = set()
        for detection, track in context.objects(self._least):
            labels.add(detection.label)
            share = self._seen[detection.label] / frames if is_known else 1.0
            if share <= _RARE_SHARE:
                p = self.prior * (1 - math.sqrt(share))
                number = track.number if track is not None else None
                reason = f"has a label that is in {share:.1%} of the frames"
                yield Suspect(self.name, p, detection.label, detection.box, number, reason)
        # Frames are counted, not detections: else one parked car would make other labels rare.
        for label in (_FRAMES, *sorted(labels)):
            self._seen[label] += self._unit

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


@dataclass(slots=True)
class MotionWithoutDetection:
    """Something moves where the model detects nothing."""

    name: ClassVar[str] = "motion_without_detection"
    prior: ClassVar[float] = 0.15
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = OBJECT_TASKS

    thresholds: Thresholds

    _events: Events = field(default_factory=Events)
    _least: ConfidenceAt = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare the confidences below which a box covers nothing."""
        self._least = ConfidenceAt(self.thresholds, -_CLASH_MARGIN)

    def suspects(self, context: FrameContext) -> Iterator[Suspect]:
        """Yield the frame; `p` is 0.15 if 6 % of the image move outside of all boxes, else less.

        Parts of less than 3 x 3 of 90 x 160 cells do not count: rain, snow and noise.
        """
        if context.moving is None:
            return
        share = float(np.count_nonzero(context.moving) / context.moving.size)
        if share < _MOTION_LEAST or _is_everywhere(context.moving):
            return
        uncovered = _without_specks(context.moving & ~self._covered(context))
        share = float(np.count_nonzero(uncovered) / context.moving.size)
        p = self.prior * min(1.0, share / _MOTION_FULL)
        if share >= _MOTION_LEAST and p >= LEAST_P:
            number = self._events.number(context.observation.frame.at)
            reason = f"has motion in {share:.1%} of the image, outside of all boxes"
            yield Suspect(self.name, p, track=number, reason=reason)

    def _covered(self, context: FrameContext) -> NDArray[np.bool_]:
        """Return where boxes are in this frame or the one before: motion shows in both places."""
        assert context.moving is not None  # noqa: S101 (the caller checked it)
        covered = np.zeros(context.moving.shape, np.bool_)
        rows, columns = context.moving.shape[0], context.moving.shape[1]
        for observation in (context.observation, *context.before[:1]):
            height, width = observation.frame.pixels.shape[:2]
            for detection in self._least.reached_by(observation.detections):
                box = detection.box
                dx = _COVER * (box.x_max - box.x_min) + width / columns
                dy = _COVER * (box.y_max - box.y_min) + height / rows
                top = max(0, int((box.y_min - dy) / height * rows))
                left = max(0, int((box.x_min - dx) / width * columns))
                bottom = math.ceil((box.y_max + dy) / height * rows)
                right = math.ceil((box.x_max + dx) / width * columns)
                covered[top:bottom, left:right] = True
        return covered


def _is_everywhere(moving: NDArray[np.bool_]) -> bool:
    """Whether more than half of the parts of an image move: no object is in all of them."""
    import cv2  # not at the top: to load the runtime needs no OpenCV

    corners = cv2.integral(moving.view(np.uint8))[::_MOTION_PART, ::_MOTION_PART]
    strips = corners[1:] - corners[:-1]
    parts = strips[:, 1:] - strips[:, :-1] >= _MOTION_IN_PART * _MOTION_PART**2
    return bool(np.count_nonzero(parts) > _MOTION_ALL * parts.size)


def _without_specks(moving: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the cells that lie in a moving block of 3 x 3 (a morphological opening)."""
    import cv2  # not at the top: to load the runtime needs no OpenCV

    block = np.ones((3, 3), np.uint8)
    core = cv2.erode(
        moving.view(np.uint8), block, borderType=cv2.BORDER_CONSTANT, borderValue=(0.0,)
    )
    return np.asarray(cv2.dilate(core, block), np.uint8).view(np.bool_)


@dataclass(slots=True)
class InvalidOutput:
    """Part of the model's output was unusable: NaN, or inverted boxes. Always on."""

    name: ClassVar[str] = "invalid_output"
    prior: ClassVar[float] = 0.5

    _events: Events = field(default_factory=Events)

    def suspects(self, context: FrameContext) -> Iterator[Suspect]:
        """Yield the frame with `p` = 0.5 if its output was unusable."""
        if context.observation.invalid:
            number = self._events.number(context.observation.frame.at)
            reason = "has output that is NaN, or inverted boxes"
            yield Suspect(self.name, self.prior, track=number, reason=reason)
