"""Rules that look at the confidences of a single frame."""

from dataclasses import dataclass
from typing import ClassVar

from agent.domain import Observation, Thresholds

_TOP = 3


@dataclass(frozen=True, slots=True)
class LowConfidence:
    """The model saw something and was not sure enough for the application to act on it.

    Each detection between the floor and the threshold of its label scores its nearness to the
    threshold, 0 at the floor and 1 at the threshold; the frame scores the mean of the three
    highest. The mean of few rather than of all: one doubtful object among many sure ones is
    informative, and a crowd of faint ones is not more so than three.
    """

    name: ClassVar[str] = "low_confidence"
    weight: ClassVar[float] = 0.40

    thresholds: Thresholds

    def score(self, observation: Observation) -> float:
        """Mean nearness of the three detections nearest below their threshold, 0 to 1."""
        floor = self.thresholds.floor
        nearness = sorted(
            (
                (detection.confidence - floor) / (threshold - floor)
                for detection in observation.detections
                if floor
                <= detection.confidence
                < (threshold := self.thresholds.of(detection.label))
            ),
            reverse=True,
        )[:_TOP]
        return sum(nearness) / len(nearness) if nearness else 0.0
