"""What is read from a folder of captures, a YOLO dataset and a COCO dataset."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agent.dataset.health.of_yolo import label_file
from agent.dataset.health.source import read_subject
from agent.errors import ConfigurationError
from tests.dataset.health.folders import captured, drawn, kinds, report_on, yolo

HOSTILE = "</script><img src=x onerror=alert(1)>"


def classes(report: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {each["label"]: (each["objects"], each["images"]) for each in report["classes"]}


def test_captures_count_what_their_reviews_say(tmp_path: Path) -> None:
    car, bus = ("car", (0, 0, 50, 50)), ("bus", (100, 0, 180, 90))
    names = [captured(tmp_path, n, drawn(n), [car, bus]) for n in range(4)]
    lines: list[dict[str, Any]] = [
        {"id": names[0], "verdict": "right"},
        {"id": names[1], "verdict": "wrong", "boxes": [{"label": "van", "box": [0, 0, 9, 9]}]},
        {"id": names[2], "verdict": "wrong"},
    ]
    (tmp_path / "verdicts.jsonl").write_text(
        "".join(json.dumps({"at": "2026-05-29T00:00:00Z", "by": "a", **e}) + "\n" for e in lines)
    )

    report = report_on(tmp_path)

    assert classes(report) == {"car": (2, 2), "bus": (2, 2), "van": (1, 1)}
    assert report["tallies"]["origin"] == {"corrected": 1, "model": 1, "reviewed": 1}
    assert report["tallies"]["review"] == {"wrong": 2, "not reviewed": 1, "right": 1}
    assert report["images"]["labels_known"] == 3


def test_the_captures_of_all_tasks_are_one_dataset(tmp_path: Path) -> None:
    captured(tmp_path, 1, drawn(1), [("car", (0, 0, 50, 50))])
    captured(tmp_path / "segment", 2, drawn(2), [("bus", (0, 0, 50, 50))])
    labels = [{"label": "day", "class_id": 0, "confidence": 0.9}]
    captured(tmp_path, 3, drawn(3), detections=[], classes=labels)

    assert classes(report_on(tmp_path)) == {"car": (1, 1), "day": (1, 1), "bus": (1, 1)}


def test_invalid_captures_are_noted_and_the_rest_is_counted(tmp_path: Path) -> None:
    captured(tmp_path, 1, drawn(1), [("car", (0, 0, 50, 50))])
    captured(tmp_path, 2, None)
    captured(tmp_path, 3, drawn(3)[:-400] + b"\0" * 9)
    bad = captured(tmp_path, 4, drawn(4))
    (tmp_path / "records" / f"{bad}.json").write_text(json.dumps({"id": bad, "lane": 1}))
    captured(tmp_path, 5, drawn(5), [("car", (0, 0, float("nan"), 50))])
    os.mkfifo(tmp_path / "images" / "stray.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "stray.txt").write_text("")
    (tmp_path / "verdicts.jsonl").write_text("{\n")

    report = report_on(tmp_path)

    assert classes(report) == {"car": (1, 1)}
    assert kinds(report) == {
        "image missing": 1,
        "image unreadable": 1,
        "image without record": 1,
        "labels without image": 1,
        "record invalid": 2,
        "verdict invalid": 1,
    }


def test_boxes_of_any_size_are_counted_and_noted(tmp_path: Path) -> None:
    boxes = [("car", (-1e300, 0, 1e300, 50)), ("car", (0, 0, 1e300, 50)), ("car", (5, 5, 5, 5))]
    captured(tmp_path, 1, drawn(1), boxes)

    report = report_on(tmp_path)

    assert classes(report) == {"car": (3, 1)}
    assert kinds(report) == {"box below 3 pixels": 1, "box outside of the image": 2}


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (os.mkfifo, "regular"),
        (lambda path: path.write_bytes(b"GIF89a not an image"), "image"),
        (lambda path: path.write_bytes(huge_png()), "pixels"),
    ],
)
def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, make: Any, why: str) -> None:
    name = captured(tmp_path, 1, None, [("car", (0, 0, 50, 50))])
    make(tmp_path / "images" / f"{name}.jpg")

    report = report_on(tmp_path)

    [problem] = report["problem_list"]
    assert problem["kind"] == "image unreadable"
    assert problem["image"] == name
    assert why in problem["why"]


def huge_png() -> bytes:
    """The header of a PNG that states 60,000 x 60,000 pixels."""
    sides = (60_000).to_bytes(4) * 2
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + sides + b"\x08\x02\0\0\0" + b"\0" * 40


def test_a_yolo_dataset_of_others_is_read_by_split(tmp_path: Path) -> None:
    box = (0, 0.5, 0.5, 0.2, 0.2)
    yolo(
        tmp_path,
        {
            "train": [(drawn(1), [box, (1, 0.2, 0.2, 0.1, 0.1)]), (drawn(2), [])],
            "val": [(drawn(1), [box]), (drawn(3), None)],
        },
        "car",
        "bus",
        "never",
    )

    report = report_on(tmp_path)

    assert classes(report) == {"car": (2, 2), "bus": (1, 1), "never": (0, 0)}
    assert report["tallies"]["split"] == {"train": 2, "val": 2}
    assert report["images"]["empty"] == 2
    assert report["images"]["without_labels"] == 1
    assert report["leakage"]["splits"] == {"val": {"images": 2, "near": 1, "seconds": {}}}
    assert [alert["text"] for alert in report["alerts"] if alert["code"] == "leak"] == [
        "val leaks: 1 of its 2 images (50%) are nearly the same as a training image"
    ]


def test_rows_that_are_wrong_are_sorted_by_what_is_wrong(tmp_path: Path) -> None:
    yolo(tmp_path, {"train": [(drawn(1), [])]}, "car")
    (tmp_path / "labels/train/000.txt").write_text(
        "0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2\n7 0.5 0.5 0.2 0.2\n0 1.2 0.5 0.6 0.2\n"
        "0 nan 0.5 0.2 0.2\nword\n0 0.5 0.5 0.001 0.001\n\n"
    )
    (tmp_path / "labels/train/001.txt").write_text("0 0.5 0.5 0.2 0.2\n")

    assert kinds(report_on(tmp_path)) == {
        "box below 3 pixels": 1,
        "box given twice": 1,
        "box outside of the image": 2,  # by its row, and by its place
        "label invalid": 2,
        "label outside of the class list": 1,
        "labels without image": 1,
    }


def test_an_image_in_two_splits_is_counted_once_and_named(tmp_path: Path) -> None:
    yolo(tmp_path, {"train": [(drawn(1), [(0, 0.5, 0.5, 0.2, 0.2)]), (drawn(2), [])]}, "car")
    (tmp_path / "data.yaml").write_text("train: images\nval: images/train\nnames: [car]\n")

    report = report_on(tmp_path)

    assert report["images"]["total"] == 2
    assert kinds(report) == {"image in two splits": 2}
    assert report["alerts"][0]["text"] == "images in two splits: 2"


def test_classes_without_a_list_have_their_numbers(tmp_path: Path) -> None:
    yolo(tmp_path, {"train": [(drawn(1), [(2, 0.5, 0.5, 0.2, 0.2)])]})
    (tmp_path / "data.yaml").unlink()

    report = report_on(tmp_path)

    assert classes(report) == {"class 0": (0, 0), "class 1": (0, 0), "class 2": (1, 1)}
    assert kinds(report) == {}


def test_a_yolo_dataset_never_leads_out_of_its_folder(tmp_path: Path) -> None:
    outside = yolo(tmp_path / "other", {"train": [(drawn(1), [])]}, "car")
    inside = tmp_path / "mine"
    (inside / "train" / "images").mkdir(parents=True)
    (inside / "train" / "images" / "a.jpg").write_bytes(drawn(2))
    (inside / "list.txt").write_text(f"{outside}/images/train/000.jpg\n")
    (inside / "data.yaml").write_text(
        f"path: {outside}\ntrain: ../train/images\nval: {outside}/images/train\n"
        "test: list.txt\nnames: {0: car}\n"
    )

    subject = read_subject(inside)

    assert [image.name for image in subject.images] == ["train/images/a"]
    assert [each.kind.value for each in subject.problems] == ["path outside of the dataset"] * 2


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        ("d/images/train/a.jpg", "d/labels/train/a.txt"),
        ("images/d/images/a.b.jpg", "images/d/labels/a.b.txt"),
        ("d/a.jpg", "d/a.txt"),
    ],
)
def test_a_label_file_is_where_trainers_look(image: str, labels: str) -> None:
    assert label_file(Path(image)) == Path(labels)


def test_a_coco_dataset_is_read(tmp_path: Path) -> None:
    (tmp_path / "valid").mkdir()
    (tmp_path / "valid" / "a.jpg").write_bytes(drawn(1))
    annotation = {"id": 1, "image_id": 1, "category_id": 5, "bbox": [20, 10, 40, 20]}
    content = {
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 200, "height": 100},
            {"id": 2, "file_name": "/etc/b.jpg", "width": 200, "height": 100},
        ],
        "categories": [{"id": 5, "name": "car"}, {"id": 6, "name": HOSTILE}],
        "annotations": [
            annotation,
            {**annotation, "category_id": 99},
            {**annotation, "bbox": [0, 0, "wide", 1]},
            {**annotation, "image_id": 77},
        ],
    }
    (tmp_path / "valid" / "_annotations.coco.json").write_text(json.dumps(content))

    subject = read_subject(tmp_path)

    assert subject.names == ["car", HOSTILE]
    assert subject.images[0].split == "val"
    assert [one.box for one in subject.images[0].objects or ()] == [
        pytest.approx((0.1, 0.1, 0.3, 0.3))
    ]
    assert sorted(each.kind.value for each in subject.problems) == [
        "label invalid",
        "label outside of the class list",
        "labels without image",
        "path outside of the dataset",
    ]


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 5000, "../../x", "/etc/hosts", ""])
def test_a_file_name_that_cannot_be_is_noted(tmp_path: Path, name: str) -> None:
    image = {"id": 1, "file_name": name, "width": 200, "height": 100}
    content = {"images": [image], "categories": [], "annotations": []}
    (tmp_path / "a.json").write_text(json.dumps(content))

    assert kinds(report_on(tmp_path)) in (
        {"image missing": 1, "path outside of the dataset": 1},
        {"image missing": 1},  # a surrogate may be a byte of a name
    )


@pytest.mark.parametrize("place", ["a\0b", "x" * 5000, "/etc", "../..", "missing"])
def test_a_place_in_data_yaml_that_cannot_be_is_noted(tmp_path: Path, place: str) -> None:
    yolo(tmp_path, {"train": [(drawn(1), [(0, 0.5, 0.5, -0.005, 0.2)])]}, "car")
    stated = {"train": "images/train", "val": place, "path": place, "names": ["car"]}
    (tmp_path / "data.yaml").write_text(json.dumps(stated))

    report = report_on(tmp_path)

    assert report["images"]["total"] == 1
    assert "box below 3 pixels" in kinds(report)
    assert len(kinds(report)) == 2


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"it has neither records/"):
        read_subject(tmp_path)
    with pytest.raises(ConfigurationError, match="it is no folder"):
        read_subject(tmp_path / "missing")


@pytest.mark.parametrize("count", [0, 1])
def test_a_dataset_of_few_captures_has_a_report(tmp_path: Path, count: int) -> None:
    (tmp_path / "records").mkdir()
    for number in range(count):
        captured(tmp_path, number, drawn(number))

    report = report_on(tmp_path)

    assert report["images"]["total"] == count
    codes = ["no objects", *(["not reviewed", "clock"] if count else [])]
    assert [alert["code"] for alert in report["alerts"]] == codes


def test_the_folders_of_a_classifier_are_read(tmp_path: Path) -> None:
    for place in ("train/cat", "train/dog", "val/cat", "val/bird"):
        (tmp_path / place).mkdir(parents=True)
    for number, place in enumerate(("train/cat/a.jpg", "train/dog/b.png", "val/cat/c.jpg")):
        (tmp_path / place).write_bytes(drawn(number))

    report = report_on(tmp_path)

    assert classes(report) == {"bird": (0, 0), "cat": (2, 2), "dog": (1, 1)}
    assert report["tallies"]["split"] == {"train": 2, "val": 1}


def test_the_manifest_of_an_export_says_where_images_are_from(tmp_path: Path) -> None:
    yolo(tmp_path, {"train": [(drawn(1), [])], "val": [(drawn(2), []), (drawn(3), [])]}, "car")
    (tmp_path / "images/val/001.jpg").rename(tmp_path / "images/val/other.jpg")
    facts = {"device": "pi", "camera": "gate", "captured_at": "2026-06-01T12:00:03Z"}
    lines = [
        {"id": "000", **facts, "lane": "random", "origin": "corrected", "verdict": "wrong"},
        {"id": "other", **facts, "captured_at": "never", "lane": 7},
    ]
    (tmp_path / "captures.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines) + "[1]\n"
    )

    report = report_on(tmp_path)

    assert report["tallies"]["lane"] == {"random": 2}
    assert report["tallies"]["origin"] == {"corrected": 2}
    assert report["coverage"]["hours"]["pi / gate"][12] == 2
    assert report["leakage"]["splits"]["val"]["seconds"]["1"] == 1.0
    assert kinds(report)["file of labels unreadable"] == 1
