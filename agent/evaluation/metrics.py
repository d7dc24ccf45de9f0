"""Failure rate, precision and recall of reviewed frames that were drawn at random."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.evaluation.box_matching import match_boxes
from agent.evaluation.intervals import Estimate, Term, ratio


@dataclass(frozen=True, slots=True)
class MatchCounts:
    """What of one frame is right, by label."""

    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)  # reported, not there
    missed: Counter[str] = field(default_factory=Counter)  # there, not reported

    @property
    def is_perfect(self) -> bool:
        """Whether there is no error in the frame."""
        return not self.wrong.total() and not self.missed.total()

    @property
    def labels(self) -> set[str]:
        """All labels that occur."""
        return {*self.right, *self.wrong, *self.missed}


def counted(reported: Sequence[AnnotatedBox], truth: Sequence[AnnotatedBox]) -> MatchCounts:
    """Match the boxes of one frame and count them."""
    found = match_boxes(reported, truth)
    return MatchCounts(
        Counter(reported[place].label for place in found.right),
        Counter(reported[place].label for place in found.wrong),
        Counter(truth[place].label for place in found.missed),
    )


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One frame of the random lane that a person has looked at."""

    weight: float  # seconds that it stands for
    is_right: bool
    agreement: MatchCounts | None = None  # None where only a verdict was given


@dataclass(frozen=True, slots=True)
class OfLabel:
    """How well one label is recognised; of all labels together where there is no name."""

    label: str | None
    precision: Estimate | None  # None: never reported
    recall: Estimate | None  # None: never there


def failure_rate(frames: Sequence[Reviewed]) -> Estimate | None:
    """The share of time in which the model's answer has any error."""
    return ratio([Term(frame.weight, float(not frame.is_right), 1.0) for frame in frames])


def by_label(frames: Sequence[Reviewed]) -> list[OfLabel]:
    """Precision and recall of all labels together, then of each; empty without boxes."""
    agreements = [(f.weight, f.agreement) for f in frames if f.agreement is not None]
    if not agreements:
        return []
    labels = sorted({label for _, each in agreements for label in each.labels})
    return [_measured(None, agreements, labels)] + [
        _measured(label, agreements, [label]) for label in labels
    ]


def _measured(
    name: str | None, agreements: Sequence[tuple[float, MatchCounts]], labels: Iterable[str]
) -> OfLabel:
    reported, there = [], []
    chosen = list(labels)
    for weight, each in agreements:
        right = sum(each.right[label] for label in chosen)
        wrong = sum(each.wrong[label] for label in chosen)
        missed = sum(each.missed[label] for label in chosen)
        reported.append(Term(weight, right, right + wrong))
        there.append(Term(weight, right, right + missed))
    return OfLabel(name, ratio(reported), ratio(there))
