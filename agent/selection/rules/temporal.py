"""Rules that find the model contradicting itself from frame to frame."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from agent.domain import Box, Detection, Observation, Thresholds
from agent.selection.frame_context import ContextTrack, FrameContext
from agent.selection.rules.options import option
from agent.selection.tracker import iou_matrix

_NEAR_DIAGONALS = 2.0  # how far a fast object may be in the next frame, in its own size
_NEWS_FRAMES = 50  # from then on a weak track counts for less and less
_COVERS = 0.5
_GHOST_FRAMES = 2
_TRANSITION = 0.7  # a change of label that stays is one doubt; one that goes back is two


@dataclass(frozen=True, slots=True)
class Flicker:
    """An object is there before and after, and missing now: the model most likely missed it."""

    name: ClassVar[str] = "flicker"
    weight: ClassVar[float] = 0.60
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[str, ...]] = ("detect",)

    thresholds: Thresholds

    def score(self, moment: FrameContext) -> float:
        """Confidence on both sides, less what is left of it now; the highest of all objects."""
        return max((self._missed(track, moment) for track in moment.tracks), default=0.0)

    def _missed(self, track: ContextTrack, moment: FrameContext) -> float:
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
        # Two boxes of one object take turns: it was not missed while one of them is there.
        place = _between(track.seen)
        if any(
            iou_matrix([place], [other.box])[0, 0] >= _COVERS
            for other in moment.observation.detections
            if other is not now and other.confidence >= self.thresholds.of(other.label)
        ):
            return 0.0
        return sure * (1 - left)


@dataclass(frozen=True, slots=True)
class Isolated:
    """An object is reported with confidence in one frame and in none of its neighbours."""

    name: ClassVar[str] = "isolated"
    weight: ClassVar[float] = 0.50
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[str, ...]] = ("detect",)

    thresholds: Thresholds

    def score(self, moment: FrameContext) -> float:
        """Its confidence, less what the neighbours say of it; the highest of all objects."""
        if not moment.before or not moment.after:
            return 0.0
        return max((self._ghost(track, moment) for track in moment.tracks), default=0.0)

    def _ghost(self, track: ContextTrack, moment: FrameContext) -> float:
        now = track.seen.get(0)
        if now is None:
            return 0.0
        threshold = self.thresholds.of(now.label)
        if now.confidence < threshold or threshold <= 0:
            return 0.0
        sure = {0, *(o for o, d in track.seen.items() if d.confidence >= threshold)}
        first, last = min(sure), max(sure)
        # A reflection often lasts for two frames. What was seen longer may well be there.
        if (
            last - first >= _GHOST_FRAMES
            or -first >= len(moment.before)
            or last >= len(moment.after)
        ):
            return 0.0
        neighbours = (moment.before[-first], moment.after[last])
        if any(_is_near(now, observation, threshold) for observation in neighbours):
            return 0.0
        other = _best([d for offset, d in track.seen.items() if offset not in sure])
        return now.confidence * (1 - other / threshold) / len(sure)


@dataclass(frozen=True, slots=True)
class ClassFlip:
    """The same object, another label than in the frames around it."""

    name: ClassVar[str] = "class_flip"
    weight: ClassVar[float] = 0.55
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[str, ...]] = ("detect",)

    thresholds: Thresholds

    def score(self, moment: FrameContext) -> float:
        """Least confidence of the labels that contradict each other; the highest of all objects."""
        return max((self._flip(track) for track in moment.tracks), default=0.0)

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
    """Something is followed over three or more frames and never once reached the threshold."""

    name: ClassVar[str] = "weak_track"
    weight: ClassVar[float] = 0.40
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[str, ...]] = ("detect",)

    thresholds: Thresholds
    least_frames: int = option(
        3, ge=1, le=1000, unit="frames", meaning="How many frames the object must be followed."
    )

    def score(self, moment: FrameContext) -> float:
        """Mean nearness to the threshold over the track; the highest of all objects."""
        return max((self._weak(track) for track in moment.tracks), default=0.0)

    def _weak(self, track: ContextTrack) -> float:
        now = track.seen.get(0)
        if now is None or track.frames < self.least_frames:
            return 0.0
        threshold, floor = self.thresholds.of(now.label), self.thresholds.floor
        if track.best >= threshold or threshold <= floor:
            return 0.0
        mean = sum(d.confidence for d in track.seen.values()) / len(track.seen)
        # A track is worth judging once it lasts; clutter near the floor comes and goes, and what
        # has looked like something all day has been looked at.
        news = min(1.0, _NEWS_FRAMES / track.frames)
        return (mean - floor) / (threshold - floor) * news if mean >= threshold / 2 else 0.0


def _between(seen: Mapping[int, Detection]) -> Box:
    """Where an object must be now that was seen before and after."""
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
    """Whether a neighbour frame has the same thing a step away: it moves, it is no ghost."""
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
