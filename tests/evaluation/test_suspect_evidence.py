"""What a review says of suspects: each distinct failure counts once, whatever shows it."""

from collections.abc import Sequence

import pytest

from agent.domain import VerdictKind
from agent.evaluation.judged_captures import JudgedCapture
from agent.evaluation.suspect_evidence import SAME_FAILURE_S, SAME_TRACK_S, evidence_of, in_failures
from agent.selection.feedback import Side
from tests.evaluation.judged import ELSEWHERE, PLACE, called, detected, judged, record, suspect


def outcomes(*captures: JudgedCapture) -> list[tuple[str, Side, float]]:
    return [(each.rule, each.side, round(each.failure, 3)) for each in evidence_of(captures)]


def shares(*captures: JudgedCapture) -> list[float]:
    return [round(each.failure, 3) for each in evidence_of(captures)]


def test_a_false_box_above_and_a_miss_below_are_failures_and_the_others_are_none() -> None:
    boxes = (detected(0.6), detected(0.4, ELSEWHERE))
    made = record(1, suspect(), suspect("flicker", box=ELSEWHERE), detections=boxes)

    assert outcomes(judged(made)) == [
        ("low_confidence", Side.ABOVE, 1.0),
        ("flicker", Side.BELOW, 0.0),
    ]
    assert outcomes(judged(made, PLACE, ELSEWHERE)) == [
        ("low_confidence", Side.ABOVE, 0.0),
        ("flicker", Side.BELOW, 1.0),
    ]


def miss(
    number: int, at: float, *, box: list[float] = PLACE, track: int | None = None, **more: str
) -> JudgedCapture:
    """Return a capture that shows a missed object which a suspect points at."""
    seen = suspect("weak_track", box=box, track=track)
    made = record(number, seen, detections=(detected(0.4, box),), at=at)
    return judged(made | more, box)


MOVED = [15.0, 12.0, 55.0, 52.0]


@pytest.mark.parametrize(
    ("captures", "expected"),
    [
        ([miss(1, 0), miss(2, 5), miss(3, 9, box=MOVED)], [1 / 3] * 3),
        ([miss(1, 0), miss(2, 5, box=ELSEWHERE)], [1.0, 1.0]),
        ([miss(1, 0), miss(2, SAME_FAILURE_S + 1)], [1.0, 1.0]),
        ([miss(1, 0, track=7), miss(2, 60, box=ELSEWHERE, track=7)], [0.5, 0.5]),
        ([miss(1, 0, track=7), miss(2, 60, box=ELSEWHERE, track=8)], [1.0, 1.0]),
        ([miss(1, 0, track=7), miss(2, SAME_TRACK_S + 1, box=ELSEWHERE, track=7)], [1.0, 1.0]),
        ([miss(1, 0), miss(2, 5, camera="yard")], [1.0, 1.0]),
        ([miss(1, 0), miss(2, 5, device="other")], [1.0, 1.0]),
        ([miss(1, 0), miss(2, 5, boot_id="another")], [1.0, 1.0]),
        ([miss(2, 5), miss(1, 0)], [0.5, 0.5]),
    ],
)
def test_a_failure_that_several_captures_show_is_shared_between_them(
    captures: Sequence[JudgedCapture], expected: list[float]
) -> None:
    assert shares(*captures) == pytest.approx(expected, abs=1e-3)


def test_a_capture_without_suspects_shows_the_failure_too() -> None:
    """A random capture would have found it: its suspect gained half."""
    drawn = judged(record(2, detections=(detected(0.4),), at=3.0, lane="random"), PLACE)

    assert shares(miss(1, 0), drawn) == [0.5]


def test_of_a_frame_that_is_only_called_wrong_one_failure_is_shared_out() -> None:
    boxes = (detected(0.6), detected(0.55, ELSEWHERE), detected(0.4, [300, 10, 340, 50]))
    seen = (
        suspect(p=0.5),
        suspect("isolated", 0.2, box=ELSEWHERE),
        suspect("flicker", 0.3, box=[300, 10, 340, 50]),
    )
    made = record(1, *seen, detections=boxes)

    any_of_them = 1 - 0.5 * 0.8
    assert shares(called(made, VerdictKind.WRONG)) == pytest.approx(
        [0.5 / any_of_them, 0.2 / any_of_them, 0.3], abs=1e-3
    )
    assert shares(called(made, VerdictKind.MISSING)) == pytest.approx([0.5, 0.2, 1.0])


def test_a_suspect_of_the_whole_frame_is_right_only_if_no_other_shows_the_failure() -> None:
    change = suspect("count_change", 0.15, box=None, label="")
    explained = record(1, suspect("flicker"), change, detections=(detected(0.4),))
    unexplained = record(2, change, detections=(detected(0.4),))

    assert shares(judged(explained, PLACE)) == [1.0, 0.0]
    assert shares(judged(unexplained, PLACE)) == [1.0]
    assert shares(judged(unexplained)) == [0.0]
    assert shares(called(unexplained, VerdictKind.MISSING)) == [1.0]


def test_a_classifier_is_judged_by_its_class() -> None:
    made = record(1, suspect("low_margin", box=None)) | {
        "classes": [{"label": "car", "class_id": 0, "confidence": 0.5}]
    }
    del made["detections"]

    assert shares(called(made, VerdictKind.WRONG)) == [1.0]


def test_p_before_an_earlier_feedback_file_counts() -> None:
    made = record(1, suspect(p=0.05, prior=0.25), detections=(detected(0.6),))

    [found] = evidence_of([judged(made, PLACE)])

    assert found.prior == 0.25


@pytest.mark.parametrize("times", [1, 2, 20])
def test_captures_close_together_do_not_make_failures_rare(times: int) -> None:
    """The same minute seen often teaches what it teaches seen once: its suspects are right."""
    captures = [miss(number, number / times) for number in range(1, 1 + times)]
    other = [miss(100 + number, 1000.0 * (number + 1)) for number in range(3)]

    scaled = in_failures(evidence_of([*captures, *other]))

    assert sum(each.failure for each in scaled) == pytest.approx(times + 3)
    assert scaled[0].failure <= scaled[-1].failure
