"""What reviewed audits say of auto labels."""

from typing import Any

import pytest

from agent.dataset.reviews import Review
from agent.domain import VerdictKind
from agent.evaluation.audit import Audit, Promise, audit, audit_facts, audit_warnings
from agent.evaluation.truth import FrameTruth, truth_of_review
from agent.record.audit import is_audited
from tests.fakes.captures import CAR, capture_id, record_of

AUDITED = [n for n in range(1, 20_000) if is_audited(capture_id(n))]
OTHERS = [n for n in range(1, 500) if not is_audited(capture_id(n))]


def auto_record(number: int, **changes: Any) -> dict[str, Any]:
    return record_of(
        number,
        b"",
        lane="auto",
        rules=[],
        **{"detections": [CAR], "auto": {"audit": True, "precision": 0.98}, **changes},
    )


def audited(
    numbers: list[int], verdicts: dict[int, tuple[VerdictKind, Any]], **changes: Any
) -> Audit:
    """Audit these captures; all are reviewed as right but for those in `verdicts`."""
    records = {capture_id(n): auto_record(n, **changes) for n in numbers}
    truth: dict[str, FrameTruth] = {}
    for n in numbers:
        kind, boxes = verdicts.get(n, (VerdictKind.RIGHT, None))
        review = Review(capture_id(n), "2026-05-28T20:26:40.000Z", "ann", kind, boxes)
        found = truth_of_review(records[capture_id(n)], review)
        if found is not None:
            truth[capture_id(n)] = found
    made = audit(records, truth)
    assert made is not None
    return made


def test_a_dataset_without_auto_labels_has_no_audit() -> None:
    assert audit({capture_id(1): record_of(1, b"")}, {}) is None


@pytest.mark.parametrize(
    ("count", "wrong", "promise"),
    [(300, 0, Promise.KEPT), (50, 0, Promise.OPEN), (50, 1, Promise.OPEN), (50, 9, Promise.BROKEN)],
)
def test_the_promise_is_kept_open_or_broken_by_the_interval(
    count: int, wrong: int, promise: Promise
) -> None:
    found = audited(AUDITED[:count], dict.fromkeys(AUDITED[:wrong], (VerdictKind.WRONG, ())))

    (car,) = found.labels
    assert (car.label, car.promise) == ("car", promise)
    assert car.precision.value == pytest.approx(1 - wrong / count)
    assert found.broken == ({"car"} if promise is Promise.BROKEN else set())
    assert found.right_frames is not None
    assert found.right_frames.value == pytest.approx(1 - wrong / count)


def test_auto_labels_that_somebody_chose_to_review_do_not_count() -> None:
    found = audited(AUDITED[:10] + OTHERS, dict.fromkeys(OTHERS, (VerdictKind.WRONG, ())))

    assert (found.captures, found.audits, found.reviewed) == (10 + len(OTHERS), 10, 10)
    assert found.right_frames is not None
    assert found.right_frames.value == 1.0


def test_a_failing_frame_without_boxes_counts_as_one_wrong_box_of_each_label() -> None:
    person = {**CAR, "label": "person", "box": [120.0, 0.0, 150.0, 90.0]}
    two_cars = [CAR, {**CAR, "box": [120.0, 20.0, 190.0, 70.0]}, person]
    found = audited(AUDITED[:10], {AUDITED[0]: (VerdictKind.WRONG, None)}, detections=two_cars)

    shares = {each.label: each.precision.value for each in found.labels}
    assert found.unknown == 1
    assert shares == {"car": pytest.approx(19 / 20), "person": pytest.approx(0.9)}


def test_an_image_that_cannot_be_judged_is_left_out() -> None:
    found = audited(AUDITED[:3], {AUDITED[0]: (VerdictKind.UNUSABLE, None)})

    assert (found.audits, found.reviewed) == (3, 2)
    assert "1 of 3 auto labels for audit is not reviewed" in audit_warnings(found)[0]


def test_a_missed_object_makes_the_frame_wrong_and_not_the_labels() -> None:
    both = (CAR, {**CAR, "label": "person", "box": [120.0, 0.0, 150.0, 90.0]})
    found = audited(AUDITED[:10], {AUDITED[0]: (VerdictKind.MISSING, both)})

    assert found.right_frames is not None
    assert found.right_frames.value == pytest.approx(0.9)
    assert [each.precision.value for each in found.labels] == [1.0]


def test_a_broken_promise_is_a_warning_with_the_numbers() -> None:
    found = audited(AUDITED[:50], dict.fromkeys(AUDITED[:9], (VerdictKind.WRONG, ())))

    (said,) = audit_warnings(found)
    assert "auto labels of car break their promise: 82.0% of 50 audited boxes are right" in said
    facts = audit_facts(found)
    assert facts is not None
    assert facts["labels"]["car"]["promise"] == "broken"


def test_a_classifiers_auto_label_is_its_best_class() -> None:
    classes = [{"label": "car", "class_id": 0, "confidence": 0.9}]
    records = {}
    truth = {}
    for n, label in zip(AUDITED[:4], ["car", "car", "car", "bus"], strict=True):
        record = auto_record(n, classes=classes)
        del record["detections"]
        review = Review(capture_id(n), "x", "ann", VerdictKind.WRONG, None, (label,))
        records[capture_id(n)], truth[capture_id(n)] = record, truth_of_review(record, review)
    found = audit(records, {name: each for name, each in truth.items() if each is not None})

    assert found is not None
    assert [each.precision.value for each in found.labels] == [pytest.approx(0.75)]
