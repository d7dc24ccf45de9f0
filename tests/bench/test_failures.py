"""How the benches count failures: once for an episode, by the labels of a sequence."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.domain import Box, Detection, Thresholds
from tests.bench.selection.failures import Episodes, Failure, Seen, Truth
from tests.bench.selection.mot import read
from tests.bench.selection.ours import Piece, stream
from tests.bench.selection.policies import found, oracle
from tests.bench.selection.scenes import Day, Street
from tests.replay.recordings import ConstantDetector

PERSON = Box(100, 100, 150, 200)
ELSEWHERE = Box(600, 100, 650, 200)


def person(box: Box, confidence: float = 0.9) -> Detection:
    return Detection("person", 0, confidence, box)


@pytest.mark.parametrize(("gap", "expected"), [(4, 1), (5, 1), (6, 2)])
def test_an_object_that_is_missed_again_after_more_than_the_gap_is_another_failure(
    gap: int, expected: int
) -> None:
    episodes = Episodes(gap=5)

    failures = [*episodes.failures(0, [], Truth(((7, PERSON),)))]
    failures += episodes.failures(gap, [], Truth(((7, PERSON),)))

    assert len({each.episode for each in failures}) == expected


def test_two_missed_objects_are_two_failures_and_a_false_box_is_a_third() -> None:
    truth = Truth(((1, PERSON), (2, Box(300, 100, 350, 200))))

    failures = Episodes(gap=5).failures(0, [person(ELSEWHERE)], truth)

    assert len({each.episode for each in failures}) == 3
    assert ELSEWHERE in {each.box for each in failures}


def test_overlapping_false_boxes_are_one_failure_and_a_box_elsewhere_is_another() -> None:
    episodes = Episodes(gap=5)
    moved = Box(110, 100, 160, 200)

    failures = [
        *episodes.failures(0, [person(PERSON)], Truth()),
        *episodes.failures(1, [person(moved)], Truth()),
        *episodes.failures(2, [person(ELSEWHERE)], Truth()),
    ]

    first, second, third = (each.episode for each in failures)
    assert first == second != third


def test_a_second_box_of_a_detected_object_is_false() -> None:
    boxes = [person(PERSON), person(Box(101, 100, 151, 200), 0.6)]

    [failure] = Episodes(gap=5).failures(0, boxes, Truth(((1, PERSON),)))

    assert failure.box == boxes[1].box


def test_a_box_at_an_ignored_place_is_no_failure() -> None:
    assert not Episodes(gap=5).failures(0, [person(PERSON)], Truth(ignored=(PERSON,)))


def test_the_oracle_takes_the_frame_with_most_failures_first_and_none_twice() -> None:
    blank = next(iter(Day(Street(frames=1, busy_rate=0, quiet_rate=0), 0))).observation
    shown = [(1,), (1, 2), (3,), (2,)]
    day = [Seen(blank, tuple(Failure(each) for each in episodes)) for episodes in shown]

    assert oracle(day, 4) == [1, 2]
    assert found(day, [0, 1]) == 2


def test_a_stream_continues_after_a_break_with_the_same_failures() -> None:
    part = list(Day(Street(frames=10, busy_share=1), 0))

    day = stream([Piece(part, 5.0, break_s=30.0), Piece(part, 5.0)])

    assert [seen.observation.frame.sequence for seen in day] == list(range(20))
    assert day[10].observation.frame.at == pytest.approx(32.0)
    assert found(day, range(20)) == found(part, range(10))


@pytest.mark.parametrize(
    ("row", "missed"),
    [
        ("1,1,50,60,40,90,1,-1,-1,-1", 1),  # ten columns: every row is an object
        ("1,1,50,60,40,90,0,-1,-1,-1", 1),
        ("1,1,50,60,40,90,1,1,0.9", 1),  # nine columns: flag, class, visibility
        ("1,1,50,60,40,90,0,1,0.9", 0),
        ("1,1,50,60,40,90,1,3,0.9", 0),  # a car
    ],
)
def test_labels_of_both_formats_are_read(row: str, missed: int, tmp_path: Path) -> None:
    (tmp_path / "gt").mkdir()
    (tmp_path / "img1").mkdir()
    (tmp_path / "gt" / "gt.txt").write_text(row, encoding="ascii")
    (tmp_path / "seqinfo.ini").write_text(
        "[Sequence]\nframeRate=5\nimHeight=180\n", encoding="ascii"
    )
    cv2.imwrite(str(tmp_path / "img1" / "000001.jpg"), np.zeros((180, 320, 3), np.uint8))

    sequence = read(tmp_path, ConstantDetector(), label="person")
    [seen] = sequence.seen(Thresholds(0.5), "person")

    assert len(seen.failures) == missed
    assert not sequence.seen(Thresholds(0.5), "person", least_height=0.6)[0].failures
