"""`capture-agent dataset import`: what people did in other tools becomes reviews."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from agent.cli import app
from agent.dataset.reviewed import ReviewedDataset
from agent.files import Disk
from tests.dataset.exports import (
    ADDED,
    CAR_BOX,
    CORRECTED,
    DOG_BOX,
    FORMS,
    RIGHT,
    VERDICTS,
    annotation,
    as_label_studio,
    coco_content,
    dataset_of,
    label_studio,
    lines_of,
    roboflow_coco,
    roboflow_name,
    task,
    written,
)
from tests.fakes.captures import capture_id

OFTEN = ("Label Studio", "Roboflow COCO", "CVAT XML")
ALL = [pytest.param(name, marks=() if name in OFTEN else pytest.mark.slow) for name in FORMS]
NO_LOOK = [name for name in FORMS if not name.startswith("Label Studio")]

UNKNOWN_REVIEWER = [
    pytest.param(name, marks=() if name in OFTEN else pytest.mark.slow) for name in NO_LOOK
]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["dataset", "import", *map(str, arguments)])


def imported(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def refused(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 78, result.output
    assert result.stdout == ""
    return result.stderr


def zipped(folder: Path) -> Path:
    archive = folder.parent / f"{folder.name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(folder.rglob("*")):
            out.write(path, path.relative_to(folder.parent))
    return archive


@pytest.mark.parametrize("form", ALL)
@pytest.mark.parametrize("is_zip", [pytest.param(False, marks=pytest.mark.slow), True])
def test_each_form_gives_the_same_reviews(tmp_path: Path, form: str, is_zip: bool) -> None:
    dataset = dataset_of(tmp_path / "dataset")
    source = FORMS[form](tmp_path / "out")

    facts = imported(dataset, zipped(tmp_path / "out") if is_zip else source, "--reviewed")

    assert facts["added"] == len(VERDICTS)
    lines = {line["id"]: line for line in lines_of(dataset)}
    for number, verdict in VERDICTS.items():
        line = lines[capture_id(number)]
        assert line["verdict"] == verdict, number
        if verdict == "right":
            assert "boxes" not in line
            continue
        found = sorted((box["label"], box["box"]) for box in line["boxes"])
        wanted = sorted(CORRECTED[number])
        assert [label for label, _ in found] == [label for label, _ in wanted]
        for (_, box), (_, sides) in zip(found, wanted, strict=True):
            assert box == pytest.approx(sides, abs=0.5)


@pytest.mark.parametrize("form", ALL)
def test_the_labels_follow_the_reviews(tmp_path: Path, form: str) -> None:
    dataset = dataset_of(tmp_path / "dataset")

    imported(dataset, FORMS[form](tmp_path / "out"), "--reviewed")

    rows = (dataset / f"labels/{capture_id(ADDED)}.txt").read_text().splitlines()
    assert sorted(row.split()[0] for row in rows) == ["0", "1", "2"]


@pytest.mark.parametrize("form", ALL)
def test_a_second_import_adds_nothing(tmp_path: Path, form: str) -> None:
    dataset = dataset_of(tmp_path / "dataset")
    source = FORMS[form](tmp_path / "out")
    imported(dataset, source, "--reviewed")
    before = lines_of(dataset)

    facts = imported(dataset, source, "--reviewed")

    assert (facts["added"], facts["known"]) == (0, len(VERDICTS))
    assert lines_of(dataset) == before


@pytest.mark.parametrize("form", UNKNOWN_REVIEWER)
def test_the_models_own_labels_are_no_review_unless_somebody_says_so(
    tmp_path: Path, form: str
) -> None:
    dataset = dataset_of(tmp_path / "dataset", 3)
    source = FORMS[form](tmp_path / "out", dict.fromkeys(range(3), CORRECTED[RIGHT]))

    said = refused(dataset, source)

    assert "the labels of all 3 captures are the model's own" in said
    assert "--reviewed" in said
    assert not (dataset / "verdicts.jsonl").exists()
    assert imported(dataset, source, "--reviewed")["verdicts"] == {"right": 3}


@pytest.mark.parametrize("form", UNKNOWN_REVIEWER)
def test_of_a_tool_that_names_no_reviewer_only_what_was_changed_comes_in(
    tmp_path: Path, form: str
) -> None:
    dataset = dataset_of(tmp_path / "dataset")

    facts = imported(dataset, FORMS[form](tmp_path / "out"))

    assert facts["verdicts"] == {"missing": 1, "wrong": 5}
    assert facts["untouched"] == 1
    assert "add --reviewed" in run(dataset, FORMS[form](tmp_path / "again")).stdout


@pytest.mark.parametrize("form", sorted({*NO_LOOK} - {"Roboflow COCO", "COCO"}))
def test_images_without_boxes_are_not_emptied_if_the_model_had_no_boxes_there(
    tmp_path: Path, form: str
) -> None:
    """Images alone were uploaded, and people drew boxes in one of three."""
    dataset = dataset_of(tmp_path / "dataset", 3)
    drawn = {0: [("cat", (100.0, 5.0, 140.0, 35.0))], 1: [], 2: []}

    facts = imported(dataset, FORMS[form](tmp_path / "out", drawn))

    assert facts["verdicts"] == {"wrong": 1}
    assert facts["unannotated"] == 2


def test_a_prediction_is_no_review(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset", 4)
    own = as_label_studio([CAR_BOX, DOG_BOX])
    copied = annotation(own, lead_time=None)  # "create annotations from predictions", for all tasks
    source = written(tmp_path / "p.json", [task(0), task(1, annotation(own)), task(2, copied)])

    facts = imported(dataset, source)

    assert facts["verdicts"] == {"right": 1}
    assert (facts["unannotated"], facts["untouched"]) == (1, 1)
    alone = written(tmp_path / "q.json", [task(3)])
    assert "a prediction is the model's own" in refused(dataset, alone)
    assert imported(dataset, alone, "--reviewed")["verdicts"] == {"right": 1}


def test_who_and_when_come_from_the_tool(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset", 3)
    own = as_label_studio([CAR_BOX, DOG_BOX])
    tasks = [
        task(0, annotation(own)),
        task(1, annotation(own, completed_by=3)),
        task(2, annotation(own, completed_by=None, updated_at=None)),
    ]
    imported(dataset, written(tmp_path / "p.json", tasks))

    lines = lines_of(dataset)
    assert [line["by"] for line in lines] == [
        "ann@example.com",
        "label-studio user 3",
        "label-studio",
    ]
    assert [line["at"] for line in lines[::2]] == [
        "2026-06-01T10:05:00.123Z",
        "2026-06-01T10:00:00.123Z",
    ]


def test_a_person_can_be_named(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset")

    imported(dataset, label_studio(tmp_path), "--by", "Bo")

    assert {line["by"] for line in lines_of(dataset)} == {"Bo"}


def test_the_newest_annotation_of_a_task_counts(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset", 1)
    older = annotation(as_label_studio([]), updated_at="2026-06-01T09:00:00Z")
    newer = annotation(as_label_studio([CAR_BOX, DOG_BOX]))
    skipped = annotation([], updated_at="2026-06-02T09:00:00Z", was_cancelled=True)

    facts = imported(dataset, written(tmp_path / "p.json", [task(0, newer, older, skipped)]))

    assert facts["verdicts"] == {"right": 1}


def test_a_skipped_task_is_no_review(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset", 2)
    own = annotation(as_label_studio([CAR_BOX, DOG_BOX]))
    tasks = [task(0, own), task(1, annotation([], was_cancelled=True))]

    facts = imported(dataset, written(tmp_path / "p.json", tasks))

    assert (facts["added"], facts["skipped"]) == (1, 1)


@pytest.mark.parametrize(
    ("word", "verdict"),
    [("right", "right"), ("Wrong", "wrong"), ("missing", "missing"), ("Unusable", "unusable")],
)
def test_a_choice_is_a_verdict(tmp_path: Path, word: str, verdict: str) -> None:
    """The project shows no boxes, so that an annotation without boxes removes none."""
    dataset = dataset_of(tmp_path / "dataset", 1)
    choice = {"type": "choices", "from_name": "v", "value": {"choices": [word]}}
    imported(dataset, written(tmp_path / "p.json", [task(0, annotation([choice]))]))

    (line,) = lines_of(dataset)
    assert line["verdict"] == verdict
    assert "boxes" not in line


def test_a_choice_that_is_no_verdict_removes_no_boxes(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset", 1)
    choice = {"type": "choices", "from_name": "w", "value": {"choices": ["rain"]}}
    tasks = [task(0, annotation([choice]), predictions=[])]

    assert "its choices are no verdicts" in refused(dataset, written(tmp_path / "p.json", tasks))


def test_an_updated_export_adds_what_changed(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset", 3)
    own = as_label_studio([CAR_BOX, DOG_BOX])
    tasks = [task(n, annotation(own)) for n in range(3)]
    imported(dataset, written(tmp_path / "p.json", tasks))
    changed = annotation(as_label_studio([CAR_BOX]), updated_at="2026-06-03T10:00:00Z")
    tasks[1] = task(1, changed)

    facts = imported(dataset, written(tmp_path / "p.json", tasks))

    assert (facts["added"], facts["known"]) == (1, 2)
    assert facts["replaced"] == [capture_id(1)]
    assert lines_of(dataset)[-1]["verdict"] == "wrong"


def test_a_newer_review_stays_and_is_counted(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset", 2)
    newer = {"id": capture_id(0), "at": "2026-07-01T00:00:00.000Z", "by": "bo", "verdict": "wrong"}
    (dataset / "verdicts.jsonl").write_text(json.dumps(newer) + "\n")
    own = as_label_studio([CAR_BOX, DOG_BOX])
    source = written(tmp_path / "p.json", [task(n, annotation(own)) for n in range(2)])

    facts = imported(dataset, source)

    assert (facts["added"], facts["kept"]) == (1, [capture_id(0)])
    assert "different from another review: 1 captures" in run(dataset, source).stdout


def test_an_old_import_does_not_come_back_over_a_newer_review(tmp_path: Path) -> None:
    """Roboflow's labels have no time, so an import is of now."""
    dataset = dataset_of(tmp_path / "dataset", 2)
    source = FORMS["Roboflow YOLO"](tmp_path, {0: [CAR_BOX], 1: [CAR_BOX]})
    imported(dataset, source)
    path = dataset / "verdicts.jsonl"
    later = {"id": capture_id(0), "at": "2099-07-01T00:00:00.000Z", "by": "bo", "verdict": "right"}
    path.write_text(path.read_text() + json.dumps(later) + "\n")

    facts = imported(dataset, source)

    assert (facts["added"], facts["known"], facts["kept"]) == (0, 1, [capture_id(0)])


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset")

    facts = imported(dataset, label_studio(tmp_path), "--dry-run")

    assert facts["added"] == len(VERDICTS)
    assert not (dataset / "verdicts.jsonl").exists()


def test_captures_of_another_dataset_are_counted(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset", 2)

    facts = imported(dataset, label_studio(tmp_path))

    assert (facts["captures"], facts["foreign"]) == (2, len(VERDICTS) - 2)
    other = written(tmp_path / "o.json", coco_content({9: [CAR_BOX]}))
    assert "none of its 1 images is a capture of" in refused(dataset, other)


def test_a_class_that_the_tool_does_not_have_was_not_judged(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset", 2)
    prediction = {"result": as_label_studio([CAR_BOX])}  # the project has no label "dog"
    own = annotation(as_label_studio([CAR_BOX]))
    tasks = [task(n, own, predictions=[prediction]) for n in range(2)]

    said = refused(dataset, written(tmp_path / "p.json", tasks))

    assert "2 captures have objects of a class that the tool does not have (dog)" in said


def test_an_image_of_another_shape_is_refused(tmp_path: Path) -> None:
    """Padded to a square: the boxes are elsewhere, and nothing says where."""
    dataset = dataset_of(tmp_path / "dataset", 1)
    content = coco_content({0: [("car", (20.0, 60.0, 60.0, 80.0))]}, size=(640, 640))

    said = refused(dataset, written(tmp_path / "c.json", content))

    assert "640 x 640 pixels, the capture 200 x 100" in said


def test_augmented_copies_are_refused(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset", 2)
    export = roboflow_coco(tmp_path, {0: [CAR_BOX]})
    content = coco_content({0: [CAR_BOX]}, name=roboflow_name)
    written(export / "test/_annotations.coco.json", content)

    assert "several images of the capture" in refused(dataset, export)


def test_several_tasks_of_cvat_are_one_export(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset", 2)
    for number in range(2):
        FORMS["CVAT XML"](tmp_path / f"out/{number}", {number: [CAR_BOX]})
    written(tmp_path / "out/labels.json", [{"name": "car", "attributes": []}])

    assert imported(dataset, tmp_path / "out")["verdicts"] == {"wrong": 2}
    FORMS["CVAT XML"](tmp_path / "out/2", {1: [CAR_BOX]})
    assert "several images of the capture" in refused(dataset, tmp_path / "out")


CAR_MOVED = [28.0, 10.0, 68.0, 50.0]


def corrected_by_hand(dataset: Path, verdict: str, **said: object) -> None:
    """Write a review as another program does, and let the labels follow it."""
    line = {"id": capture_id(0), "at": "2026-07-01T10:00:00Z", "verdict": verdict, **said}
    (dataset / "verdicts.jsonl").write_text(json.dumps(line) + "\n", "utf-8")
    ReviewedDataset(dataset, Disk()).write_labels()


@pytest.mark.parametrize("verdict", ["right", "missing", "wrong"])
@pytest.mark.parametrize(
    "said",
    [
        {"boxes": [{"label": "car", "box": CAR_MOVED}, {"label": "dog", "box": [*DOG_BOX[1]]}]},
        {"boxes": [CAR_MOVED, [*DOG_BOX[1]]], "labels": ["car", "dog"]},
    ],
    ids=["objects", "lists"],
)
def test_the_labels_of_the_folder_say_nothing_new_of_what_was_corrected(
    tmp_path: Path, verdict: str, said: dict[str, object]
) -> None:
    dataset = dataset_of(tmp_path / "dataset", 2)
    corrected_by_hand(dataset, verdict, **said)

    facts = imported(dataset, dataset / "labels")

    assert (facts["added"], facts["known"], facts["untouched"]) == (0, 1, 1)


def test_a_label_that_was_changed_after_the_correction_is_a_review(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset", 2)
    corrected_by_hand(dataset, "missing", boxes=[CAR_MOVED, [*DOG_BOX[1]]], labels=["car", "dog"])
    labels = dataset / f"labels/{capture_id(0)}.txt"
    labels.write_text(labels.read_text() + "2 0.65 0.2 0.2 0.3\n")

    facts = imported(dataset, dataset / "labels")

    assert facts["added"] == 1
    assert sorted(each["label"] for each in lines_of(dataset)[-1]["boxes"]) == ["car", "cat", "dog"]


def test_labels_without_a_class_list_are_refused_with_what_to_bring(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset", 2)
    (dataset / "data.yaml").unlink()

    said = refused(dataset, dataset / "labels")

    assert "nothing names its classes; put the data.yaml" in said
