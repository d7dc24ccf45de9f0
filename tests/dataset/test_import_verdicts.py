"""Verdicts without boxes: tables, and the classes of a classifier's captures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.dataset.folder import Dataset
from agent.files import Disk
from tests.dataset.exports import (
    HEIGHT,
    WIDTH,
    annotation,
    dataset_of,
    label_studio_min,
    lines_of,
    task,
    written,
    written_text,
)
from tests.dataset.test_import_command import imported, refused
from tests.fakes.captures import capture_id, classified

WORDS = ["ok", "FAIL", "missing", "unusable", "right", "wrong"]
VERDICTS = ["right", "wrong", "missing", "unusable", "right", "wrong"]


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("id,verdict", "{0},{1}"),
        ("Note;ID;Verdict", "x;deadbeef-{0}.jpg;{1}"),
        ("id\tverdict\tby\tat", "{0}\t{1}\tann\t2026-06-01T10:00:00Z"),
    ],
)
def test_a_table_of_verdicts_comes_in(tmp_path: Path, head: str, row: str) -> None:
    dataset = dataset_of(tmp_path / "dataset", len(WORDS))
    rows = [row.format(capture_id(n), word) for n, word in enumerate(WORDS)]
    source = written_text(tmp_path / "v.csv", "\n".join([head, *rows, ""]))

    imported(dataset, source)

    lines = lines_of(dataset)
    assert [line["verdict"] for line in lines] == VERDICTS
    assert not any("boxes" in line for line in lines)
    assert {line["by"] for line in lines} == {"ann" if "by" in head else "import"}
    assert imported(dataset, source)["added"] == 0


@pytest.mark.parametrize("form", ["list", "map"])
def test_verdicts_in_json_come_in(tmp_path: Path, form: str) -> None:
    dataset = dataset_of(tmp_path / "dataset", len(WORDS))
    said = {capture_id(n): word for n, word in enumerate(WORDS)}
    rows = [{"id": name, "verdict": word, "note": "wet lens"} for name, word in said.items()]

    imported(dataset, written(tmp_path / "v", rows if form == "list" else said))

    lines = lines_of(dataset)
    assert [line["verdict"] for line in lines] == VERDICTS
    assert lines[0].get("note") == ("wet lens" if form == "list" else None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,verdict\n{0},perhaps\n", "the verdict 'perhaps' is none of right (ok)"),
        ("id,verdict\n{0},ok\n{0}.jpg,fail\n", "it says both right and wrong"),
        ("id,verdict,at\n{0},ok,yesterday\n", "the time 'yesterday' must be as in"),
        ("id,word\n{0},ok\n", "none of what can be read"),
        ('[{{"id": "{0}", "verdict": "ok"}}, {{"id": "{0}"}}]', "row 2 has no 'verdict'"),
    ],
)
def test_a_table_that_is_not_understood_is_refused(tmp_path: Path, text: str, says: str) -> None:
    dataset = dataset_of(tmp_path / "dataset", 1)

    assert says in refused(dataset, written_text(tmp_path / "v", text.format(capture_id(0))))


def of_classes(folder: Path) -> Path:
    dataset = Dataset(folder, Disk())
    for number in range(3):
        made = classified(number, ("cat", 0.9), ("dog", 0.1))
        dataset.store(made.record_json, made.image)
    return folder


def chosen(*words: str) -> dict[str, Any]:
    return annotation([{"type": "choices", "from_name": "c", "value": {"choices": list(words)}}])


def test_a_choice_of_a_class_is_a_review_of_a_classifier(tmp_path: Path) -> None:
    dataset = of_classes(tmp_path / "dataset")
    tasks = [task(0, chosen("cat")), task(1, chosen("dog")), task(2, chosen("unusable"))]

    imported(dataset, written(tmp_path / "p.json", tasks))

    lines = lines_of(dataset)
    assert [(line["verdict"], line.get("labels")) for line in lines] == [
        ("right", None),
        ("wrong", ["dog"]),
        ("unusable", None),
    ]
    assert (dataset / f"classes/dog/{capture_id(1)}.jpg").exists()


def test_a_tag_of_cvat_is_a_class_or_a_verdict(tmp_path: Path) -> None:
    dataset = of_classes(tmp_path / "dataset")
    images = "".join(
        f'<image id="{n}" name="{capture_id(n)}.jpg" width="{WIDTH}" height="{HEIGHT}">'
        f'<tag label="{word}" source="manual"></tag></image>'
        for n, word in enumerate(["cat", "dog", "unusable"])
    )
    source = written_text(tmp_path / "a.xml", f"<annotations>{images}</annotations>")

    facts = imported(dataset, source)

    assert facts["untouched"] == 1  # CVAT does not say who looked
    assert [line["verdict"] for line in lines_of(dataset)] == ["wrong", "unusable"]


def test_a_verdict_of_the_device_in_the_task_is_no_choice(tmp_path: Path) -> None:
    """JSON-MIN has the fields of the task and the choices of people side by side."""
    dataset = dataset_of(tmp_path / "dataset", 2)
    source = label_studio_min(tmp_path, {0: [], 1: []})
    text = source.read_text().replace('"lane": "score"', '"lane": "score", "review": "Unusable"', 1)
    text = text.replace('"camera": "gate"', '"camera": "gate", "verdict_by": "right"')
    source.write_text(text)

    imported(dataset, source)

    assert [line["verdict"] for line in lines_of(dataset)] == ["unusable", "wrong"]


def test_a_class_in_json_min_is_one_of_the_model(tmp_path: Path) -> None:
    """Other texts of a task, such as the place of its image, are no choice."""
    dataset = of_classes(tmp_path / "dataset")
    times = {"updated_at": "2026-06-01T10:00:00Z", "lead_time": 1, "annotator": 3}
    rows = [
        {"image": f"/x/{capture_id(n)}.jpg", "choice": word, "annotation_id": n, **times}
        for n, word in enumerate(["cat", "dog", "unusable"])
    ]

    imported(dataset, written(tmp_path / "min.json", rows))

    lines = lines_of(dataset)
    assert [line["verdict"] for line in lines] == ["right", "wrong", "unusable"]
    assert lines[1]["labels"] == ["dog"]


def test_images_in_folders_by_class_are_reviews_of_a_classifier(tmp_path: Path) -> None:
    dataset = of_classes(tmp_path / "dataset")
    for number, label in enumerate(["cat", "dog", "unlabeled"]):
        place = tmp_path / f"out/train/{label}"
        place.mkdir(parents=True)
        (place / f"{capture_id(number)}_jpg.rf.0a9f0a9f.jpg").touch()

    facts = imported(dataset, tmp_path / "out")

    assert (facts["tool"], facts["untouched"]) == ("roboflow", 1)
    assert facts["verdicts"] == {"wrong": 1}
    assert lines_of(dataset)[0]["labels"] == ["dog"]
    assert imported(dataset, tmp_path / "out", "--reviewed")["verdicts"] == {"right": 1, "wrong": 1}
    (tmp_path / f"out/{capture_id(0)}.jpg").touch()
    assert "is in no folder that is named by a class" in refused(dataset, tmp_path / "out")


GOOD, BAD, SLASH = "good", "bad", "car/truck"


def of_odd_classes(folder: Path) -> Path:
    """A classifier's captures: all of class `bad`, and one of a class with a slash."""
    dataset = Dataset(folder, Disk())
    for number, label in enumerate([BAD, BAD, BAD, SLASH]):
        made = classified(number, (label, 0.9), (GOOD, 0.1))
        dataset.store(made.record_json, made.image)
    return folder


def folders(out: Path) -> Path:
    for number, name in enumerate([GOOD, BAD, "unusable", "car%2Ftruck"]):
        (out / name).mkdir(parents=True)
        (out / name / f"{capture_id(number)}.jpg").touch()
    return out


def tags(out: Path) -> Path:
    images = "".join(
        f'<image id="{n}" name="{capture_id(n)}.jpg" width="{WIDTH}" height="{HEIGHT}">'
        f'<tag label="{word}" source="manual"></tag></image>'
        for n, word in enumerate([GOOD, BAD, "unusable", SLASH])
    )
    return written_text(out.with_suffix(".xml"), f"<annotations>{images}</annotations>")


def choices(out: Path) -> Path:
    words = [GOOD, BAD, "unusable", SLASH]
    return written(out.with_suffix(".json"), [task(n, chosen(w)) for n, w in enumerate(words)])


@pytest.mark.parametrize("made", [folders, tags, choices])
def test_a_class_that_is_named_like_a_verdict_is_a_class(
    tmp_path: Path, made: Callable[[Path], Path]
) -> None:
    """A person who moves a `bad` part to `good` says that the model was wrong."""
    dataset = of_odd_classes(tmp_path / "dataset")

    imported(dataset, made(tmp_path / "out"), "--reviewed")

    assert [(line["verdict"], line.get("labels")) for line in lines_of(dataset)] == [
        ("wrong", [GOOD]),
        ("right", None),
        ("unusable", None),
        ("right", None),
    ]


def test_the_class_folders_of_a_dataset_say_nothing_new(tmp_path: Path) -> None:
    dataset = of_odd_classes(tmp_path / "dataset")

    said = refused(dataset, dataset / "classes")

    assert "the labels of all 4 captures are the model's own" in said
