"""Which of a model's boxes are right: each is matched with at most one box of a person."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.domain import Box

MATCH_IOU = 0.5


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


def match_boxes(reported: Sequence[AnnotatedBox], truth: Sequence[AnnotatedBox]) -> MatchCounts:
    """Match the most confident box first with the free box of its label that it covers best.

    From an IoU of 0.5 on, boxes match, as in PASCAL VOC. A reported box in a crowd is not counted.
    """
    result = MatchCounts()
    free = [each for each in truth if not each.is_crowd]
    crowds = [each for each in truth if each.is_crowd]
    for mine in sorted(reported, key=lambda each: -each.confidence):
        best = max(_matches(mine, free), default=(0.0, -1))
        if best[0] >= MATCH_IOU:
            del free[best[1]]
            result.right[mine.label] += 1
        elif not any(_is_in(mine, crowd) for crowd in crowds):
            result.wrong[mine.label] += 1
    result.missed.update(each.label for each in free)
    return result


def _matches(mine: AnnotatedBox, free: Sequence[AnnotatedBox]) -> Iterator[tuple[float, int]]:
    for place, theirs in enumerate(free):
        if theirs.label == mine.label:
            both = _common(mine.box, theirs.box)
            yield both / (_area(mine.box) + _area(theirs.box) - both or 1.0), place


def _is_in(mine: AnnotatedBox, crowd: AnnotatedBox) -> bool:
    area = _area(mine.box)
    return mine.label == crowd.label and _common(mine.box, crowd.box) >= MATCH_IOU * area > 0


def _area(box: Box) -> float:
    return max(0.0, box.x_max - box.x_min) * max(0.0, box.y_max - box.y_min)


def _common(a: Box, b: Box) -> float:
    width = min(a.x_max, b.x_max) - max(a.x_min, b.x_min)
    height = min(a.y_max, b.y_max) - max(a.y_min, b.y_min)
    return max(0.0, width) * max(0.0, height)
