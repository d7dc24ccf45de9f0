"""The confidence below which a model's own graph discards detections."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from agent.detector.formats.contract import AnyFormat, Layout, ModelSignature
from agent.detector.formats.contradictions import lowest_confidence
from agent.detector.model_file.graph import score_thresholds
from agent.domain import Task

ROUNDING = 1e-3  # of a half-precision confidence


@dataclass(frozen=True, slots=True)
class GraphLimits:
    """Confidences that may be the graph's limit: nothing that was detected is below them."""

    possible: tuple[float, ...]  # the lowest first

    def discarded(self, floor: float, seen: Collection[float]) -> str | None:
        """Return which detections the graph discards, and how to fix it; None: none known.

        Args:
            floor: The agent's own lowest confidence; detections below it are not missed.
            seen: Confidences of detections, which refute limits above them.
        """
        limits = [
            limit
            for limit in self.possible
            if limit > floor and all(each >= limit - ROUNDING for each in seen)
        ]
        if not limits:
            return None
        limit = limits[-1] if seen else limits[0]
        return (
            f"its graph discards detections below a confidence of {limit:g}, so the rules never "
            f"see those between {floor:g} and {limit:g}, and low_confidence rarely fires; export "
            f"it with a confidence of {floor:g} (Ultralytics: conf=), or without NMS"
        )


NO_LIMITS = GraphLimits(())


def find_graph_limits(
    path: Path, known: AnyFormat, layout: Layout, model: ModelSignature
) -> GraphLimits:
    """Read the limits from the graph; those above the trial run's lowest confidence are none."""
    if known.task is Task.CLASSIFY:
        return NO_LIMITS
    lowest = lowest_confidence(known, layout, model)
    found = score_thresholds(path)
    if known.task is Task.OBB:
        found = found[:1]  # the NMS of rotated boxes compares IoUs in the same way, with more
    return GraphLimits(
        tuple(limit for limit in found if lowest is None or lowest >= limit - ROUNDING)
    )
