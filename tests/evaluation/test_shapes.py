"""Corrected outlines, poses and rotated boxes give the figures of the boxes around them."""

import json
import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dataset.annotations.coco_file import coco_labels
from agent.dataset.annotations.label_studio_export import label_studio_boxes
from agent.dataset.annotations.source import ReviewError
from agent.dataset.annotations.yolo_rows import PoseShape, box_of_row
from tests.evaluation.test_evaluate_command import captures, evaluate, facts, name_of, refused

DRAWN = 6
CAR = (20.0, 10.0, 60.0, 50.0)  # of an image of 200 x 100 pixels
YAML = "names: [car, lorry]\n"
POSE_YAML = f"{YAML}kpt_shape: [3, 3]\n"
BOX = "0 0.2 0.3 0.2 0.4"
SEGMENT = "0 0.1 0.1 0.3 0.1 0.3 0.5 0.2 0.3 0.1 0.5"
ROTATED = "0 0.2 0.1 0.3 0.3 0.2 0.5 0.1 0.3"
POSE = f"{BOX} 0.15 0.2 2 0.25 0.4 1 -1 -1 0"  # tools write any place for a keypoint not labelled
FLAT_POSE = f"{BOX} 0.15 0.2 0.25 0.4 0.2 0.2"


def export(at: Path, row: str, about: str = YAML) -> Path:
    """An export in which the first car is gone."""
    (at / "labels").mkdir(parents=True)
    (at / "data.yaml").write_text(about)
    for number in range(DRAWN):
        text = "" if number == 0 else f"{row}\n"
        (at / f"labels/{name_of(number)}.txt").write_text(text)
    return at / "labels"


def written(at: Path, content: Any) -> Path:
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(json.dumps(content))
    return at


def coco(at: Path, annotation: dict[str, Any]) -> Path:
    return written(
        at / "coco.json",
        {
            "images": [{"id": n, "file_name": f"{name_of(n)}.jpg"} for n in range(DRAWN)],
            "annotations": [
                {"image_id": n, "category_id": 1, **annotation} for n in range(1, DRAWN)
            ],
            "categories": [{"id": 1, "name": "car"}],
        },
    )


def task(number: int, *regions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": 3000 + number,
        "data": {"image": "data:image/jpeg;base64,AAAA", "capture_id": name_of(number)},
        "annotations": [{"result": list(regions), "was_cancelled": False}],
        **more,
    }


def region(kind: str, **value: Any) -> dict[str, Any]:
    return {"type": kind, "value": {kind: ["car"], **value}, "image_rotation": 0}


POLYGON = region("polygonlabels", points=[[10, 10], [30, 10], [30, 50], [10, 50]])
TURNED = region("rectanglelabels", x=30, y=10, width=20, height=40, rotation=90)
POINT = region("keypointlabels", x=15, y=20, width=1)


def label_studio(at: Path, *regions: dict[str, Any]) -> Path:
    tasks = [task(0), *(task(number, *regions) for number in range(1, DRAWN))]
    skipped = [{**task(9), "annotations": []}, {**task(8), "data": {"image": "/upload/other.jpg"}}]
    return written(at / "tasks.json", [*tasks, *skipped])


FORMS: dict[str, Callable[[Path], Path]] = {
    "segment": lambda at: export(at, SEGMENT),
    "rotated boxes": lambda at: export(at, ROTATED),
    "pose": lambda at: export(at, POSE, POSE_YAML),
    "pose without visibility": lambda at: export(at, FLAT_POSE, f"{YAML}kpt_shape: [3, 2]\n"),
    "pose without a count": lambda at: export(at, POSE),
    "pose with a box alone": lambda at: export(at, BOX, POSE_YAML),
    "COCO with outlines": lambda at: coco(
        at, {"bbox": [20, 10, 40, 40], "segmentation": [[20, 10, 60, 10, 40, 50]]}
    ),
    "COCO with outlines alone": lambda at: coco(
        at, {"segmentation": [[20, 10, 60, 10, 40, 30], [30, 30, 40, 50, 20, 40]]}
    ),
    "COCO with keypoints": lambda at: coco(
        at, {"bbox": [20, 10, 40, 40], "keypoints": [30, 20, 2], "num_keypoints": 1}
    ),
    "Label Studio polygons": lambda at: label_studio(at, POLYGON),
    "Label Studio poses": lambda at: label_studio(
        at, region("rectanglelabels", x=10, y=10, width=20, height=40), POINT
    ),
    "Label Studio ellipses": lambda at: label_studio(
        at, region("ellipselabels", x=20, y=30, radiusX=10, radiusY=20, rotation=0)
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_figures_of_its_boxes(tmp_path: Path, form: str) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    labels = FORMS[form](tmp_path / "export")

    found = facts(folder, "--labels", labels)
    assert found["reviewed"] == DRAWN
    assert found["precision"]["value"] == pytest.approx((DRAWN - 1) / DRAWN)
    assert found["recall"]["value"] == 1.0
    assert found["measured_by"] == "upright boxes"
    shown = evaluate(folder, "--labels", labels).stdout
    assert ("measured by the upright boxes around them" in shown) == ("box alone" not in form)


def test_upright_rectangles_of_label_studio_are_boxes(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    labels = label_studio(tmp_path, region("rectanglelabels", x=10, y=10, width=20, height=40))

    assert "around them" not in evaluate(folder, "--labels", labels).stdout


def test_a_rectangle_with_a_negative_side_is_refused(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    labels = label_studio(tmp_path, region("rectanglelabels", x=30, y=10, width=-20, height=40))

    assert "negative width" in refused(folder, "--labels", labels)


def test_a_turned_rectangle_turns_about_its_first_corner(tmp_path: Path) -> None:
    """By 90 degrees about 60, 10: 40 pixels long and 40 high, it lies from 20 to 60."""
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    labels = label_studio(tmp_path, TURNED)

    assert facts(folder, "--labels", labels)["recall"]["value"] == 1.0
    records = {name_of(1): {"image": {"width": 200, "height": 100}}}
    ((box,),) = label_studio_boxes(labels, [task(1, TURNED)], records).values()
    found = (box.box.x_min, box.box.y_min, box.box.x_max, box.box.y_max)
    assert found == pytest.approx(CAR)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda at: export(at, f"{BOX} 0.9 0.9", POSE_YAML), "it must have 5 (a class, centre"),
        (lambda at: export(at, SEGMENT, POSE_YAML), "11 columns are no row of this dataset"),
        (lambda at: export(at, f"{BOX} 0.1 0.1 3", POSE_YAML.replace("3,", "1,")), "0, 1 or 2"),
        (lambda at: export(at, f"{BOX} 7 0.1 1"), "from 0 to 1"),
        (lambda at: export(at, f"{BOX} 0.1 0.1 0.9"), "8 columns are no row"),
        (lambda at: export(at, POSE, f"{YAML}kpt_shape: 17\n"), "`kpt_shape` must be two numbers"),
        (lambda at: export(at, POSE, f"{YAML}kpt_shape: [3, 4]\n"), "must be 2 or 3, not 4"),
        (lambda at: label_studio(at, region("brushlabels", rle=[1])), "brushlabels are not read"),
        (
            lambda at: label_studio(at, {**POLYGON, "value": {"points": [[1, 1]]}}),
            "polygonlabels has no label",
        ),
        (lambda at: label_studio(at, {**POLYGON, "image_rotation": 90}), "was rotated before"),
        (
            lambda at: written(at / "t.json", [task(1, POLYGON), task(1, POLYGON)]),
            "several images of the capture",
        ),
        (
            lambda at: written(
                at / "t.json", [{**task(1), "annotations": task(1)["annotations"] * 2}]
            ),
            "2 annotations of the capture",
        ),
        (lambda at: coco(at, {"segmentation": [[1, 2, 3]]}), "as COCO"),
        (lambda at: coco(at, {"segmentation": {"counts": "x"}}), "as COCO"),
    ],
)
def test_what_fits_no_task_is_refused_by_name(
    tmp_path: Path, made: Callable[[Path], Path], says: str
) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)

    said = refused(folder, "--labels", made(tmp_path / "export"))
    assert says in said
    assert len(said) < 1000


@pytest.mark.parametrize("row", ["segment", "obb"])
def test_the_models_own_outlines_are_no_review(tmp_path: Path, row: str) -> None:
    """The bounds of an outline are not quite the model's box, and nobody has corrected them."""
    folder = captures(tmp_path, drawn=DRAWN)
    shape = "polygon" if row == "segment" else "corners"
    for path in (folder / "records").iterdir():
        record = json.loads(path.read_text())
        record["model"] = {"task": row}
        record["detections"][0][shape] = [[28, 10], [60, 18], [52, 50], [24, 42]]
        path.write_text(json.dumps(record))
    labels = export(tmp_path / "export", "0 0.14 0.1 0.3 0.18 0.26 0.5 0.12 0.42")
    (labels / f"{name_of(0)}.txt").write_text((labels / f"{name_of(1)}.txt").read_text())

    assert "the model's own" in refused(folder, "--labels", labels)


def test_an_outline_much_smaller_than_the_models_box_is_right_if_nobody_changed_it(
    tmp_path: Path,
) -> None:
    """Both sides are measured by the bounds of outlines."""
    folder = captures(tmp_path, drawn=DRAWN)
    for path in (folder / "records").iterdir():
        record = json.loads(path.read_text())
        record["model"] = {"task": "segment"}
        record["detections"][0]["polygon"] = [[20, 10], [30, 10], [30, 20], [20, 20]]
        path.write_text(json.dumps(record))
    labels = export(tmp_path / "export", "0 0.1 0.1 0.15 0.1 0.15 0.2 0.1 0.2")
    (labels / f"{name_of(0)}.txt").write_text((labels / f"{name_of(1)}.txt").read_text())

    assert facts(folder, "--labels", labels, "--reviewed")["failure_rate"]["value"] == 0.0


def test_a_pose_model_decides_what_an_odd_count_of_columns_is() -> None:
    """Of 17 columns: a polygon of 8 corners, or 4 keypoints."""
    row = f"{BOX} 0.5 0.5 2 0.6 0.6 2 0.7 0.7 2 0.8 0.8 1".split()
    size = {"width": 200, "height": 100}

    pose = box_of_row(row, ["car"], size, PoseShape(4)).box
    assert (pose.x_min, pose.x_max) == pytest.approx((20, 60))
    with pytest.raises(ValueError, match="from 0 to 1"):
        box_of_row(row, ["car"], size, None)


def test_captures_of_another_task_are_named(tmp_path: Path) -> None:
    folder = captures(tmp_path, drawn=2)
    captures(tmp_path / "segment", drawn=2)

    assert f"are in {tmp_path}/segment: evaluate them" in evaluate(folder, "--reviewed").stdout


numbers = st.floats() | st.integers(-1, 2) | st.floats(0, 1)
SIZE = {"width": 200, "height": 100}


@given(
    st.lists(numbers.map(str) | st.text(max_size=3), max_size=60),
    st.none() | st.builds(PoseShape, st.integers(0, 18), st.sampled_from([0, 2, 3])),
)
def test_any_row_is_a_box_in_the_image_or_refused(parts: list[str], pose: PoseShape | None) -> None:
    with suppress(ValueError):
        box = box_of_row(["0", *parts], ["car"], SIZE, pose).box
        assert all(map(math.isfinite, (box.x_min, box.y_min, box.x_max, box.y_max)))
        assert box.x_min >= -0.6 * 200
        assert box.x_max <= 1.6 * 200


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from(["car", name_of(1)]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["points", "x", "y", "width", "height", "rotation", "rectanglelabels"]),
            inner,
        )
    ),
    max_leaves=10,
)


@given(json_values, json_values, st.sampled_from(["rectanglelabels", "polygonlabels", "choices"]))
def test_any_export_is_read_or_refused(value: Any, other: Any, kind: str) -> None:
    records = {name_of(1): {"image": SIZE}}
    made = task(1, {"type": kind, "value": value}, meta=other)
    found = {"id": 1, "image_id": 1, "category_id": 1, "bbox": value, "segmentation": other}
    content = {
        "images": [{"id": 1, "file_name": name_of(1)}],
        "annotations": [found],
        "categories": [{"id": 1, "name": "car"}],
    }
    for read, sent in ((label_studio_boxes, [made]), (coco_labels, content)):
        with suppress(ReviewError):
            read(Path("x.json"), sent, records)
