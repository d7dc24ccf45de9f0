"""Temporal rules: the model contradicts itself from frame to frame."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from agent.domain import OBJECT_TASKS, Box, Detection, Observation, Suspect, Task, Thresholds
from agent.selection.frame_context import ContextTrack, FrameContext
from agent.selection.rules.options import option
from agent.selection.suspects import LEAST_P, NEARNESS_DECAY, ConfidenceAt, nearness
from agent.selection.tracker import iou_matrix

_ONE_SIDE = 0.7  # factor of the prior for a track that crosses the threshold on one side only
_GAP = 0.1  # factor for a gap without any box: right in 4 to 8 % of the cases
_ALONE = 0.6  # factor for a box without any track: 0.4, assumed
_NEAR_DIAGONALS = 2.0  # how far a fast object moves in one frame, in its own diagonals
_SAME_OBJECT_IOU = 0.5
_TRANSITION = 0.7  # factor for a label that changes once; one that changes back contradicts twice


@dataclass(frozen=True, slots=True)
class Flicker:
    """A track is below the threshold now and above it before, after, or both: a miss.

    Measured: a faint box whose track is above the threshold on both sides hides a miss in 47 to
    65 % of the cases, without that in 11 to 20 %; a gap without any box in 4 to 8 %.
    """

    name: ClassVar[str] = "flicker"
    prior: ClassVar[float] = 0.65
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = OBJECT_TASKS

    thresholds: Thresholds
    _least: ConfidenceAt = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare the thresholds."""
        object.__setattr__(self, "_least", ConfidenceAt(self.thresholds, 0))

    def suspects(self, context: FrameContext) -> Iterator[Suspect]:
        """Yield each track below its threshold that is above it nearby; `p` by nearness."""
        for track in context.tracks:
            now = track.seen.get(0)
            if now is not None and now.confidence >= self._least[now.label]:
                continue
            before, after = self._above(track)
            if now is None:
                if before and after and not self._is_elsewhere(track, context):
                    box = _between(track.seen)
                    label = track.seen[max(o for o in track.seen if o < 0)].label
                    p = self.prior * _GAP
                    yield Suspect(self.name, p, label, box, track.number, "is gone in this frame")
                continue
            if before or after:
                threshold = self.thresholds.of(now.label)
                yield from _crossing(self, track, now, threshold, both=before and after)

    def _above(self, track: ContextTrack) -> tuple[bool, bool]:
        """Return whether it is above its threshold before, and after."""
        before = after = False
        least = self._least
        for offset, each in track.seen.items():
            if each.confidence >= least[each.label]:
                before |= offset < 0
                after |= offset > 0
        return before, after

    def _is_elsewhere(self, track: ContextTrack, context: FrameContext) -> bool:
        """Whether another box of the frame is at its place: two boxes of one object alternate."""
        others = [each.box for each in self._least.reached_by(context.observation.detections)]
        overlap = iou_matrix([_between(track.seen)], others) if others else None
        return overlap is not None and bool((overlap >= _SAME_OBJECT_IOU).any())


@dataclass(frozen=True, slots=True)
class Isolated:
    """A track is above the threshold now and below it before, after, or both: a false box.

    Measured: a box just above the threshold without such boxes beside it is false in 54 to 61 % of
    the cases. A box that no frame before or after has anything near is suspect at any confidence.
    """

    name: ClassVar[str] = "isolated"
    prior: ClassVar[float] = 0.65
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = OBJECT_TASKS

    thresholds: Thresholds

    def suspects(self, context: FrameContext) -> Iterator[Suspect]:
        """Yield each track above its threshold that is below it nearby; `p` by nearness."""
        for track in context.tracks:
            now = track.seen.get(0)
            if now is None or now.confidence < self.thresholds.of(now.label):
                continue
            before, after = (self._below(track, direction) for direction in (-1, 1))
            if before or after:
                threshold = self.thresholds.of(now.label)
                yield from _crossing(self, track, now, threshold, both=before and after)
            elif len(track.seen) == 1 and self._is_alone(now, context):
                p = self.prior * _ALONE
                reason = "is in no frame before or after"
                yield Suspect(self.name, p, now.label, now.box, track.number, reason)

    def _below(self, track: ContextTrack, direction: int) -> bool:
        return any(
            each.confidence < self.thresholds.of(each.label)
            for offset, each in track.seen.items()
            if offset * direction > 0
        )

    def _is_alone(self, detection: Detection, context: FrameContext) -> bool:
        """Whether no frame beside it has the label nearby: a fast object is a step away."""
        if not context.before or not context.after:
            return False
        neighbours = (context.before[0], context.after[0])
        return not any(_is_near(detection, observation) for observation in neighbours)


def _crossing(
    rule: Flicker | Isolated, track: ContextTrack, now: Detection, threshold: float, *, both: bool
) -> Iterator[Suspect]:
    factor = 1.0 if both else _ONE_SIDE
    p = rule.prior * factor * nearness(now.confidence, threshold)
    if p >= LEAST_P:
        sides = "both sides" if both else "one side"
        reason = f"crosses the threshold on {sides}"
        yield Suspect(rule.name, p, now.label, now.box, track.number, reason)


@dataclass(frozen=True, slots=True)
class ClassFlip:
    """The same object has another label than in the frames around it."""

    name: ClassVar[str] = "class_flip"
    prior: ClassVar[float] = 0.5
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = OBJECT_TASKS

    thresholds: Thresholds

    def suspects(self, context: FrameContext) -> Iterator[Suspect]:
        """Yield each track with two labels above their thresholds; 0.5, or 0.35 for one change."""
        for track in context.tracks:
            now = track.seen.get(0)
            if now is None or not self._counts(now):
                continue
            before, after = self._nearest(track, -1), self._nearest(track, 1)
            if before is None or after is None or now.label == before.label:
                continue
            p = self.prior * (1.0 if after.label == before.label else _TRANSITION)
            reason = f"was called {before.label} before"
            yield Suspect(self.name, p, now.label, now.box, track.number, reason)

    def _nearest(self, track: ContextTrack, direction: int) -> Detection | None:
        offsets = sorted((o for o in track.seen if o * direction > 0), key=abs)
        counted = (track.seen[o] for o in offsets if self._counts(track.seen[o]))
        return next(counted, None)

    def _counts(self, detection: Detection) -> bool:
        return detection.confidence >= self.thresholds.of(detection.label)


@dataclass(frozen=True, slots=True)
class WeakTrack:
    """A track of three or more frames has stayed below the threshold the whole time.

    Measured: right in 6 to 20 % of the cases.
    """

    name: ClassVar[str] = "weak_track"
    prior: ClassVar[float] = 0.12
    is_temporal: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = OBJECT_TASKS

    thresholds: Thresholds
    least_frames: int = option(
        3, ge=1, le=1000, unit="frames", meaning="How many frames the object must be followed."
    )
    _least: ConfidenceAt = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare the confidences of which one must be reached for `p` to be `LEAST_P`."""
        least = ConfidenceAt(self.thresholds, -math.log(self.prior / LEAST_P) / NEARNESS_DECAY)
        object.__setattr__(self, "_least", least)

    def suspects(self, context: FrameContext) -> Iterator[Suspect]:
        """Yield each such track; `p` falls with the mean distance to the threshold in logits."""
        for track in context.tracks:
            now = track.seen.get(0)
            if now is None or track.frames < self.least_frames:
                continue
            threshold = self.thresholds.of(now.label)
            if now.confidence >= threshold:
                continue
            confidences = [each.confidence for each in track.seen.values()]
            if not self._least[now.label] <= max(confidences) < threshold:
                continue
            near = [nearness(confidence, threshold) for confidence in confidences]
            p = self.prior * sum(near) / len(near)
            if p >= LEAST_P:
                reason = f"has stayed below the threshold for {track.frames} frames"
                yield Suspect(self.name, p, now.label, now.box, track.number, reason)


def _between(seen: Mapping[int, Detection]) -> Box:
    """Where an object is now that was seen before and after."""
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


def _is_near(detection: Detection, observation: Observation) -> bool:
    """Whether a neighbouring frame has the same label within the step of a fast object."""
    box = detection.box
    reach = _NEAR_DIAGONALS * math.hypot(box.x_max - box.x_min, box.y_max - box.y_min)
    return any(
        other.label == detection.label
        and math.hypot(
            (other.box.x_min + other.box.x_max - box.x_min - box.x_max) / 2,
            (other.box.y_min + other.box.y_max - box.y_min - box.y_max) / 2,
        )
        <= reach
        for other in observation.detections
    )
