"""Polygons, keypoints and rotated boxes of any record: valid and within the image, or left out."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Task
from agent.record.shapes import (
    COCO_KEYPOINTS,
    COCO_SKELETON,
    Visibility,
    area,
    bounds,
    clipped,
    keypoint_count,
    keypoint_names,
    task_of,
    visibility,
)
from agent.record.summary import Annotate, LabelledBox, labelled_box, labels_of
from tests.fakes.captures import CAR, of_first_schema, stored_capture

WIDTH, HEIGHT = 200, 100

any_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=12,
)
positions = st.floats(-300, 500)
points = st.lists(st.tuples(positions, positions), max_size=12)


def box_of(**shapes: Any) -> LabelledBox:
    found = labelled_box({**CAR, **shapes}, WIDTH, HEIGHT)
    assert found is not None
    return found


def test_a_polygon_is_cut_at_the_edge_of_the_image_not_bent() -> None:
    """A triangle whose tip lies 100 pixels left of the image keeps the slope of its sides."""
    found = box_of(polygon=[[-100, 50], [100, 0], [100, 100]])

    assert set(found.polygon) == {(0.0, 25.0), (100.0, 0.0), (100.0, 100.0), (0.0, 75.0)}
    assert area(found.polygon) == pytest.approx(7500)


@given(points)
def test_a_cut_polygon_lies_in_the_image_and_reaches_no_further(
    found: list[tuple[float, float]],
) -> None:
    cut = clipped(tuple(found), WIDTH, HEIGHT)

    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in cut)
    if cut:
        left, top, right, bottom = bounds(cut)
        assert len(cut) > 2
        assert area(cut) > 0
        far_left, far_top, far_right, far_bottom = bounds(found)
        assert left >= far_left - 1e-6
        assert top >= far_top - 1e-6
        assert right <= far_right + 1e-6
        assert bottom <= far_bottom + 1e-6


@given(
    st.tuples(st.floats(5, 195), st.floats(5, 95)),
    st.lists(st.floats(0, math.tau), min_size=3, max_size=9, unique=True),
)
def test_a_polygon_within_the_image_stays_as_it_is(
    centre: tuple[float, float], angles: list[float]
) -> None:
    made = [
        (centre[0] + 4 * math.cos(angle), centre[1] + 4 * math.sin(angle))
        for angle in sorted(angles)
    ]
    cut = clipped(tuple(made), WIDTH, HEIGHT)

    assert (set(cut) == set(made)) if cut else area(made) < 0.02


@given(polygon=any_json, keypoints=any_json, corners=any_json)
def test_no_shape_of_a_record_raises_and_the_box_remains(**shapes: Any) -> None:
    found = box_of(**shapes)

    assert (found.x_min, found.y_min, found.x_max, found.y_max) == tuple(CAR["box"])  # type: ignore[arg-type]
    assert len(found.corners) in {0, 4}
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y, _ in found.keypoints)
    assert all(0 <= confidence <= 1 for *_, confidence in found.keypoints)


@pytest.mark.parametrize(
    "polygon",
    [
        None,
        [],
        [[1, 1]],
        [[1, 1], [50, 50]],
        [[1, 1], [50, 50], [99, 99]],
        [[300, 300], [400, 300], [400, 400]],
        [[1, 1], [50, 1], [50]],
        [[1, 1], [50, 1], [50, math.nan]],
        [[1, 1], [50, 1], [50, 10**400]],
        [[1, 1], [50, 1], ["50", 50]],
        "polygon",
    ],
)
def test_an_object_without_a_valid_polygon_has_its_box_as_outline(polygon: object) -> None:
    assert box_of(polygon=polygon).outline == ((10, 20), (110, 20), (110, 70), (10, 70))


def test_the_corners_of_a_rotated_box_go_clockwise_from_the_first() -> None:
    clockwise = ((50, 10), (90, 50), (50, 90), (10, 50))
    backwards = [clockwise[0], *reversed(clockwise[1:])]

    for corners in (clockwise, backwards):
        assert box_of(corners=[list(each) for each in corners]).corners == clockwise
    assert box_of(corners=[[-30, -10], [60, -10], [60, 50], [-30, 50]]).corners[0] == (-30, -10)
    assert box_of(corners=[[300, 0], [400, 0], [400, 50], [300, 50]]).corners == ()


@pytest.mark.parametrize(
    ("confidence", "seen"),
    [
        (1.0, Visibility.VISIBLE),
        (0.5, Visibility.VISIBLE),
        (0.49, Visibility.HIDDEN),
        (0.25, Visibility.HIDDEN),
        (0.24, Visibility.NOT_LABELLED),
        (0.0, Visibility.NOT_LABELLED),
    ],
)
def test_the_confidence_of_a_keypoint_says_how_visible_it_is(
    confidence: float, seen: Visibility
) -> None:
    assert visibility(confidence) is seen


@pytest.mark.parametrize(
    ("changes", "task", "keypoints"),
    [
        ({}, Task.DETECT, 0),
        ({"model": None}, Task.DETECT, 0),
        ({"model": {"task": "panoptic"}}, Task.DETECT, 0),
        ({"model": {"task": ["pose"], "keypoints": True}}, Task.DETECT, 0),
        ({"model": {"task": "obb"}}, Task.OBB, 0),
        ({"model": {"task": "pose", "keypoints": 17}, "detections": []}, Task.POSE, 17),
        ({"model": {"task": "pose"}, "detections": [{"keypoints": [[1, 2, 1]] * 5}]}, Task.POSE, 5),
        ({"model": {"task": "pose", "keypoints": 10**9}, "detections": 7}, Task.POSE, 0),
    ],
)
def test_the_task_of_a_record_is_that_of_its_model(
    changes: dict[str, Any], task: Task, keypoints: int
) -> None:
    record = stored_capture(1, **changes).record

    assert (task_of(record), keypoint_count(record)) == (task, keypoints)


def test_a_record_of_the_first_schema_has_boxes_alone() -> None:
    labels = labels_of(of_first_schema(1).record, Annotate.THRESHOLD)

    assert labels is not None
    assert [(box.polygon, box.keypoints, box.corners) for box in labels.boxes] == [((), (), ())]


def test_the_skeleton_joins_keypoints_that_have_names() -> None:
    assert len(COCO_KEYPOINTS) == len(set(COCO_KEYPOINTS)) == 17
    assert {number for joint in COCO_SKELETON for number in joint} == set(range(17))
    assert keypoint_names(17)[0] == "nose"
    assert keypoint_names(2) == ["keypoint 1", "keypoint 2"]
