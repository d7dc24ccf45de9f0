"""The forms of an export: numbers by hand, and what the readers of other libraries see."""

import json
import math
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.dataset.coco import write_coco
from agent.dataset.export import cvat_form
from agent.dataset.export.contents import Contents, ExportedCapture
from agent.dataset.reviews import LabelOrigin
from agent.dataset.splits import Split, SplitTerms
from agent.domain import VerdictKind
from agent.files import Disk
from tests.dataset.exported import DIAMOND, POSE, TRIANGLE, dataset, hours, of_class, review, timed
from tests.fakes.captures import CAR, capture_id
from tests.in_process import call_here
from tests.search import examples

pytestmark = pytest.mark.usefixtures("without_sync")

OBJECT = {"detect": CAR, "segment": TRIANGLE, "obb": DIAMOND, "pose": POSE}
TASKS = [
    "pose",
    *(pytest.param(task, marks=pytest.mark.slow) for task in ("detect", "obb", "segment")),
]
VAN = {"label": "van", "box": [0.0, 0.0, 100.0, 50.0]}


def exported(folder: Path, form: str, task: str = "detect", count: int = 10) -> Path:
    """An export whose capture 1 is corrected, and 0 and 5 are reviewed random ones."""
    made = hours(count, detections=[OBJECT[task]], task=task, every=1000.0)
    lines = [review(0), review(5), review(1, VerdictKind.WRONG, boxes=[VAN, OBJECT[task]])]
    captures = dataset(folder / "captures", made, *lines)
    done = call_here("dataset", "export", captures, "--out", folder / form, "--format", form)
    assert done.returncode == 0, done.stderr
    return folder / form


def facts(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "captures.jsonl").read_text().splitlines()]


def test_yolo_has_a_folder_for_each_split_and_lists_by_origin(tmp_path: Path) -> None:
    out = exported(tmp_path, "yolo")
    data = yaml.safe_load((out / "data.yaml").read_text())

    assert data == {
        "train": "images/train",
        "val": "images/val",
        "test": "images/test",
        "names": {0: "person", 1: "bus", 2: "car", 3: "van"},
    }
    for fact in facts(out):
        label = out / f"labels/{fact['split']}/{fact['id']}.txt"
        assert (out / f"images/{fact['split']}/{fact['id']}.jpg").is_file()
        assert len(label.read_text().splitlines()) == fact["objects"]
        listed = (out / f"{fact['split']}-{fact['origin']}.txt").read_text().splitlines()
        assert f"./images/{fact['split']}/{fact['id']}.jpg" in listed
    (corrected,) = (out / "labels").rglob(f"{capture_id(1)}.txt")
    assert corrected.read_text().splitlines()[0] == "3 0.250000 0.250000 0.500000 0.500000"


def test_a_pose_model_of_persons_has_its_mirror_image(tmp_path: Path) -> None:
    data = yaml.safe_load((exported(tmp_path, "yolo", "pose") / "data.yaml").read_text())

    assert (data["task"], data["kpt_shape"]) == ("pose", [17, 3])
    assert data["flip_idx"][:5] == [0, 2, 1, 4, 3]
    assert [data["flip_idx"][n] for n in data["flip_idx"]] == list(range(17))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_pycocotools_reads_each_split(task: str, tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    out = exported(tmp_path, "coco", task)
    for split in Split:
        coco = COCO(str(out / f"annotations/instances_{split}.json"))
        here = {fact["id"]: fact for fact in facts(out) if fact["split"] == split}
        images = {image["file_name"].removesuffix(".jpg"): image for image in coco.imgs.values()}
        assert images.keys() == here.keys()
        for name, image in images.items():
            assert (out / f"images/{split}" / image["file_name"]).is_file()
            found = coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
            assert len(found) == here[name]["objects"]
            assert image["origin"] == here[name]["origin"]
            assert {each["origin"] for each in found} == {image["origin"]}
            assert all(("score" in each) is (image["origin"] != "corrected") for each in found)
        assert [each["name"] for each in coco.cats.values()] == ["person", "bus", "car", "van"]


def read_by_supervision(out: Path, form: str, task: str, split: str) -> Any:
    try:
        import supervision
    except ImportError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("needs supervision")
    if form == "coco":
        return supervision.DetectionDataset.from_coco(
            str(out / f"images/{split}"), str(out / f"annotations/instances_{split}.json")
        )
    return supervision.DetectionDataset.from_yolo(
        str(out / f"images/{split}"),
        str(out / f"labels/{split}"),
        str(out / "data.yaml"),
        force_masks=task == "segment",
        is_obb=task == "obb",
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("task", ["detect", "segment", "obb"])
@pytest.mark.parametrize("form", ["yolo", "coco"])
def test_supervision_reads_each_split(form: str, task: str, tmp_path: Path) -> None:
    out = exported(tmp_path, form, task)

    for split in Split:
        here = [fact for fact in facts(out) if fact["split"] == split]
        read = read_by_supervision(out, form, task, split)
        assert read.classes == ["person", "bus", "car", "van"]
        found = {Path(path).stem: objects for path, _, objects in read}
        assert found.keys() == {fact["id"] for fact in here}
        for fact in here:
            assert len(found[fact["id"]]) == fact["objects"]
            assert found[fact["id"]].class_id[-1] == 2


def shapes(out: Path, split: str) -> dict[str, list[ET.Element]]:
    root = ET.parse(out / split / "annotations.xml").getroot()
    assert root.findtext("version") == "1.1"
    return {
        image.attrib["name"].removesuffix(".jpg"): list(image) for image in root.findall("image")
    }


@pytest.mark.parametrize(
    ("task", "tag", "attributes"),
    [
        pytest.param(
            "detect",
            "box",
            {"xtl": "10.00", "ytl": "20.00", "xbr": "110.00", "ybr": "70.00"},
            marks=pytest.mark.slow,
        ),
        ("segment", "polygon", {"points": "10.00,20.00;110.00,20.00;60.00,70.00"}),
        (
            "obb",
            "box",
            {"xtl": "21.72", "ytl": "21.72", "xbr": "78.28", "ybr": "78.28", "rotation": "45.00"},
        ),
        pytest.param("pose", "skeleton", {}, marks=pytest.mark.slow),
    ],
)
def test_cvat_by_hand(task: str, tag: str, attributes: dict[str, str], tmp_path: Path) -> None:
    out = exported(tmp_path, "cvat", task)
    by_id = {fact["id"]: fact for fact in facts(out)}

    for split in Split:
        found = shapes(out, split)
        assert found.keys() == {name for name, fact in by_id.items() if fact["split"] == split}
        for name, elements in found.items():
            assert (out / split / f"images/{name}.jpg").is_file()
            assert len(elements) == by_id[name]["objects"]
            last = elements[-1]
            assert last.tag == tag
            assert last.attrib["label"] == "car"
            assert attributes.items() <= last.attrib.items()
            facts_of = {each.attrib["name"]: each.text for each in last.findall("attribute")}
            assert facts_of["origin"] == by_id[name]["origin"]
            is_of_person = by_id[name]["origin"] != "model"
            assert last.attrib["source"] == ("manual" if is_of_person else "auto")
    labels = json.loads((out / "labels.json").read_text())
    assert [each["name"] for each in labels] == ["person", "bus", "car", "van"]


def test_cvat_skeletons_have_all_points_of_which_some_are_outside(tmp_path: Path) -> None:
    out = exported(tmp_path, "cvat", "pose")
    skeleton = shapes(out, "test")[capture_id(0)][0]

    points = skeleton.findall("points")
    assert [each.attrib["label"] for each in points][:2] == ["nose", "left_eye"]
    assert len(points) == 17
    assert [(each.attrib["occluded"], each.attrib["outside"]) for each in points[:3]] == [
        ("0", "1"),
        ("1", "0"),
        ("0", "0"),
    ]
    sublabels = json.loads((out / "labels.json").read_text())[2]["sublabels"]
    assert [each["name"] for each in sublabels] == [each.attrib["label"] for each in points]


def test_cvat_has_the_class_of_an_image_as_tag(tmp_path: Path) -> None:
    captures = dataset(
        tmp_path / "captures", [of_class(n, n * 1000.0, "cat") for n in range(4)], review(1)
    )
    call_here("dataset", "export", captures, "--out", tmp_path / "out", "--format", "cvat")

    found = {
        name: each for split in Split for name, each in shapes(tmp_path / "out", split).items()
    }
    assert {len(each) for each in found.values()} == {1}
    tag = found[capture_id(1)][0]
    assert (tag.tag, tag.attrib) == ("tag", {"label": "cat", "source": "manual"})


@settings(max_examples=examples(40))
@given(st.text(), st.sampled_from(list(Split)))
def test_any_class_name_is_valid_xml(name: str, split: Split) -> None:
    record = timed(1, 0.0).record
    capture = ExportedCapture(
        capture_id(1), split, record, Path("x"), LabelOrigin.MODEL, None, classes=(0,)
    )
    contents = Contents(None, [name], [capture], {}, {}, SplitTerms(), list(LabelOrigin))

    documents = dict(cvat_form.files(contents))
    root = ET.fromstring(next(v for k, v in documents.items() if k.match(f"{split}/*.xml")))
    (tag,) = root.iter("tag")
    (label,) = root.iter("label")
    written = label.findtext("name") or ""
    assert tag.attrib["label"].split() == written.split()
    json.loads(next(text for place, text in documents.items() if place.name == "labels.json"))


@given(
    st.floats(0, 360, exclude_max=True),
    st.floats(2, 100),
    st.floats(2, 100),
    st.floats(-50, 50),
    st.floats(-50, 50),
)
def test_a_rotated_box_is_turned_upright(
    degrees: float, across: float, down: float, x: float, y: float
) -> None:
    turn = math.radians(degrees)
    corners = tuple(
        (
            x + math.cos(turn) * a * across / 2 - math.sin(turn) * b * down / 2,
            y + math.sin(turn) * a * across / 2 + math.cos(turn) * b * down / 2,
        )
        for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    )
    sides, found = cvat_form.upright(corners)

    assert sides == pytest.approx(
        (x - across / 2, y - down / 2, x + across / 2, y + down / 2), abs=1e-6
    )
    assert min(abs(found - degrees), 360 - abs(found - degrees)) < 1e-4


def test_hostile_class_names_stay_text_in_each_form(tmp_path: Path) -> None:
    names = ['a: "b"\n- c', "<x>&", "../../etc", "\u202e", "名前"]
    model = {"name": "m", "sha256": "a", "task": "detect", "provider": "cpu", "labels": names}
    made = [
        timed(n, n * 1000.0, model=model, detections=[{**CAR, "label": name, "class_id": n}])
        for n, name in enumerate(names)
    ]
    captures = dataset(tmp_path / "captures", made)
    for form in ("yolo", "coco", "cvat"):
        done = call_here("dataset", "export", captures, "--out", tmp_path / form, "--format", form)
        assert done.returncode == 0
        assert "\u202e" not in done.stdout

    data = yaml.safe_load((tmp_path / "yolo/data.yaml").read_text())
    assert list(data["names"].values()) == names
    made_coco = json.loads((tmp_path / "coco/annotations/instances_train.json").read_text())
    assert [each["name"] for each in made_coco["categories"]] == names
    labels = json.loads((tmp_path / "cvat/labels.json").read_text())
    assert [each["name"] for each in labels] == names


def test_the_coco_file_of_a_dataset_folder_has_reviewed_labels(tmp_path: Path) -> None:
    captures = dataset(
        tmp_path / "captures",
        [timed(1, 0.0), timed(2, 1.0), timed(3, 2.0)],
        review(1, VerdictKind.WRONG, boxes=[{**VAN, "iscrowd": True}]),
        review(2),
        review(3, VerdictKind.WRONG),
    )
    (path,) = write_coco(captures, Disk())

    made = json.loads(path.read_text())
    assert [(each["origin"], each.get("tags")) for each in made["images"]] == [
        ("corrected", ["verdict-wrong"]),
        ("reviewed", ["verdict-right"]),
        ("reviewed", ["verdict-wrong"]),
    ]
    first, second, third = made["annotations"]
    assert (first["category_id"], first["iscrowd"], "score" in first) == (4, 1, False)
    assert (second["origin"], second["score"]) == ("reviewed", 0.9)
    assert third["origin"] == "model"
