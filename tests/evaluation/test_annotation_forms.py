"""The same boxes, as the tools that people use write them, give the same figures."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.dataset.annotations.coco_file import coco_labels
from agent.dataset.annotations.source import text_of
from agent.dataset.annotations.verdict_table import verdicts
from agent.dataset.annotations.yolo_labels import class_names, read_folder
from agent.dataset.records import read_records
from agent.errors import ConfigurationError
from tests.evaluation.test_evaluate_command import captures, evaluate, facts, name_of, refused

DRAWN = 10
CORRECTED = 3  # captures in which the car is a lorry
Names = Callable[[int], str]

BOX = "{} 0.2 0.3 0.2 0.4\n"
POLYGON = "{} 0.1 0.1 0.3 0.1 0.3 0.5 0.1 0.5\n"


def plain(number: int) -> str:
    return name_of(number)


def of_roboflow(number: int) -> str:
    return f"{name_of(number)}_jpg.rf.{'0af9' * 8}"


def of_label_studio(number: int) -> str:
    return f"deadbeef-{name_of(number)}"


def in_capitals(number: int) -> str:
    return name_of(number).upper()


def export(
    folder: Path,
    *,
    file: str,
    classes: str,
    row: str = BOX,
    order: tuple[str, str] = ("car", "lorry"),
    name: Names = plain,
    labels: str = "labels",
) -> Path:
    """An export in which `CORRECTED` cars are lorries, and one image is empty."""
    folder.mkdir(exist_ok=True)
    (folder / file).write_text(classes)
    place = folder / labels
    place.mkdir(parents=True, exist_ok=True)
    for number in range(DRAWN):
        label = "lorry" if number < CORRECTED else "car"
        text = "" if number == DRAWN - 1 else row.format(order.index(label))
        (place / f"{name(number)}.txt").write_text(text)
    return place


YAML = "names: [car, lorry]\n"

FORMS: dict[str, Callable[[Path], Path]] = {
    "list": lambda at: export(at, file="data.yaml", classes=YAML),
    "list over several lines": lambda at: export(
        at, file="data.yaml", classes="names: [car,\n  lorry]  # two\n"
    ),
    "map with comments": lambda at: export(
        at, file="data.yaml", classes="names:  # all\n  0: car  # small\n\n  1: lorry\nnc: 2\n"
    ),
    "indented list": lambda at: export(
        at, file="dataset.yaml", classes="nc: 2\nnames:\n    - 'car'\n    - \"lorry\"\n"
    ),
    "classes.txt in another order": lambda at: export(
        at, file="classes.txt", classes="lorry\r\ncar\r\n", order=("lorry", "car")
    ),
    "obj.names": lambda at: export(
        at, file="obj.names", classes="lorry\ncar", order=("lorry", "car"), labels="obj_train_data"
    ),
    "polygons": lambda at: export(at, file="data.yaml", classes=YAML, row=POLYGON),
    "Roboflow": lambda at: export(
        at, file="data.yaml", classes=YAML, name=of_roboflow, labels="train/labels"
    ),
    "Label Studio": lambda at: export(
        at, file="classes.txt", classes="car\nlorry\n", name=of_label_studio
    ),
    "capitals": lambda at: export(at, file="data.yaml", classes=YAML, name=in_capitals),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_same_figures(tmp_path: Path, form: str) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)

    found = facts(folder, "--labels", FORMS[form](tmp_path / "export"))

    assert found["reviewed"] == DRAWN
    right = DRAWN - CORRECTED - 1
    assert found["precision"]["value"] == pytest.approx(right / DRAWN)
    assert found["recall"]["value"] == pytest.approx(right / (DRAWN - 1))
    assert found["labels"]["lorry"]["recall"]["value"] == 0.0


def test_the_whole_export_may_be_named_instead_of_its_labels(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    FORMS["Roboflow"](tmp_path / "export")

    assert facts(folder, "--labels", tmp_path / "export")["reviewed"] == DRAWN


@pytest.mark.parametrize("name", ["Car", "car ", "CAR"])
def test_a_class_that_differs_in_spelling_from_the_models_is_refused(
    tmp_path: Path, name: str
) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    labels = export(tmp_path / "export", file="data.yaml", classes=f"names: ['{name}', lorry]")

    assert f"a class '{name}', and the model 'car'" in refused(folder, "--labels", labels)


def test_classes_of_which_none_is_the_models_are_refused(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    for path in (folder / "records").glob("*.json"):
        broken(model={"labels": ["car", "dog"]})(path)
    labels = export(tmp_path / "export", file="data.yaml", classes="names: [ship, lorry]")

    assert "none of its classes (lorry, ship)" in refused(folder, "--labels", labels)


def test_files_that_are_of_no_capture_are_no_review(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    labels = export(tmp_path / "export", file="data.yaml", classes=YAML, name="frame{}".format)

    for words in ((), ("--reviewed",)):
        assert "no file in it has the id" in refused(folder, "--labels", labels, *words)


def test_labels_with_control_characters_are_shown_escaped(tmp_path: Path) -> None:
    folder = captures(tmp_path, drawn=2)
    for path in (folder / "records").glob("*.json"):
        record = json.loads(path.read_text())
        record["detections"][0]["label"] = "\x1b[31m\ncar"
        path.write_text(json.dumps(record))
    labels = export(tmp_path / "export", file="data.yaml", classes=YAML)

    shown = evaluate(folder, "--labels", labels).stdout

    assert "\x1b" not in shown
    assert r"\x1b[31m\ncar" in shown


def without_empty_files(at: Path) -> Path:
    place = FORMS["list"](at)
    (place / f"{name_of(DRAWN - 1)}.txt").unlink()
    return place


def test_missing_files_of_empty_images_are_not_left_out_in_silence(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    labels = without_empty_files(tmp_path / "export")

    assert "1 random captures have no label file" in refused(folder, "--labels", labels)
    assert facts(folder, "--labels", labels, "--reviewed")["reviewed"] == DRAWN


def test_an_image_in_the_export_shows_that_it_was_looked_at(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    labels = without_empty_files(tmp_path / "export")
    (tmp_path / "export/images").mkdir()
    (tmp_path / f"export/images/{of_roboflow(DRAWN - 1)}.jpg").touch()

    found = facts(folder, "--labels", labels)

    assert found["reviewed"] == DRAWN
    assert found["precision"]["value"] == pytest.approx((DRAWN - CORRECTED - 1) / DRAWN)


def untouched_coco(file: Path, *, scale: float = 1.0) -> Path:
    """The model's own boxes, converted."""
    images = [{"id": n, "file_name": f"{of_label_studio(n)}.jpg"} for n in range(DRAWN)]
    box = [20 * scale, 10, 40, 40]
    boxes = [{"image_id": n, "category_id": 1, "bbox": box} for n in range(DRAWN)]
    categories = [{"id": 1, "name": "car"}]
    file.write_text(json.dumps({"images": images, "annotations": boxes, "categories": categories}))
    return file


def test_the_models_own_boxes_are_recognized_in_each_form(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    polygons = export(tmp_path / "p", file="data.yaml", classes=YAML, row=POLYGON)
    for path in polygons.iterdir():
        path.write_text(POLYGON.format(0))
    coco = untouched_coco(tmp_path / "coco.json")

    for labels in (polygons, coco):
        assert "the model's own" in refused(folder, "--labels", labels)
        assert facts(folder, "--labels", labels, "--reviewed")["failure_rate"]["value"] == 0.0
    assert facts(folder, "--labels", untouched_coco(coco, scale=1.5))["reviewed"] == DRAWN


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("0 0.2 0.3 0.2 0.4 0.9\n", "a prediction with its confidence"),
        ("0 20 30 20 40\n", "from 0 to 1"),
        ("0 nan 0.3 0.2 0.4\n", "nan is not a finite number"),
        ("2 0.2 0.3 0.2 0.4\n", "class 2 has no name; there are 2"),
        ("-1 0.2 0.3 0.2 0.4\n", "class -1 has no name"),
        ("car 0.2 0.3 0.2 0.4\n", "line 1"),
        ("0 0.1 0.1 0.3 0.1 0.3\n", "6 columns"),
        ("0 0.1 0.1 0.3 0.1 0.3 0.5 0.1\n", "8 columns"),
        ("0 \x1b[31m\n", "line 1"),
    ],
)
def test_a_row_that_is_not_understood_is_refused(tmp_path: Path, row: str, words: str) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    labels = FORMS["list"](tmp_path / "export")
    (labels / f"{name_of(4)}.txt").write_text(row)

    said = refused(folder, "--labels", labels)

    assert words in said
    assert f"{name_of(4)}.txt" in said
    assert "\x1b" not in said


def test_labels_from_elsewhere_without_class_names_are_refused(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    labels = FORMS["list"](tmp_path / "a/b/export".replace("/", "-"))
    (labels.parent / "data.yaml").unlink()

    assert "nothing names its classes" in refused(folder, "--labels", labels)


def test_two_lists_of_classes_that_differ_are_refused(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    labels = FORMS["list"](tmp_path / "export")
    (tmp_path / "export/classes.txt").write_text("lorry\ncar\n")

    assert "name other classes" in refused(folder, "--labels", labels)


def test_augmented_copies_of_one_image_are_refused(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    labels = FORMS["Roboflow"](tmp_path / "export")
    (labels / f"{name_of(0)}_jpg.rf.{'1' * 32}.txt").write_text("1 0.8 0.3 0.2 0.4\n")

    assert "export without augmentation" in refused(folder, "--labels", labels)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("id,verdict\n{0},fail\n{1},ok\n", "utf-8"),
        ("ID;Verdict\r\n{0}.jpg;FAIL\r\n{1}.jpg;OK\r\n;\r\n", "utf-8-sig"),
        ("id\tverdict\n{0}\tfail\n{1}\tok\n", "utf-16"),
        ("note,id,verdict\nx,deadbeef-{0}.jpg,wrong\n,{1},right\n", "utf-8"),
    ],
)
def test_verdicts_of_a_spreadsheet_are_read(tmp_path: Path, text: str, encoding: str) -> None:
    folder = captures(tmp_path / "dataset", drawn=2)
    file = tmp_path / "v.csv"
    file.write_bytes(text.format(name_of(0), name_of(1)).encode(encoding))

    assert facts(folder, "--labels", file)["failure_rate"]["value"] == pytest.approx(0.5)


def coco_of(tmp_path: Path, **changed: object) -> Path:
    """A COCO file of one image with one box; `changed` are fields of that box."""
    box = {"id": 5, "image_id": 1, "category_id": 1, "bbox": [40, 30, 40, 40]}
    file = tmp_path / "c.json"
    content = {
        "images": [{"id": 1, "file_name": f"{name_of(0)}.jpg", "width": 200, "height": 100}],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [box | changed],
    }
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"image_id": 9}, "`images` has no image 9"),
        ({"category_id": "1"}, "`categories` has no category '1'"),
        ({"bbox": [10, 10, -5, 4]}, "no area inside of the image"),
        ({"bbox": [300, 10, 5, 4]}, "no area inside of the image"),
        ({"bbox": [1, 2, 3]}, "four numbers"),
        ({"bbox": "1,2,3,4"}, "four numbers"),
    ],
)
def test_a_coco_box_that_could_match_nothing_is_named(
    tmp_path: Path, changed: dict[str, object], says: str
) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)

    said = refused(folder, "--labels", coco_of(tmp_path, **changed))

    assert "annotation 5: " in said
    assert says in said


def test_a_coco_file_without_its_images_is_named(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    file = coco_of(tmp_path)
    content = json.loads(file.read_text())
    del content["images"]
    file.write_text(json.dumps(content))

    assert "as COCO: it lacks `images`" in refused(folder, "--labels", file)


def test_a_folder_of_images_alone_is_no_review(tmp_path: Path) -> None:
    """Else each capture would count as an image with nothing in it."""
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / f"{name_of(0)}.jpg").write_bytes(b"")
    (tmp_path / "classes.txt").write_text("car\nlorry\n")

    assert "no label files" in refused(folder, "--labels", tmp_path / "images")


def test_verdicts_may_be_an_object_a_line(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=DRAWN)
    file = tmp_path / "v.jsonl"
    lines = [{"id": name_of(n), "verdict": "fail" if n < CORRECTED else "ok"} for n in range(DRAWN)]
    file.write_text("".join(json.dumps(each) + "\n" for each in lines))

    assert facts(folder, "--labels", file)["failure_rate"]["value"] == CORRECTED / DRAWN

    file.write_text(json.dumps({**lines[0], "at": "x", "undo": "y"}))
    assert "undone lines would be lost" in refused(folder, "--labels", file)


def test_two_verdicts_on_one_capture_must_agree(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=2)
    file = tmp_path / "v.csv"
    file.write_text(f"id,verdict\n{name_of(0)},ok\n{name_of(0)}.jpg,fail\n")

    assert "both ok and fail" in refused(folder, "--labels", file)


def broken(**changes: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        record = json.loads(path.read_text())
        path.write_text(json.dumps({**record, **changes}))

    return change


def with_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"[" * 100_000),
        lambda path: path.write_bytes(b"\xff\xfe"),
        lambda path: path.write_text("[]"),
        lambda path: path.write_text('{"sequence": ' + "1" * 6000 + "}"),
        with_fifo,
        lambda path: (path.unlink(), path.mkdir()),
        broken(lane=None),
        broken(image={"width": 1e400, "height": 10}),
        broken(image={"width": 200}),
        broken(image="\x1b[31m"),
        broken(sampling=None),
        broken(sampling={"weight": "1"}),
        broken(sampling={"weight": float("inf")}),
        broken(sampling={"weight": -1}),
        broken(sampling={"weight": 10**400}),
        broken(sampling={"weight": 1e308}),
        broken(sampling={"weight": 1e-200}),
        broken(image={"width": 10**400, "height": 10}),
        broken(detections=[{"label": "car", "confidence": 10**400, "box": [1, 2, 3, 4]}]),
        broken(detections=[{"label": "car", "confidence": 0.1, "box": [1, 2, float("nan"), 4]}]),
        broken(detections={"label": "car"}),
        broken(thresholds={"labels": {"car": None}}),
        broken(id="other"),
    ],
)
def test_a_hostile_record_is_named_and_nothing_hangs(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    folder = captures(tmp_path, drawn=2)
    damage(folder / f"records/{name_of(1)}.json")

    result = evaluate(folder, "--reviewed")

    assert result.exit_code == 78
    assert f"{name_of(1)}.json" in result.stderr
    assert "\x1b" not in result.stderr
    assert "Traceback" not in result.stderr


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=300))
@pytest.mark.parametrize("name", ["data.yaml", "classes.txt", "v.csv", "v.json", "row"])
def test_any_bytes_are_read_or_refused(tmp_path: Path, name: str, data: bytes) -> None:
    record = {"image": {"width": 10, "height": 10}}
    records = {name_of(0): record}
    file = tmp_path / (f"{name_of(0)}.txt" if name == "row" else name)
    file.write_bytes(data)
    try:
        if name == "row":
            (tmp_path / "data.yaml").write_text("names: [a]")
            read_folder(tmp_path, tmp_path / "dataset", records).truth(records)
        elif name.startswith("v."):
            verdicts(file, text_of(file), records)
        else:
            class_names(file)
    except ConfigurationError as error:
        assert str(error).isprintable()  # noqa: PT017


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    content=st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["id", "file_name", "bbox", "name", "width"]), inner)
        ),
        max_leaves=10,
    )
)
def test_any_json_is_read_as_coco_or_refused(tmp_path: Path, content: object) -> None:
    coco = {"images": content, "annotations": content, "categories": content}
    records = {name_of(0): {"image": {"width": 10, "height": 10}}}
    try:
        coco_labels(tmp_path / "x.json", coco, records)
    except ConfigurationError as error:
        assert str(error).isprintable()  # noqa: PT017


def test_records_are_read_by_id(tmp_path: Path) -> None:
    folder = captures(tmp_path, drawn=2, chosen=1)

    assert set(read_records(folder)) == {name_of(n) for n in range(3)}
