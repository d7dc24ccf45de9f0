"""Temporal rules: the model contradicts itself from frame to frame."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from agent.domain import Box, Detection, Observation, Task, Thresholds
from agent.selection.frame_context import ContextTrack, FrameContext
from agent.selection.rules.options import option
from agent.selection.tracker import iou_matrix

_NEAR_DIAGONALS = 2.0  # how far a fast object moves in one frame, in its own diagonals
_NEWS_FRAMES = 50  # a weak track that lasts longer scores less and less
_COVERS = 0.5  # IoU from which two boxes are of one object
_GHOST_FRAMES = 2  # an object seen longer than this is not isolated
_TRANSITION = 0.7  # factor for a label that changes once; one that changes back contradicts twice


@dataclass(frozen=True, slots=True)
class Flicker:
    """An object is detected before and after this frame, but not in it: probably a miss."""

    name: ClassVar[str] = "flicker"
    weight: ClassVar[float] = 0.60
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = (Task.DETECT,)

    thresholds: Thresholds

    def score(self, context: FrameContext) -> float:
        """Return the confidence on both sides, less that in between; the highest of all objects."""
        return max((self._missed(track, context) for track in context.tracks), default=0.0)

    def _missed(self, track: ContextTrack, context: FrameContext) -> float:
        before = [d for offset, d in track.seen.items() if offset < 0]
        after = [d for offset, d in track.seen.items() if offset > 0]
        if not before or not after:
            return 0.0
        sure = min(_best(before), _best(after))
        now = track.seen.get(0)
        threshold = self.thresholds.of((now or before[-1]).label)
        left = now.confidence / threshold if now is not None and threshold > 0 else 0.0
        if sure < threshold or threshold <= 0 or left >= 1:
            return 0.0
        # If two boxes of one object alternate, it is not missed while one of them is present.
        place = _between(track.seen)
        if any(
            iou_matrix([place], [other.box])[0, 0] >= _COVERS
            for other in context.observation.detections
            if other is not now and other.confidence >= self.thresholds.of(other.label)
        ):
            return 0.0
        return sure * (1 - left)


@dataclass(frozen=True, slots=True)
class Isolated:
    """An object is detected with confidence in one frame, but in none of its neighbours."""

    name: ClassVar[str] = "isolated"
    weight: ClassVar[float] = 0.50
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = (Task.DETECT,)

    thresholds: Thresholds

    def score(self, context: FrameContext) -> float:
        """Return its confidence, less that in the neighbours; the highest of all objects."""
        if not context.before or not context.after:
            return 0.0
        return max((self._ghost(track, context) for track in context.tracks), default=0.0)

    def _ghost(self, track: ContextTrack, context: FrameContext) -> float:
        now = track.seen.get(0)
        if now is None:
            return 0.0
        threshold = self.thresholds.of(now.label)
        if now.confidence < threshold or threshold <= 0:
            return 0.0
        sure = {0, *(o for o, d in track.seen.items() if d.confidence >= threshold)}
        first, last = min(sure), max(sure)
        # A reflection often lasts two frames; an object that is seen longer is probably real.
        if (
            last - first >= _GHOST_FRAMES
            or -first >= len(context.before)
            or last >= len(context.after)
        ):
            return 0.0
        neighbours = (context.before[-first], context.after[last])
        if any(_is_near(now, observation, threshold) for observation in neighbours):
            return 0.0
        other = _best([d for offset, d in track.seen.items() if offset not in sure])
        return now.confidence * (1 - other / threshold) / len(sure)


@dataclass(frozen=True, slots=True)
class ClassFlip:
    """An object has another label than in the frames around it."""

    name: ClassVar[str] = "class_flip"
    weight: ClassVar[float] = 0.55
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = (Task.DETECT,)

    thresholds: Thresholds

    def score(self, context: FrameContext) -> float:
        """Return the lowest confidence of the contradicting labels; the highest of all objects."""
        return max((self._flip(track) for track in context.tracks), default=0.0)

    def _flip(self, track: ContextTrack) -> float:
        now = track.seen.get(0)
        before = self._nearest(track, -1)
        if now is None or before is None or not self._is_sure(now) or now.label == before.label:
            return 0.0
        after = self._nearest(track, 1)
        if after is None:
            return 0.0
        if after.label == before.label:
            return min(now.confidence, before.confidence, after.confidence)
        return _TRANSITION * min(now.confidence, before.confidence)

    def _nearest(self, track: ContextTrack, direction: int) -> Detection | None:
        offsets = sorted((o for o in track.seen if o * direction > 0), key=abs)
        sure = (track.seen[o] for o in offsets if self._is_sure(track.seen[o]))
        return next(sure, None)

    def _is_sure(self, detection: Detection) -> bool:
        return detection.confidence >= self.thresholds.of(detection.label)


@dataclass(frozen=True, slots=True)
class WeakTrack:
    """An object is tracked over three or more frames and never reached its threshold."""

    name: ClassVar[str] = "weak_track"
    weight: ClassVar[float] = 0.40
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = (Task.DETECT,)

    thresholds: Thresholds
    least_frames: int = option(
        3, ge=1, le=1000, unit="frames", meaning="How many frames the object must be tracked."
    )

    def score(self, context: FrameContext) -> float:
        """Return the mean nearness to the threshold over the track; the highest of all objects."""
        return max((self._weak(track) for track in context.tracks), default=0.0)

    def _weak(self, track: ContextTrack) -> float:
        now = track.seen.get(0)
        if now is None or track.frames < self.least_frames:
            return 0.0
        threshold, floor = self.thresholds.of(now.label), self.thresholds.floor
        if track.best >= threshold or threshold <= floor:
            return 0.0
        mean = sum(d.confidence for d in track.seen.values()) / len(track.seen)
        # Clutter near the floor never lasts; an object that stays uncertain all day is no new
        # failure.
        news = min(1.0, _NEWS_FRAMES / track.frames)
        return (mean - floor) / (threshold - floor) * news if mean >= threshold / 2 else 0.0


def _between(seen: Mapping[int, Detection]) -> Box:
    """Return the box, in this frame, of an object that was seen before and after it."""
    before = max(offset for offset in seen if offset < 0)
    after = min(offset for offset in seen if offset > 0)
    a, b = seen[before].box, seen[after].box
    share = -before / (after - before)
    return Box(
        a.x_min + share * (b.x_min - a.x_min),
        a.y_min + share * (b.y_min - a.y_min),
        a.x_max + share * (b.x_max - a.x_max),
        a.y_max + share * (b.y_max - a.y_max),
    )


def _best(detections: list[Detection]) -> float:
    return max((detection.confidence for detection in detections), default=0.0)


def _is_near(detection: Detection, observation: Observation, threshold: float) -> bool:
    """Whether a neighbouring frame has the same object within one step: then it only moves."""
    box = detection.box
    reach = _NEAR_DIAGONALS * math.hypot(box.x_max - box.x_min, box.y_max - box.y_min)
    return any(
        other.label == detection.label
        and other.confidence >= threshold
        and math.hypot(
            (other.box.x_min + other.box.x_max - box.x_min - box.x_max) / 2,
            (other.box.y_min + other.box.y_max - box.y_min - box.y_max) / 2,
        )
        <= reach
        for other in observation.detections
    )
