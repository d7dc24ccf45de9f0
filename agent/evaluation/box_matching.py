"""Which of a model's boxes in one frame are right: each finds at most one box of a person.

`agent.evaluation.matching` does the same for many frames at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.domain import Box

MATCH_IOU = 0.5
"""From here on boxes match, as in PASCAL VOC."""


@dataclass(frozen=True, slots=True)
class FrameMatch:
    """What of one frame is right; places in the sequences that were matched."""

    right: frozenset[int]  # reported, and there
    wrong: frozenset[int]  # reported, and not there; a box in a crowd is neither
    missed: frozenset[int]  # there, and not reported

    @property
    def is_perfect(self) -> bool:
        """Whether there is no error in the frame."""
        return not self.wrong and not self.missed


def match_boxes(reported: Sequence[AnnotatedBox], truth: Sequence[AnnotatedBox]) -> FrameMatch:
    """Match the most confident box first with the free box of its label that it covers best."""
    free = [place for place, each in enumerate(truth) if not each.is_crowd]
    crowds = [each for each in truth if each.is_crowd]
    right, wrong = set[int](), set[int]()
    for number in sorted(range(len(reported)), key=lambda place: -reported[place].confidence):
        mine = reported[number]
        overlap, best = max(_overlaps(mine, truth, free), default=(0.0, -1))
        if overlap >= MATCH_IOU:
            free.remove(best)
            right.add(number)
        elif not any(_is_in(mine, crowd) for crowd in crowds):
            wrong.add(number)
    return FrameMatch(frozenset(right), frozenset(wrong), frozenset(free))


def box_iou(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes, 0 to 1."""
    both = _common(a, b)
    return both / (_area(a) + _area(b) - both or 1.0)


def share_inside(inner: Box, outer: Box) -> float:
    """Return which share of a box lies in another one, 0 to 1."""
    return _common(inner, outer) / (_area(inner) or 1.0)


def _overlaps(
    mine: AnnotatedBox, truth: Sequence[AnnotatedBox], free: Sequence[int]
) -> Iterator[tuple[float, int]]:
    for place in free:
        if truth[place].label == mine.label:
            yield box_iou(mine.box, truth[place].box), place


def _is_in(mine: AnnotatedBox, crowd: AnnotatedBox) -> bool:
    return mine.label == crowd.label and share_inside(mine.box, crowd.box) >= MATCH_IOU


def _area(box: Box) -> float:
    return max(0.0, box.x_max - box.x_min) * max(0.0, box.y_max - box.y_min)


def _common(a: Box, b: Box) -> float:
    width = min(a.x_max, b.x_max) - max(a.x_min, b.x_min)
    height = min(a.y_max, b.y_max) - max(a.y_min, b.y_min)
    return max(0.0, width) * max(0.0, height)
