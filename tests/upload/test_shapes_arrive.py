"""Outlines, keypoints and rotated boxes in Label Studio and Roboflow, with the numbers by hand."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import StoredCapture, Task
from agent.errors import TargetBlocked
from agent.record.shapes import COCO_KEYPOINTS
from agent.record.summary import Annotate, labels_of
from agent.upload.targets.label_studio import LabelStudioTarget
from agent.upload.targets.label_studio_regions import Control, Controls, regions_of
from agent.upload.targets.roboflow import RoboflowTarget
from agent.upload.targets.roboflow_annotation import annotation_of
from tests.fakes.captures import CAR, stored_capture
from tests.fakes.clock import ManualClock
from tests.upload.label_studio_server import LEGACY, RECTANGLES, LabelStudioServer
from tests.upload.roboflow_server import RoboflowServer

TRIANGLE = {**CAR, "polygon": [[10, 20], [110, 20], [60, 70]]}
DIAMOND = {**CAR, "box": [10, 10, 90, 90], "corners": [[50, 10], [90, 50], [50, 90], [10, 50]]}
POSE = {**CAR, "keypoints": [[20, 30, 0.9], [100, 60, 0.3], [50, 50, 0.1]]}
RECTANGLE = ("rectanglelabels", {"x": 5, "y": 20, "width": 50, "height": 50, "rotation": 0})


def of_task(task: str, *detections: dict[str, Any], number: int = 1) -> StoredCapture:
    model = {"name": "m", "sha256": "ab", "task": task, "provider": "cpu"}
    return stored_capture(number, model=model, detections=list(detections))


def tag(kind: str, *labels: str) -> dict[str, Any]:
    return {**RECTANGLES["objects"], "type": kind, "labels": list(labels)}


POLYGONS = {"outlines": tag("PolygonLabels", "car")}
KEYPOINTS = {"points": tag("KeyPointLabels", "keypoint 1", "keypoint 2", "keypoint 3")}


@pytest.fixture
def server() -> Iterator[LabelStudioServer]:
    with LabelStudioServer() as running:
        yield running


def label_studio(server: LabelStudioServer) -> LabelStudioTarget:
    return LabelStudioTarget(server.url, token=LEGACY, clock=ManualClock())


def shapes(server: LabelStudioServer) -> list[tuple[str, dict[str, Any]]]:
    """Kind and rounded geometry of what arrived."""
    (task,) = server.tasks
    found = []
    for region in task.predictions[0]["result"]:
        value = {
            name: round(each, 6) if isinstance(each, float) else each
            for name, each in region["value"].items()
            if not name.endswith("labels")
        }
        found.append((region["type"], value))
    return found


OUTLINE = ("polygonlabels", {"points": [[5.0, 20.0], [55.0, 20.0], [30.0, 70.0]], "closed": True})
SQUARE = (
    "polygonlabels",
    {"points": [[25.0, 10.0], [45.0, 50.0], [25.0, 90.0], [5.0, 50.0]], "closed": True},
)
ROTATED = (
    "rectanglelabels",
    {
        "x": 25.0,
        "y": 10.0,
        "width": round(100 * math.hypot(40, 40) / 200, 6),
        "height": round(100 * math.hypot(40, 40) / 100, 6),
        "rotation": 45.0,
    },
)


@pytest.mark.parametrize(
    ("config", "capture", "arrives", "left_out"),
    [
        (RECTANGLES | POLYGONS, of_task("segment", TRIANGLE), [OUTLINE], ()),
        (POLYGONS, of_task("segment", TRIANGLE), [OUTLINE], ()),
        (
            RECTANGLES,
            of_task("segment", TRIANGLE, TRIANGLE),
            [RECTANGLE, RECTANGLE],
            ("the project has no <PolygonLabels>, so outlines arrive as rectangles",),
        ),
        (
            RECTANGLES | {"outlines": tag("PolygonLabels", "person")},
            of_task("segment", TRIANGLE),
            [RECTANGLE],
            ("<PolygonLabels> has no label car, so its outlines arrive as rectangles",),
        ),
        (RECTANGLES, of_task("obb", DIAMOND), [ROTATED], ()),
        (
            POLYGONS,
            of_task("obb", DIAMOND),
            [SQUARE],
            ("the project has no <RectangleLabels>, so rotated boxes arrive as polygons",),
        ),
        (
            RECTANGLES,
            of_task("pose", POSE),
            [RECTANGLE],
            ("the project has no <KeyPointLabels>, so keypoints do not arrive, only their boxes",),
        ),
        (
            RECTANGLES | KEYPOINTS,
            of_task("pose", POSE),
            [
                RECTANGLE,
                ("keypointlabels", {"x": 10.0, "y": 30.0, "width": 1.0}),
                ("keypointlabels", {"x": 50.0, "y": 60.0, "width": 1.0}),
            ],
            (),
        ),
        (
            RECTANGLES | {"points": tag("KeyPointLabels", "keypoint 2")},
            of_task("pose", POSE),
            [RECTANGLE, ("keypointlabels", {"x": 50.0, "y": 60.0, "width": 1.0})],
            (
                "<KeyPointLabels> has no label keypoint 1, keypoint 3; "  # noqa: ISC004
                "these keypoints do not arrive",
            ),
        ),
        (RECTANGLES | POLYGONS, of_task("segment", CAR), [RECTANGLE], ()),
        (RECTANGLES | POLYGONS, of_task("detect", CAR), [RECTANGLE], ()),
    ],
)
def test_shapes_become_regions_of_the_tags_that_the_project_has(
    server: LabelStudioServer,
    config: dict[str, Any],
    capture: StoredCapture,
    arrives: list[tuple[str, dict[str, Any]]],
    left_out: tuple[str, ...],
) -> None:
    server.config = config
    with label_studio(server) as target:
        receipt = target.send(capture)

    assert shapes(server) == arrives
    assert receipt.left_out == left_out


def test_keypoints_belong_to_the_box_of_their_object(server: LabelStudioServer) -> None:
    """Label Studio exports poses by `parentID`."""
    server.config = RECTANGLES | KEYPOINTS
    other = {**POSE, "box": [120, 20, 180, 70], "confidence": 0.8}
    with label_studio(server) as target:
        target.send(of_task("pose", POSE, other))

    (task,) = server.tasks
    regions = task.predictions[0]["result"]
    boxes = [each["id"] for each in regions if each["type"] == "rectanglelabels"]
    points = [each for each in regions if each["type"] == "keypointlabels"]
    assert len(set(boxes)) == 2
    assert [each["parentID"] for each in points] == [boxes[0]] * 2 + [boxes[1]] * 2
    assert points[0]["value"]["keypointlabels"] == ["keypoint 1"]
    assert points[0]["from_name"] == "points"
    assert task.predictions[0]["score"] == pytest.approx(0.85)


def test_a_project_with_one_label_for_keypoints_gets_them_all(server: LabelStudioServer) -> None:
    server.config = RECTANGLES | {"points": tag("KeyPointLabels", "car")}
    with label_studio(server) as target:
        assert target.send(of_task("pose", POSE)).left_out == ()
    assert len(shapes(server)) == 3


@pytest.mark.parametrize(
    ("config", "task", "says"),
    [
        (RECTANGLES, Task.DETECT, None),
        (RECTANGLES, Task.OBB, None),
        (RECTANGLES, Task.SEGMENT, "no <PolygonLabels>, so outlines arrive as rectangles; add"),
        (RECTANGLES, Task.POSE, "no <KeyPointLabels>, so keypoints do not arrive"),
        (RECTANGLES | POLYGONS, Task.SEGMENT, None),
        (POLYGONS, Task.SEGMENT, None),
        (RECTANGLES | KEYPOINTS, Task.POSE, None),
    ],
)
def test_what_a_task_would_lose_is_said_before_anything_is_sent(
    server: LabelStudioServer, config: dict[str, Any], task: Task, says: str | None
) -> None:
    server.config = config
    with label_studio(server) as target:
        said = target.compare_labels(["car"], task)

    assert (says in said) if says is not None and said is not None else said == says


@pytest.mark.parametrize("task", ["detect", "pose"])
def test_a_project_for_outlines_alone_holds_other_tasks(
    server: LabelStudioServer, task: str
) -> None:
    server.config = POLYGONS
    with label_studio(server) as target:
        assert "polygons in 'outlines'" in target.probe()
        for attempt in (
            lambda: target.compare_labels(["car"], Task(task)),
            lambda: target.send(of_task(task, CAR)),
        ):
            with pytest.raises(TargetBlocked, match="has no <RectangleLabels>"):
                attempt()


numbers = st.floats(-500, 700)
points = st.lists(st.lists(numbers, min_size=2, max_size=2), max_size=9)
corners = st.tuples(numbers, numbers, st.floats(1, 400), st.floats(1, 400), st.floats(0, 360)).map(
    lambda each: turned(*each)
)


def turned(x: float, y: float, width: float, height: float, degrees: float) -> list[list[float]]:
    """The corners of a rectangle that was turned about its centre."""
    angle = math.radians(degrees)
    return [
        [
            x + across * math.cos(angle) - down * math.sin(angle),
            y + across * math.sin(angle) + down * math.cos(angle),
        ]
        for across, down in (
            (-width / 2, -height / 2),
            (width / 2, -height / 2),
            (width / 2, height / 2),
            (-width / 2, height / 2),
        )
    ]


def corners_again(value: dict[str, float], width: int, height: int) -> list[tuple[float, float]]:
    """The corners of a region as Label Studio draws it: turned about its first corner."""
    x, y = value["x"] / 100 * width, value["y"] / 100 * height
    across, down = value["width"] / 100 * width, value["height"] / 100 * height
    angle = math.radians(value["rotation"])
    along, side = (math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))
    return [
        (x + a * along[0] + d * side[0], y + a * along[1] + d * side[1])
        for a, d in ((0, 0), (across, 0), (across, down), (0, down))
    ]


@given(corners)
def test_a_rotated_box_is_drawn_where_it_was_or_upright(found: list[list[float]]) -> None:
    capture = of_task("obb", {**CAR, "corners": found})
    labels = labels_of(capture.record, Annotate.THRESHOLD)
    assert labels is not None
    made = regions_of(labels, Controls("photo", boxes=Control("objects", frozenset({"car"}))))

    (region,) = made.result
    value = region["value"]
    if value["rotation"]:
        drawn = corners_again(value, 200, 100)
        for x, y in found:
            assert min(math.dist((x, y), corner) for corner in drawn) < 1e-6 * (1 + abs(x) + abs(y))
    require_valid(region)


@given(points, st.lists(st.lists(numbers, min_size=3, max_size=3), max_size=20), corners | points)
def test_any_shape_becomes_regions_that_label_studio_takes(
    polygon: list[list[float]], keypoints: list[list[float]], found: list[list[float]]
) -> None:
    detection = {**CAR, "polygon": polygon, "keypoints": keypoints, "corners": found}
    capture = of_task("pose", detection, {**CAR, "label": "bus"})
    labels = labels_of(capture.record, Annotate.FLOOR)
    assert labels is not None
    car = Control("objects", frozenset({"car"}))
    named = Control("points", frozenset(COCO_KEYPOINTS))
    for controls in (
        Controls("photo", car, None, None),
        Controls("photo", None, car, named),
        Controls("photo", car, car, named),
        Controls("photo"),
    ):
        made = regions_of(labels, controls)
        for region in made.result:
            require_valid(region)
        assert "the project has no label bus" in made.left_out
        assert all(text.isprintable() and len(text) < 300 for text in made.left_out)


def require_valid(region: dict[str, Any]) -> None:
    """Check the limits of label-studio-sdk: it refuses the whole prediction otherwise."""
    value = region["value"]
    if region["type"] == "polygonlabels":
        assert len(value["points"]) > 2
        assert all(0 <= number <= 100 for point in value["points"] for number in point)
    else:
        parts = [value[name] for name in ("x", "y", "width", "height") if name in value]
        assert all(-100 <= number <= 100 for number in parts)
        assert 0 <= value.get("rotation", 0) <= 360


def test_shapes_are_fields_of_a_prediction_in_roboflow() -> None:
    with RoboflowServer("key") as server:
        target = RoboflowTarget(server.url, token="key", clock=ManualClock())
        with target:
            kept = [
                target.send(of_task(task, detection, number=number))
                for number, (task, detection) in enumerate(
                    [("segment", TRIANGLE), ("pose", POSE), ("obb", DIAMOND), ("detect", CAR)]
                )
            ]
        found = [image.predictions[0]["predictions"][0] for image in server.images.values()]

    assert found[0]["points"] == [{"x": 10, "y": 20}, {"x": 110, "y": 20}, {"x": 60, "y": 70}]
    assert (found[0]["x"], found[0]["width"]) == (60, 100), "the box stays"
    assert found[1]["keypoints"] == [
        {"x": 20, "y": 30, "confidence": 0.9, "class": "keypoint 1", "class_id": 0},
        {"x": 100, "y": 60, "confidence": 0.3, "class": "keypoint 2", "class_id": 1},
    ]
    assert [(point["x"], point["y"]) for point in found[2]["points"]] == [
        (50, 10),
        (90, 50),
        (50, 90),
        (10, 50),
    ]
    assert {"points", "keypoints"}.isdisjoint(found[3])
    assert [receipt.left_out for receipt in kept] == [
        (),
        (),
        ("Roboflow has no rotated boxes, so they arrive as polygons of four corners",),
        (),
    ]


@pytest.mark.parametrize(
    ("kind", "task", "says"),
    [
        ("object-detection", Task.DETECT, None),
        ("object-detection", Task.SEGMENT, "boxes alone; for the rest, make one of the type inst"),
        ("object-detection", Task.POSE, "make one of the type keypoint-detection"),
        ("instance-segmentation", Task.SEGMENT, None),
        ("instance-segmentation", Task.OBB, "Roboflow has no rotated boxes"),
        ("keypoint-detection", Task.POSE, None),
    ],
)
def test_a_roboflow_project_of_another_type_is_said_before_anything_is_sent(
    kind: str, task: Task, says: str | None
) -> None:
    with RoboflowServer("key") as server:
        server.kind = kind
        with RoboflowTarget(server.url, token="key", clock=ManualClock()) as target:
            said = target.compare_labels(["car"], task)
        with RoboflowTarget(
            f"{server.url}?annotate=off", token="key", clock=ManualClock()
        ) as without:
            assert without.compare_labels(["car"], task) is None

    assert (says in said) if says is not None and said is not None else said == says


def test_no_annotation_is_sent_where_it_is_off() -> None:
    assert annotation_of(of_task("segment", TRIANGLE), Annotate.OFF) is None
