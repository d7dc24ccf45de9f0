"""COCO files as pycocotools, the reference reader, sees them; and numbers by hand."""

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dataset.annotations.coco_file import coco_labels
from agent.dataset.coco import coco_of, write_coco
from agent.dataset.folder import Dataset
from agent.dataset.records import read_records
from agent.domain import VerdictKind
from agent.errors import ConfigurationError
from agent.files import Disk
from agent.record.audit import auto_mark
from agent.record.shapes import COCO_KEYPOINTS
from tests.fakes.captures import CAR, capture_id, record_of, said, stored_capture

TRIANGLE = {**CAR, "polygon": [[10, 20], [110, 20], [60, 70]]}
DIAMOND = {**CAR, "box": [10, 10, 90, 90], "corners": [[50, 10], [90, 50], [50, 90], [10, 50]]}
POSE = {**CAR, "keypoints": [[20, 30, 0.9], [100, 60, 0.3], [50, 50, 0.1]]}
FAINT = {**CAR, "confidence": 0.4}
PERSON = {"label": "person", "class_id": 0, "confidence": 0.9, "box": [0, 0, 50, 50]}


def record(number: int, task: str, *detections: dict[str, Any], **more: Any) -> dict[str, Any]:
    model = {"name": "m", "sha256": "ab", "task": task, "provider": "cpu", **more}
    return dict(stored_capture(number, model=model, detections=list(detections)).record)


def annotations(task: str, *detections: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return list(coco_of({capture_id(1): record(1, task, *detections, **more)})["annotations"])


def loaded(path: Path) -> Any:
    """A file as the reference library reads it."""
    try:
        from pycocotools.coco import COCO
    except ImportError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("needs pycocotools")
    return COCO(str(path))


@pytest.mark.parametrize(
    ("task", "detection", "row"),
    [
        ("detect", TRIANGLE, {"area": 5000, "segmentation": []}),
        ("segment", TRIANGLE, {"area": 2500, "segmentation": [[10, 20, 110, 20, 60, 70]]}),
        ("segment", CAR, {"area": 5000, "segmentation": [[10, 20, 110, 20, 110, 70, 10, 70]]}),
        ("obb", DIAMOND, {"area": 3200, "segmentation": [[50, 10, 90, 50, 50, 90, 10, 50]]}),
        (
            "pose",
            POSE,
            {
                "area": 5000,
                "segmentation": [],
                "keypoints": [20, 30, 2, 100, 60, 1, 0, 0, 0],
                "num_keypoints": 2,
            },
        ),
        (
            "pose",
            CAR,
            {"area": 5000, "segmentation": [], "keypoints": [], "num_keypoints": 0},
        ),
    ],
)
def test_annotations_by_hand(task: str, detection: dict[str, Any], row: dict[str, Any]) -> None:
    left, top, right, bottom = detection["box"]
    assert annotations(task, detection, FAINT) == [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 3,
            "bbox": [left, top, right - left, bottom - top],
            "iscrowd": 0,
            "origin": "model",
            "score": 0.9,
            **row,
        }
    ]


def test_categories_of_a_pose_model_have_the_names_of_its_keypoints() -> None:
    made = coco_of({capture_id(1): record(1, "pose", keypoints=17, labels=["person"])})
    other = coco_of({capture_id(1): record(1, "pose", POSE)})

    (person,) = made["categories"]
    assert person["keypoints"] == list(COCO_KEYPOINTS)
    assert [16, 14] in person["skeleton"]
    assert other["categories"][2]["keypoints"] == ["keypoint 1", "keypoint 2", "keypoint 3"]
    assert "keypoints" not in coco_of({capture_id(1): record(1, "obb", DIAMOND)})["categories"][0]


def dataset(folder: Path, *records: dict[str, Any]) -> Path:
    for each in records:
        made = stored_capture(0, **{k: v for k, v in each.items() if k != "image"})
        Dataset(folder, Disk()).store(made.record_json, made.image)
    return folder


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_reference_reader_loads_each_task_and_agrees_on_the_areas(tmp_path: Path) -> None:
    """A mask that pycocotools draws has the area that the file states, but for its edge."""
    inside = {**DIAMOND, "corners": [[-30, 50], [50, -30], [130, 50], [50, 130]]}
    folder = dataset(
        tmp_path,
        record(1, "segment", TRIANGLE, CAR),
        record(2, "obb", DIAMOND, inside),
        record(3, "pose", POSE),
        record(4, "segment"),
    )
    written = write_coco(folder, Disk())

    assert [path.parent.name for path in written] == [tmp_path.name, "obb", "pose-3"]
    for path, objects in zip(written, (2, 2, 1), strict=True):
        coco = loaded(path)
        assert len(coco.anns) == objects
        for annotation in coco.anns.values():
            image = coco.imgs[annotation["image_id"]]
            assert (path.parent / "images" / image["file_name"]).is_file()
            if annotation["segmentation"]:
                mask = coco.annToMask(annotation)
                outline = annotation["segmentation"][0]
                points = list(zip(outline[::2], outline[1::2], strict=True))
                edge = sum(map(math.dist, points, [*points[1:], points[0]]))
                assert mask.shape == (100, 200)
                assert abs(int(mask.sum()) - annotation["area"]) <= edge


def test_categories_are_the_classes_of_the_labels_from_1(tmp_path: Path) -> None:
    """Class 2 of `data.yaml` is category 3, whatever was seen first."""
    folder = dataset(tmp_path, record(2, "detect", CAR), record(1, "detect", PERSON))
    (path,) = write_coco(folder, Disk())
    made = json.loads(path.read_text())

    names = {each["id"]: each["name"] for each in made["categories"]}
    for annotation in made["annotations"]:
        image = made["images"][annotation["image_id"] - 1]["file_name"].removesuffix(".jpg")
        row = (folder / f"labels/{image}.txt").read_text().split()
        assert annotation["category_id"] == int(row[0]) + 1
    assert names == {1: "person", 2: "class 1", 3: "car"}


def test_an_image_has_the_verdicts_on_it_as_tags() -> None:
    """Labels that nobody objected to are the model's, as all here: each has its score."""
    unobjected = said(1, VerdictKind.UNOBJECTED, inclusion_probability=0.5)
    made = coco_of({capture_id(1): record_of(1, b"", verdicts=[unobjected, said(2)])})

    assert made["images"][0]["tags"] == ["unobjected"]
    assert "tags" not in coco_of({capture_id(1): record_of(1, b"")})["images"][0]


def test_what_the_model_labelled_itself_is_marked() -> None:
    made = coco_of({capture_id(n): record_of(n, b"", lane="auto") for n in range(1, 60)})
    tags = [image["tags"] for image in made["images"]]

    assert tags == [[auto_mark(record_of(n, b"", lane="auto"))] for n in range(1, 60)]
    assert {tag for (tag,) in tags} == {"auto", "auto-audit"}


def test_it_is_read_back_as_what_the_model_reported(tmp_path: Path) -> None:
    folder = dataset(tmp_path, record(1, "segment", TRIANGLE))
    (path,) = write_coco(folder, Disk())

    truth = coco_labels(path, json.loads(path.read_text()), read_records(folder))
    assert [(box.label, box.box.x_max) for box in truth[capture_id(1)]] == [("car", 110)]


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    folder = dataset(tmp_path, record(1, "detect", CAR))
    (folder / f"records/{capture_id(1)}.json").write_text("{}")

    with pytest.raises(ConfigurationError, match=capture_id(1)):
        write_coco(folder, Disk())
    assert not (folder / "annotations.json").exists()


numbers = st.floats(-1e10, 1e10) | st.floats(0, 200)
shapes = st.lists(st.lists(numbers, min_size=2, max_size=3), max_size=6)


@given(st.sampled_from(["segment", "pose", "obb"]), shapes, shapes, shapes)
def test_any_shapes_give_rows_within_the_image(
    task: str, polygon: Any, keypoints: Any, corners: Any
) -> None:
    found = annotations(
        task, {**CAR, "polygon": polygon, "keypoints": keypoints, "corners": corners}
    )

    (row,) = found
    assert row["area"] > 0
    for outline in row["segmentation"]:
        assert len(outline) >= 6
        assert len(outline) % 2 == 0
        assert all(0 <= number <= 200 for number in outline)
    points = row.get("keypoints", [])
    assert all(
        0 <= x <= 200 and 0 <= y <= 100 for x, y in zip(points[::3], points[1::3], strict=True)
    )
