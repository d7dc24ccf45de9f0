"""Frames of which only a verdict is known: they have a failure, but nobody drew what is there.

The objects of frames that are right are always known. To measure on known frames alone would leave
out failing ones and flatter the model. So failing frames with known objects stand for those without
(weights within the group are scaled up, as for nonresponse in a survey; Sarndal, Swensson, Wretman
1992, section 15.6). That is right if whether somebody drew the boxes does not depend on how wrong
the frame is. Where most of the failing time is unknown, nothing is left to scale, and figures by
label are refused.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agent.evaluation.truth import FrameTruth, ReviewedFrame, reported_boxes

MOST_UNKNOWN = 0.5
"""Share of the failing time without known objects up to which figures by label are given."""


@dataclass(frozen=True, slots=True)
class KnownObjects:
    """What is known of the objects of reviewed frames."""

    weights: dict[str, float]  # of frames with known objects, by id, scaled
    unknown: int  # frames with a failure and unknown objects
    known_failing: int
    unknown_share: float  # of the failing time, 0 to 1
    precision_bounds: tuple[float, float] | None  # if none, or all, of the unknown boxes are right

    @property
    def is_enough(self) -> bool:
        """Whether figures by label can be given."""
        return bool(self.weights) and self.unknown_share <= MOST_UNKNOWN

    @property
    def frames_to_correct(self) -> int:
        """How many more of the unknown frames need boxes."""
        return 0 if self.is_enough else max(1, math.ceil((self.unknown - self.known_failing) / 2))


def known_objects(frames: Sequence[ReviewedFrame]) -> KnownObjects:
    """Return the weights with which frames of known objects count."""
    known = [each for each in frames if _is_known(each.truth)]
    unknown = [each for each in frames if not _is_known(each.truth)]
    failing = [each for each in known if each.truth.has_failure]
    lost = sum(each.weight for each in unknown)
    seen = sum(each.weight for each in failing)
    scale = (seen + lost) / seen if seen else 1.0
    return KnownObjects(
        {each.id: each.weight * (scale if each.truth.has_failure else 1.0) for each in known},
        len(unknown),
        len(failing),
        lost / (seen + lost) if lost else 0.0,
        _precision_bounds(known, unknown),
    )


def _is_known(truth: FrameTruth) -> bool:
    return truth.objects is not None or truth.classes is not None


def _precision_bounds(
    known: Sequence[ReviewedFrame], unknown: Sequence[ReviewedFrame]
) -> tuple[float, float] | None:
    """Return the precision of a detector if none, and if all, of the unknown boxes are right."""
    right = sum(each.weight * each.truth.right for each in known)
    counted = sum(each.weight * (each.truth.right + each.truth.wrong) for each in known)
    doubtful = sum(
        each.weight * len(reported_boxes(each.record))
        for each in unknown
        if "detections" in each.record
    )
    total = counted + doubtful
    return (right / total, (right + doubtful) / total) if unknown and total > 0 else None
