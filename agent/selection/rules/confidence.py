"""Rules that look at the confidences of a single frame."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from agent.domain import OBJECT_TASKS, Suspect, Task, Thresholds
from agent.selection.frame_context import FrameContext
from agent.selection.suspects import LEAST_P, NEARNESS_DECAY, ConfidenceAt, nearness


@dataclass(frozen=True, slots=True)
class LowConfidence:
    """The confidence of a detection is near its threshold, on either side.

    Just below it the application may miss an object, just above it may act on a false one. Measured
    without any sign from the neighbouring frames: 11 to 20 % of faint boxes hide a miss.
    """

    name: ClassVar[str] = "low_confidence"
    prior: ClassVar[float] = 0.25
    is_temporal: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = (*OBJECT_TASKS, Task.CLASSIFY)

    thresholds: Thresholds
    _least: ConfidenceAt = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare the confidences below which `p` is less than `LEAST_P`."""
        least = ConfidenceAt(self.thresholds, -math.log(self.prior / LEAST_P) / NEARNESS_DECAY)
        object.__setattr__(self, "_least", least)

    def suspects(self, context: FrameContext) -> Iterator[Suspect]:
        """Yield each detection; `p` falls from 0.25 at the threshold by the distance in logits."""
        for detection, track in context.objects(self._least):
            p = self._p(detection.label, detection.confidence)
            if p >= LEAST_P:
                number = track.number if track is not None else None
                reason = self._reason(detection.label, detection.confidence)
                yield Suspect(self.name, p, detection.label, detection.box, number, reason)
        for score in context.observation.classes[:1]:
            p = self._p(score.label, score.confidence)
            if p >= LEAST_P:
                reason = self._reason(score.label, score.confidence)
                yield Suspect(self.name, p, score.label, reason=reason)

    def _p(self, label: str, confidence: float) -> float:
        return self.prior * nearness(confidence, self.thresholds.of(label))

    def _reason(self, label: str, confidence: float) -> str:
        side = "above" if confidence >= self.thresholds.of(label) else "below"
        return f"has confidence {confidence:.2f}, {side} the threshold"


@dataclass(frozen=True, slots=True)
class LowMargin:
    """A classifier gives its two best labels nearly the same confidence."""

    name: ClassVar[str] = "low_margin"
    prior: ClassVar[float] = 0.5
    is_temporal: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = (Task.CLASSIFY,)

    thresholds: Thresholds

    def suspects(self, context: FrameContext) -> Iterator[Suspect]:
        """Yield the frame with `p` = 0.5 (1 - margin)^2: one of two equal labels is wrong."""
        best = context.observation.classes[:2]
        if len(best) < 2:  # noqa: PLR2004 (a pair)
            return
        p = self.prior * max(0.0, 1.0 - (best[0].confidence - best[1].confidence)) ** 2
        if p >= LEAST_P:
            yield Suspect(self.name, p, best[0].label, reason=f"could also be {best[1].label}")
