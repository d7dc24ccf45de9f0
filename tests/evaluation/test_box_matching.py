"""A box is right if an unmatched annotated box has the same label and an IoU of at least 0.5."""

import pytest

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.domain import Box
from agent.evaluation.box_matching import match_boxes


def box(
    left: float, *, label: str = "car", confidence: float = 1.0, crowd: bool = False
) -> AnnotatedBox:
    """Return a square of 10 pixels at `left`."""
    return AnnotatedBox(label, Box(left, 0, left + 10, 10), confidence, is_crowd=crowd)


@pytest.mark.parametrize(
    ("reported", "truth", "expected"),
    [
        ([], [], (0, 0, 0)),
        ([box(0)], [box(0)], (1, 0, 0)),
        ([box(0)], [], (0, 1, 0)),
        ([], [box(0)], (0, 0, 1)),
        ([box(0)], [box(0, label="dog")], (0, 1, 1)),
        ([box(3)], [box(0)], (1, 0, 0)),  # IoU 7/13
        ([box(4)], [box(0)], (0, 1, 1)),  # IoU 6/14
        ([box(0), box(1)], [box(0)], (1, 1, 0)),  # one object is found once
        ([box(0), box(20)], [box(21), box(1)], (2, 0, 0)),
        ([box(0)], [box(0, crowd=True)], (0, 0, 0)),
        ([], [box(0, crowd=True)], (0, 0, 0)),
        ([box(50)], [box(0, crowd=True)], (0, 1, 0)),
    ],
)
def test_boxes_are_matched(
    reported: list[AnnotatedBox], truth: list[AnnotatedBox], expected: tuple[int, int, int]
) -> None:
    found = match_boxes(reported, truth)

    assert (len(found.right), len(found.wrong), len(found.missed)) == expected
    assert found.is_perfect == (expected[1:] == (0, 0))


def test_the_box_of_the_highest_confidence_is_matched_first() -> None:
    sure, unsure = box(2, confidence=0.9), box(0, confidence=0.6)

    found = match_boxes([unsure, sure], [box(1)])

    assert found.right == {1}
    assert found.wrong == {0}


def test_a_box_is_matched_with_the_largest_overlap() -> None:
    found = match_boxes([box(1)], [box(3), box(0)])

    assert found.right == {0}
    assert found.missed == {0}
    assert match_boxes([box(1), box(4)], [box(3), box(0)]).is_perfect
