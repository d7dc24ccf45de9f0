"""Reviews: the newest word that is not withdrawn counts, in whichever order lines arrive."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dataset.reviews import (
    LabelOrigin,
    check_review,
    objects_of,
    review_line,
    review_text,
    standing_reviews,
    undo_line,
)
from agent.domain import VerdictKind
from tests.fakes.captures import capture_id
from tests.fakes.clock import WALL

CAR = {"label": "car", "box": [1.0, 2.0, 30.0, 40.0]}


def _said(number: int, kind: str = "right", *, by: str = "ann", **more: Any) -> dict[str, Any]:
    return review_line(capture_id(1), VerdictKind(kind), at=WALL + number, by=by, **more)


def _standing(*lines: dict[str, Any]) -> str | None:
    found = standing_reviews(lines)
    return found[capture_id(1)].verdict if found else None


def test_the_newest_review_of_all_people_stands() -> None:
    assert _standing(_said(1), _said(3, "wrong", by="bob"), _said(2, "missing")) == "wrong"


def test_an_undone_review_gives_way_to_the_one_before() -> None:
    first, second = _said(1), _said(2, "unusable")

    assert _standing(first, second, undo_line(second, at=WALL + 3)) == "right"
    assert _standing(undo_line(second, at=WALL + 3), second, first) == "right"
    assert _standing(first, undo_line(first, at=WALL + 2)) is None


def test_nobody_undoes_the_review_of_another() -> None:
    mine, theirs = _said(1, by="ann"), _said(1, "wrong", by="bob")

    assert _standing(mine, theirs, undo_line(mine, at=WALL + 2)) == "wrong"


def test_undo_without_a_time_withdraws_the_newest_own_review() -> None:
    lines = [_said(1), _said(2, "wrong"), _said(3, "missing", by="bob")]
    undo = {**_said(4, "wrong"), "undo": True}

    assert _standing(*lines[:2], undo) == "right"
    assert _standing(*lines, undo, {**_said(5), "undo": True}) == "missing"
    assert _standing(*lines[:2], undo, {**_said(5), "undo": True}) is None


def test_boxes_may_be_lists_with_their_labels_beside_them() -> None:
    line = {**_said(1, "wrong"), "boxes": [CAR["box"], [0, 0, 5, 5]], "labels": ["car", "bus"]}
    known = standing_reviews([line])[capture_id(1)].boxes or ()

    assert [(each["label"], each["box"]) for each in known] == [
        ("car", CAR["box"]),
        ("bus", [0, 0, 5, 5]),
    ]
    assert _standing({**line, "labels": ["car"]}) is None


def test_what_devices_brought_is_no_review() -> None:
    fact = {**_said(1, "wrong"), "camera": "gate", "moment": "2026-01-01T00:00:00.000Z"}

    assert _standing(fact) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "x"},
        {"at": "yesterday"},
        {"verdict": "unobjected"},
        {"verdict": ["wrong"]},
        {"boxes": {}},
        {"boxes": [{"label": "car", "box": [5, 5, 1, 9]}]},
        {"boxes": [{"label": "car", "box": [0, 0, float("inf"), 9]}]},
        {"boxes": [{"label": "", "box": [0, 0, 1, 1]}]},
        {"boxes": [{"box": [0, 0, 1, 1]}]},
        {"labels": "car"},
        {"labels": [7]},
        {"undo": "now"},
    ],
)
def test_a_line_that_is_no_review_is_refused_and_left_out(changed: dict[str, Any]) -> None:
    line = {**_said(1, "wrong"), **changed}

    with pytest.raises(ValueError, match=r"it|label|box"):
        check_review(line)
    assert _standing(_said(0), line) == "right"


@given(st.permutations(range(6)))
def test_the_order_of_the_lines_means_nothing(order: list[int]) -> None:
    lines = [_said(0), _said(1, "wrong", boxes=[CAR]), _said(2, "missing", by="bob")]
    lines += [undo_line(lines[2], at=WALL + 4), _said(5, "unusable")]
    lines.append(undo_line(lines[4], at=WALL + 6))

    found = standing_reviews([lines[place] for place in order])[capture_id(1)]

    assert found.verdict == "wrong"
    assert [each["label"] for each in found.boxes or ()] == ["car"]


def test_equal_reviews_have_equal_texts() -> None:
    line = _said(1, "wrong", boxes=[CAR], note="a\nb")
    mixed = dict(reversed(line.items()))

    assert review_text(mixed) == review_text(line)
    assert json.loads(review_text(line)) == line


def test_labels_follow_the_review() -> None:
    record = {
        "lane": "random",
        "thresholds": {"default": 0.5},
        "detections": [{**CAR, "confidence": 0.9}, {**CAR, "confidence": 0.3}],
    }

    def origin_and_count(*lines: dict[str, Any]) -> tuple[LabelOrigin, int | None]:
        found = objects_of(record, standing_reviews(lines).get(capture_id(1)))
        return found.origin, None if found.objects is None else len(found.objects)

    assert origin_and_count() == (LabelOrigin.MODEL, 1)
    assert origin_and_count(_said(1)) == (LabelOrigin.REVIEWED, 1)
    assert origin_and_count(_said(1, boxes=[CAR, CAR])) == (LabelOrigin.REVIEWED, 2)
    assert origin_and_count(_said(1, "wrong")) == (LabelOrigin.REVIEWED, None)
    assert origin_and_count(_said(1, "wrong", boxes=[])) == (LabelOrigin.CORRECTED, 0)
    assert origin_and_count(_said(1, "unusable", boxes=[CAR])) == (LabelOrigin.REVIEWED, None)
