"""Finds thresholds that no confidence, or each confidence, of a label reaches.

Such a threshold was chosen for another model. The rules then look at the wrong places: `p` rests on
how near a confidence is to its threshold.
"""

from dataclasses import dataclass, field

from agent.domain import Observation, Thresholds

LEAST_FRAMES = 1000
"""Frames with detections of a label before its threshold can be called useless."""


@dataclass(slots=True)
class _Seen:
    frames: int = 0
    count: int = 0
    lowest: float = 1.0
    highest: float = 0.0


@dataclass(slots=True)
class ThresholdCheck:
    """The confidences of each label beside its threshold, over all frames."""

    thresholds: Thresholds
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def add(self, observation: Observation) -> None:
        """Count what the model reported for a frame; of a classifier its best class alone."""
        reported = [(each.label, each.confidence) for each in observation.detections]
        reported += [(each.label, each.confidence) for each in observation.classes[:1]]
        for label, confidence in reported:
            seen = self._seen.setdefault(label, _Seen())
            seen.count += 1
            seen.lowest = min(seen.lowest, confidence)
            seen.highest = max(seen.highest, confidence)
        for label in {label for label, _ in reported}:
            self._seen[label].frames += 1

    def warnings(self) -> list[str]:
        """Return a sentence for each label whose threshold separates nothing."""
        found = []
        for label, seen in sorted(self._seen.items()):
            threshold = self.thresholds.of(label)
            if seen.frames < LEAST_FRAMES:
                continue
            what = f"all {seen.count:,} confidences of {label}"
            if seen.highest < threshold:
                found.append(
                    f"threshold {threshold:g} is above {what} (highest {seen.highest:.2f})"
                )
            elif seen.lowest >= threshold > self.thresholds.floor:
                found.append(f"threshold {threshold:g} is below {what} (lowest {seen.lowest:.2f})")
        return found
