"""Outlines, rotated boxes and keypoints come in with their shapes; unchanged ones stay."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.dataset.annotations.comparison import compare
from agent.dataset.annotations.objects import object_of
from agent.domain import Box
from tests.dataset.exports import (
    HEIGHT,
    LABELS,
    WIDTH,
    annotation,
    coco_content,
    lines_of,
    stored_in,
    task,
    written,
    written_text,
)
from tests.dataset.test_import_command import imported
from tests.fakes.captures import capture_id

Points = list[list[float]]
OUTLINE = [[20.0, 10.0], [60.0, 14.0], [52.0, 50.0], [24.0, 46.0]]
CORNERS = [[40.0, 10.0], [80.0, 40.0], [68.0, 56.0], [28.0, 26.0]]
POINTS = [[30.0, 20.0, 0.9], [50.0, 30.0, 0.3], [0.0, 0.0, 0.0]]
SHAPES: dict[str, dict[str, Any]] = {
    "segment": {"polygon": OUTLINE, "box": [19.0, 9.0, 61.0, 51.0]},
    "obb": {"corners": CORNERS, "box": [28.0, 10.0, 80.0, 56.0]},
    "pose": {"keypoints": POINTS, "box": [20.0, 10.0, 60.0, 50.0]},
}


def stored(folder: Path, kind: str) -> Path:
    model = {"name": "m", "sha256": "a", "task": kind, "provider": "cpu", "labels": LABELS}
    if kind == "pose":
        model["keypoints"] = 3  # type: ignore[assignment]
    mine = {"label": "car", "class_id": 0, "confidence": 0.9, **SHAPES[kind]}
    return stored_in(folder, 2, model=model, detections=[mine])


def moved(points: Sequence[Sequence[float]], by: float) -> Points:
    return [[point[0] + by, *point[1:]] if any(point) else list(point) for point in points]


def region(kind: str, **value: Any) -> dict[str, Any]:
    return {"id": "o", "type": kind, "image_rotation": 0, "value": {kind: ["car"], **value}}


def percent(x: float, y: float) -> list[float]:
    return [100 * x / WIDTH, 100 * y / HEIGHT]


def rotated(corners: Points) -> dict[str, Any]:
    (x, y), along, _, down = corners
    return region(
        "rectanglelabels",
        x=100 * x / WIDTH,
        y=100 * y / HEIGHT,
        width=100 * math.dist((x, y), along) / WIDTH,
        height=100 * math.dist((x, y), down) / HEIGHT,
        rotation=math.degrees(math.atan2(along[1] - y, along[0] - x)),
    )


def label_studio(at: Path, kind: str, by: float) -> Path:
    shape = SHAPES[kind]
    if kind == "segment":
        places = [percent(x, y) for x, y in moved(OUTLINE, by)]
        result = [region("polygonlabels", points=places, closed=True)]
    elif kind == "obb":
        result = [rotated(moved(CORNERS, by))]
    else:
        left, top, right, bottom = shape["box"]
        (x, y), (wide, high) = percent(left, top), percent(right - left, bottom - top)
        result = [region("rectanglelabels", x=x, y=y, width=wide, height=high, rotation=0)]
        for number, (across, down, seen) in enumerate(moved(POINTS, by), 1):
            if seen:
                place = percent(across, down)
                point = region("keypointlabels", x=place[0], y=place[1], width=1)
                point["value"]["keypointlabels"] = [f"keypoint {number}"]
                result.append({**point, "id": f"k{number}", "parentID": "o"})
    tasks = [task(0, annotation(result)), task(1, annotation([]))]
    return written(at / "ls.json", tasks)


def coco(at: Path, kind: str, by: float) -> Path:
    shape = SHAPES[kind]
    left, top, right, bottom = shape["box"]
    outline = moved(shape.get("polygon") or shape.get("corners") or [], by)
    content = coco_content({0: [("car", (left, top, right, bottom))], 1: []})
    (made,) = content["annotations"]
    if outline:
        xs, ys = [x for x, _ in outline], [y for _, y in outline]
        made["bbox"] = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        made["segmentation"] = [[number for point in outline for number in point]]
    else:
        seen = [(x, y, 2 if c > 0.5 else 1 if c else 0) for x, y, c in moved(POINTS, by)]
        made["keypoints"] = [number for point in seen for number in point]
    return written(at / "coco.json", content)


def yolo(at: Path, kind: str, by: float) -> Path:
    shape = SHAPES[kind]
    outline = moved(shape.get("polygon") or shape.get("corners") or [], by)
    row = ["0"]
    if outline:
        row += [f"{n:.6f}" for x, y in outline for n in (x / WIDTH, y / HEIGHT)]
    else:
        row += ["0.2", "0.3", "0.2", "0.4"]
        for x, y, c in moved(POINTS, by):
            seen = 2 if c > 0.5 else 1 if c else 0
            row += [f"{x / WIDTH:.6f}", f"{y / HEIGHT:.6f}", str(seen)]
    written_text(at / f"y/labels/{capture_id(0)}.txt", " ".join(row) + "\n")
    written_text(at / f"y/labels/{capture_id(1)}.txt", "")
    shape_line = "kpt_shape: [3, 3]\n" if kind == "pose" else ""
    written_text(at / "y/data.yaml", f"names: [car, dog, cat]\n{shape_line}")
    return at / "y"


def cvat(at: Path, kind: str, by: float) -> Path:
    shape = SHAPES[kind]
    if kind == "pose":
        points = "".join(
            f'<points label="keypoint {n}" outside="{int(not c)}" occluded="{int(c < 0.5)}" '
            f'points="{x},{y}"></points>'
            for n, (x, y, c) in enumerate(moved(POINTS, by), 1)
        )
        drawn = f'<skeleton label="car" z_order="0">{points}</skeleton>'
    elif kind == "obb":
        (x, y), along, far, down = moved(CORNERS, by)
        middle = (x + far[0]) / 2, (y + far[1]) / 2
        wide, high = math.dist((x, y), along) / 2, math.dist((x, y), down) / 2
        turn = math.degrees(math.atan2(along[1] - y, along[0] - x))
        drawn = (
            f'<box label="car" xtl="{middle[0] - wide}" ytl="{middle[1] - high}" '
            f'xbr="{middle[0] + wide}" ybr="{middle[1] + high}" rotation="{turn}"></box>'
        )
    else:
        places = ";".join(f"{x},{y}" for x, y in moved(shape["polygon"], by))
        drawn = f'<polygon label="car" points="{places}"></polygon>'
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    return written_text(
        at / "cvat.xml",
        f'<annotations><image id="0" name="{capture_id(0)}.jpg" {size}>{drawn}</image>'
        f'<image id="1" name="{capture_id(1)}.jpg" {size}></image></annotations>',
    )


TOOLS: dict[str, Callable[[Path, str, float], Path]] = {
    "Label Studio": label_studio,
    "COCO": coco,
    "YOLO": yolo,
    "CVAT": cvat,
}
OFTEN = ("Label Studio", "CVAT")


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize(
    "tool",
    [pytest.param(tool, marks=() if tool in OFTEN else pytest.mark.slow) for tool in TOOLS],
)
def test_an_unchanged_shape_is_right_and_a_changed_one_comes_in(
    tmp_path: Path, tool: str, kind: str
) -> None:
    dataset = stored(tmp_path / "dataset", kind)

    imported(dataset, TOOLS[tool](tmp_path / "same", kind, 0.0), "--reviewed", "--by", "a")
    imported(dataset, TOOLS[tool](tmp_path / "moved", kind, 9.0), "--reviewed", "--by", "b")

    lines = [line for line in lines_of(dataset) if line["id"] == capture_id(0)]
    assert [line["verdict"] for line in lines] == ["right", "wrong"]
    (made,) = lines[1]["boxes"]
    (name,) = SHAPES[kind].keys() - {"box"}
    wanted = moved(SHAPES[kind][name], 9.0)
    found = [tuple(point[:2]) for point in made[name]]
    assert len(found) == len(wanted)
    start = min(range(len(found)), key=lambda n: math.dist(found[n], wanted[0][:2]))
    turned = [*found[start:], *found[:start]]
    for place, point in zip(turned, wanted, strict=True):
        assert place == pytest.approx(point[:2], abs=0.02)
    row = (dataset / f"labels/{capture_id(0)}.txt").read_text().split()
    assert len(row) == {"segment": 9, "obb": 9, "pose": 14}[kind]


def test_a_shape_that_a_tool_has_no_place_for_stays_in_a_correction(tmp_path: Path) -> None:
    """The project shows outlines as rectangles; another object was added."""
    dataset = stored(tmp_path / "dataset", "segment")
    left, top, right, bottom = SHAPES["segment"]["box"]
    boxes = [("car", (left, top, right, bottom)), ("dog", (120.0, 20.0, 150.0, 60.0))]

    imported(dataset, written(tmp_path / "c.json", coco_content({0: boxes})))

    (line,) = lines_of(dataset)
    assert line["verdict"] == "missing"
    assert [each.get("polygon") for each in line["boxes"]] == [OUTLINE, None]


def test_boxes_below_the_threshold_that_were_sent_too_are_no_correction(tmp_path: Path) -> None:
    """With `annotate=floor` all boxes of the record arrive; a person keeps or deletes them."""
    sure = {"label": "car", "class_id": 0, "confidence": 0.9, "box": [20.0, 10.0, 60.0, 50.0]}
    faint = {"label": "dog", "class_id": 1, "confidence": 0.2, "box": [100.0, 40.0, 160.0, 90.0]}
    dataset = stored_in(tmp_path / "dataset", 2, detections=[sure, faint])
    both: list[tuple[str, tuple[float, float, float, float]]] = [
        ("car", (20.0, 10.0, 60.0, 50.0)),
        ("dog", (100.0, 40.0, 160.0, 90.0)),
    ]
    content = coco_content({0: both, 1: [*both, both[0]]})
    source = written(tmp_path / "c.json", content)

    facts = imported(dataset, source)

    assert facts["untouched"] == 1
    assert facts["verdicts"] == {"missing": 1}
    assert imported(dataset, source, "--reviewed")["verdicts"] == {"missing": 1}


_SIDE = st.floats(0.5, 150.0)
_BOXES = st.lists(
    st.tuples(st.sampled_from(["car", "dog"]), st.floats(0, 180), st.floats(0, 90), _SIDE, _SIDE),
    max_size=8,
)


def _record(boxes: Sequence[tuple[str, float, float, float, float]]) -> dict[str, Any]:
    detections = [
        {"label": label, "confidence": 0.9, "box": [x, y, x + wide, y + high]}
        for label, x, y, wide, high in boxes
    ]
    return {
        "image": {"width": WIDTH, "height": HEIGHT},
        "thresholds": {"default": 0.5},
        "detections": detections,
    }


def _drawn(boxes: Sequence[tuple[str, float, float, float, float]]) -> list[AnnotatedBox]:
    return [AnnotatedBox(label, Box(x, y, x + w, y + h)) for label, x, y, w, h in boxes]


@given(boxes=_BOXES, data=st.data())
def test_the_same_boxes_in_any_order_are_the_same(boxes: Any, data: st.DataObject) -> None:
    """Each is rounded, as tools do, and cut at the edges of the image."""
    order = data.draw(st.permutations(boxes))
    rounded = [(label, *(round(n, 3) for n in numbers)) for label, *numbers in order]

    found = compare(_record(boxes), _drawn(rounded))

    assert found.is_untouched
    assert len(found.same) == len(boxes)


@given(boxes=_BOXES.filter(bool), data=st.data())
def test_each_detection_and_each_box_has_one_place(boxes: Any, data: st.DataObject) -> None:
    others = data.draw(_BOXES)

    found = compare(_record(boxes), _drawn(others))

    assert len(found.same) + len(found.removed) == len(boxes)
    assert len(found.same) + len(found.added) == len(others)
    assert (found.verdict == "right") is (not found.removed and not found.added)


@given(boxes=_BOXES)
def test_what_a_person_drew_becomes_an_object_inside_of_the_image(boxes: Any) -> None:
    for box in _drawn(boxes):
        left, top, right, bottom = object_of(_record([]), box)["box"]
        assert 0 <= left < right <= WIDTH
        assert 0 <= top < bottom <= HEIGHT


@pytest.mark.parametrize(
    ("length", "by", "is_same"),
    [
        (200.0, 9.0, True),  # less than half a percent of the image
        (200.0, 12.0, False),
        (20.0, 1.9, True),
        (20.0, 3.0, False),  # a tenth of a small box is a correction
        (3.0, 0.9, True),
        (3.0, 1.2, False),
    ],
)
def test_a_correction_is_more_than_rounding(length: float, by: float, is_same: bool) -> None:
    mine = {"label": "car", "confidence": 0.9, "box": [500.0, 500.0, 500 + length, 500 + length]}
    image = {"width": 1920, "height": 1920}
    record = {"image": image, "thresholds": {"default": 0.5}, "detections": [mine]}
    drawn = AnnotatedBox("car", Box(500 + by, 500.0, 500 + length + by, 500 + length))

    assert compare(record, [drawn]).is_untouched is is_same


def test_of_smaller_images_a_pixel_is_rounding() -> None:
    mine = {"label": "car", "confidence": 0.9, "box": [500.0, 500.0, 520.0, 520.0]}
    image = {"width": 1920, "height": 1920}
    record = {"image": image, "thresholds": {"default": 0.5}, "detections": [mine]}
    drawn = AnnotatedBox("car", Box(503.0, 500.0, 523.0, 520.0))

    assert not compare(record, [drawn]).is_untouched
    assert compare(record, [drawn], grain=4.5).is_untouched
