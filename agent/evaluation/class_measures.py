"""How well a classifier names the class of an image, from weighted frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.evaluation.intervals import Estimate, Term, ratio
from agent.evaluation.sample import Floats


@dataclass(frozen=True, slots=True)
class ClassifiedFrame:
    """One frame whose classes are known."""

    id: str
    weight: float
    best: str  # the class of the highest confidence; empty for none
    confidence: float
    is_reported: bool  # it reaches its threshold
    classes: frozenset[str]  # that are true

    @property
    def is_right(self) -> bool:
        """Whether the class of the highest confidence is true, at whatever confidence."""
        return self.best in self.classes


@dataclass(frozen=True, slots=True)
class OfClass:
    """How well one class is recognised; of all together where there is no label."""

    label: str | None
    images: int  # in which it is true
    precision: Estimate | None  # of images reported as this class
    recall: Estimate | None  # of images of this class: reported as such
    top1: Estimate | None  # of images of this class: it has the highest confidence


def accuracy(frames: Sequence[ClassifiedFrame]) -> Estimate | None:
    """Estimate in which share of time the class of the highest confidence is true."""
    return ratio([Term(each.weight, float(each.is_right), 1.0) for each in frames])


def by_class(frames: Sequence[ClassifiedFrame]) -> list[OfClass]:
    """Return the figures of all classes together, then of each; empty without frames."""
    if not frames:
        return []
    labels = sorted({label for each in frames for label in (each.best, *each.classes) if label})
    return [_measured(None, frames)] + [_measured(label, frames) for label in labels]


def _measured(label: str | None, frames: Sequence[ClassifiedFrame]) -> OfClass:
    reported, there, first = [], [], []
    for each in frames:
        is_asked = each.is_reported and label in {None, each.best}
        reported.append(Term(each.weight, float(is_asked and each.is_right), float(is_asked)))
        is_true = bool(each.classes) if label is None else label in each.classes
        is_found = is_true and each.is_right and label in {None, each.best}
        there.append(Term(each.weight, float(is_found and each.is_reported), float(is_true)))
        first.append(Term(each.weight, float(is_found), float(is_true)))
    images = sum(int(term.cases) for term in there)
    return OfClass(label, images, ratio(reported), ratio(there), ratio(first))


def confidences(frames: Sequence[ClassifiedFrame]) -> tuple[Floats, Floats]:
    """Return the confidence of the best class of each frame, and 1 where it is true."""
    return (
        np.array([each.confidence for each in frames], np.float64),
        np.array([each.is_right for each in frames], np.float64),
    )
