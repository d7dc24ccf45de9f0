"""Rules that look at the confidences of a single frame."""

from dataclasses import dataclass
from typing import ClassVar

from agent.domain import ClassScore, Detection, Task, Thresholds
from agent.selection.frame_context import FrameContext

_TOP = 3


@dataclass(frozen=True, slots=True)
class LowConfidence:
    """The model saw something, but with a confidence below the threshold of the application.

    Each detection between the floor and the threshold of its label scores its nearness to the
    threshold, 0 at the floor and 1 at the threshold; the frame scores the mean of the three
    highest. It is not the mean of all: one uncertain object among many certain ones is informative,
    and a crowd of faint objects is no more informative than three.
    """

    name: ClassVar[str] = "low_confidence"
    weight: ClassVar[float] = 0.40
    is_temporal: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = (Task.DETECT, Task.CLASSIFY)

    thresholds: Thresholds

    def score(self, context: FrameContext) -> float:
        """Return the mean nearness of the three detections nearest below the threshold, 0 to 1."""
        observation, floor = context.observation, self.thresholds.floor
        reported: tuple[Detection | ClassScore, ...] = (
            *observation.detections,
            *observation.classes[:1],
        )
        nearness = sorted(
            (
                (detection.confidence - floor) / (threshold - floor)
                for detection in reported
                if floor
                <= detection.confidence
                < (threshold := self.thresholds.of(detection.label))
            ),
            reverse=True,
        )[:_TOP]
        return sum(nearness) / len(nearness) if nearness else 0.0


@dataclass(frozen=True, slots=True)
class LowMargin:
    """A classifier gives its two best labels nearly the same confidence."""

    name: ClassVar[str] = "low_margin"
    weight: ClassVar[float] = 0.40
    is_temporal: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = (Task.CLASSIFY,)

    thresholds: Thresholds

    def score(self, context: FrameContext) -> float:
        """Return 1 minus the margin between the two highest confidences; 0 for a detector."""
        best = context.observation.classes[:2]
        if len(best) < 2:  # noqa: PLR2004 (a pair)
            return 0.0
        return max(0.0, 1.0 - (best[0].confidence - best[1].confidence))
