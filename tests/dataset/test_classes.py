"""Labels of one model have the same numbers in each dataset, whatever was seen first."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dataset import yolo
from agent.dataset.classes import CLASSES_MAX, number_of, with_classes_of
from agent.dataset.folder import Dataset
from agent.files import Disk
from tests.fakes.captures import stored_capture

LABELS = ["person", "bicycle", "car"]
MODEL = {"name": "n", "sha256": "ab", "task": "detect", "provider": "cpu", "labels": LABELS}


def seen(label: str, class_id: object) -> dict[str, Any]:
    return {"label": label, "class_id": class_id, "confidence": 0.9, "box": [0, 0, 50, 50]}


def numbers_in(folder: Path, *captures: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The class numbers of all labels, and the names of the dataset that got the captures."""
    dataset = Dataset(folder, Disk())
    made = [stored_capture(number, **changes) for number, changes in enumerate(captures)]
    for each in made:
        dataset.store(each.record_json, each.image)
    rows = [(folder / f"labels/{each.id}.txt").read_text().split()[:1] for each in made]
    return [row[0] if row else "" for row in rows], yolo.names_of(
        (folder / "data.yaml").read_text()
    )


def test_two_devices_that_saw_other_things_first_agree(tmp_path: Path) -> None:
    car, person = [seen("car", 2)], [seen("person", 0)]
    one = numbers_in(
        tmp_path / "a", {"model": MODEL, "detections": car}, {"model": MODEL, "detections": person}
    )
    two = numbers_in(
        tmp_path / "b", {"model": MODEL, "detections": person}, {"model": MODEL, "detections": car}
    )
    assert one == (["2", "0"], LABELS)
    assert two == (["0", "2"], LABELS)


def test_a_dataset_in_which_nothing_was_seen_has_the_models_classes(tmp_path: Path) -> None:
    assert numbers_in(tmp_path, {"model": MODEL, "detections": []}) == ([""], LABELS)


def test_records_without_the_list_leave_names_for_classes_not_seen_yet(tmp_path: Path) -> None:
    numbers, names = numbers_in(
        tmp_path,
        {"detections": [seen("car", 2)]},
        {"detections": [seen("person", 0)]},
        {"model": MODEL, "detections": [seen("bicycle", 1)]},
    )
    assert (numbers, names) == (["2", "0", "1"], LABELS)


def test_another_model_keeps_the_numbers_of_the_dataset(tmp_path: Path) -> None:
    other = {**MODEL, "labels": ["car", "bus"]}
    numbers, names = numbers_in(
        tmp_path,
        {"model": MODEL, "detections": [seen("car", 2)]},
        {"model": other, "detections": [seen("car", 0)]},
        {"model": other, "detections": [seen("bus", 1)]},
    )
    assert (numbers, names) == (["2", "2", "3"], [*LABELS, "bus"])


@pytest.mark.parametrize("class_id", [None, True, -1, 1.5, "2", CLASSES_MAX, 2**70])
def test_a_class_id_that_is_none_does_not_make_the_list_long(class_id: object) -> None:
    names = ["person"]
    assert number_of(names, seen("car", class_id)) == 1
    assert names == ["person", "car"]


@pytest.mark.parametrize(
    "labels", [None, "person", [1], ["x"] * (CLASSES_MAX + 1), ["x" * 201], {"0": "person"}]
)
def test_a_list_of_labels_that_is_none_is_left_out(labels: object) -> None:
    assert with_classes_of(["car"], {"model": {"labels": labels}}) == ["car"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(-1, 5)), max_size=30))
def test_a_label_has_one_number_and_a_number_one_label(found: list[tuple[str, int]]) -> None:
    names: list[str] = []
    numbers: dict[str, int] = {}
    for label, class_id in found:
        number = number_of(names, seen(label, class_id))
        assert numbers.setdefault(label, number) == number
        assert names[number] == label
    assert len(set(names)) == len(names)
