"""Labels in the form of each task, by hand, and one task in each folder."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agent.dataset import yolo
from agent.dataset.folder import Dataset
from agent.dataset.yolo import LabelForm
from agent.domain import Task
from agent.errors import DamagedDataset
from agent.files import Disk
from tests.fakes.captures import CAR, capture_id, stored_capture

TRIANGLE = {**CAR, "polygon": [[10, 20], [110, 20], [60, 70]]}
DIAMOND = {**CAR, "box": [10, 10, 90, 90], "corners": [[50, 10], [90, 50], [50, 90], [10, 50]]}
POSE = {**CAR, "keypoints": [[20, 30, 0.9], [100, 60, 0.3], [50, 50, 0.1]]}
CENTRE = "2 0.300000 0.450000 0.500000 0.500000"


def model(task: str, **more: Any) -> dict[str, Any]:
    return {"name": "m", "sha256": "ab", "task": task, "provider": "cpu", **more}


def store(folder: Path, number: int, task: str, *detections: dict[str, Any], **more: Any) -> bool:
    made = stored_capture(number, model=model(task, **more), detections=list(detections))
    return Dataset(folder, Disk()).store(made.record_json, made.image)


def labels(folder: Path, number: int = 1) -> str:
    return (folder / f"labels/{capture_id(number)}.txt").read_text()


@pytest.mark.parametrize(
    ("task", "detection", "row"),
    [
        ("detect", TRIANGLE, CENTRE),
        ("segment", TRIANGLE, "2 0.050000 0.200000 0.550000 0.200000 0.300000 0.700000"),
        (
            "segment",
            CAR,
            "2 0.050000 0.200000 0.550000 0.200000 0.550000 0.700000 0.050000 0.700000",
        ),
        (
            "pose",
            POSE,
            f"{CENTRE} 0.100000 0.300000 2 0.500000 0.600000 1 0.000000 0.000000 0",
        ),
        (
            "obb",
            DIAMOND,
            "2 0.250000 0.100000 0.450000 0.500000 0.250000 0.900000 0.050000 0.500000",
        ),
        (
            "obb",
            CAR,
            "2 0.050000 0.200000 0.550000 0.200000 0.550000 0.700000 0.050000 0.700000",
        ),
        (
            "obb",  # of which one corner lies outside of the image
            {**CAR, "corners": [[50, -20], [90, 50], [50, 90], [10, 50]]},
            "2 0.250000 0.000000 0.450000 0.500000 0.250000 0.900000 0.050000 0.500000",
        ),
    ],
)
def test_a_row_has_the_form_of_its_task(
    tmp_path: Path, task: str, detection: dict[str, Any], row: str
) -> None:
    store(tmp_path, 1, task, detection)

    assert labels(tmp_path) == f"{row}\n"
    about = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert about.get("task", "detect") == task
    assert about.get("kpt_shape") == ([3, 3] if task == "pose" else None)


def test_each_row_of_a_pose_has_as_many_keypoints_as_the_model(tmp_path: Path) -> None:
    """A detection that the model gave fewer keypoints, or none that are valid, gets zeros."""
    few = {**CAR, "keypoints": [[20, 30, 0.9]]}
    broken = {**CAR, "keypoints": [[20, 30]] * 3}
    store(tmp_path, 1, "pose", POSE, few, broken, keypoints=3)

    rows = [row.split() for row in labels(tmp_path).splitlines()]
    assert [len(row) for row in rows] == [14, 14, 14]
    assert rows[1][5:8] == ["0.100000", "0.300000", "2"]
    assert rows[2][5:] == ["0.000000", "0.000000", "0"] * 3


def test_the_keypoint_count_is_stated_once_it_is_known(tmp_path: Path) -> None:
    store(tmp_path, 1, "pose")
    before = yolo.form_of((tmp_path / "data.yaml").read_text())
    store(tmp_path, 2, "pose", POSE)
    after = yolo.form_of((tmp_path / "data.yaml").read_text())

    assert (before, after) == (LabelForm(Task.POSE), LabelForm(Task.POSE, 3))
    assert [labels(tmp_path, n).count("\n") for n in (1, 2)] == [0, 1]


def test_captures_of_another_task_become_a_dataset_beside_the_first(tmp_path: Path) -> None:
    """No label is of another form than its data.yaml says, and nothing is lost or stored twice."""
    assert store(tmp_path, 1, "detect", CAR) is True
    assert store(tmp_path, 2, "segment", TRIANGLE) is True
    assert store(tmp_path, 2, "segment", TRIANGLE) is False
    assert store(tmp_path, 3, "pose", POSE, keypoints=3) is True
    assert store(tmp_path, 4, "pose", POSE, keypoints=5) is True
    assert store(tmp_path, 5, "detect", TRIANGLE) is True

    found = {
        str(path.relative_to(tmp_path).parent): path.stem for path in tmp_path.rglob("labels/*")
    }
    assert found.keys() == {"labels", "segment/labels", "pose-3/labels", "pose-5/labels"}
    for part, number in (("segment", 2), ("pose-3", 3), ("pose-5", 4)):
        inside = tmp_path / part
        assert (inside / f"images/{capture_id(number)}.jpg").is_file()
        assert (inside / f"records/{capture_id(number)}.json").is_file()
        assert (inside / "data.yaml").is_file()
    assert len(list((tmp_path / "images").iterdir())) == 2
    assert Dataset(tmp_path, Disk()).count() == 5


def test_a_folder_of_an_older_version_is_of_boxes_and_goes_on(tmp_path: Path) -> None:
    store(tmp_path, 1, "detect", CAR)
    old = (tmp_path / "data.yaml").read_text()
    store(tmp_path, 2, "segment", TRIANGLE)
    store(tmp_path, 3, "detect", CAR)

    assert "task:" not in old
    assert (tmp_path / "data.yaml").read_text() == old
    assert (labels(tmp_path, 3), labels(tmp_path / "segment", 2)) == (
        f"{CENTRE}\n",
        "2 0.050000 0.200000 0.550000 0.200000 0.300000 0.700000\n",
    )


def test_a_part_whose_names_are_of_another_task_is_not_written(tmp_path: Path) -> None:
    store(tmp_path, 1, "detect", CAR)
    store(tmp_path, 2, "segment", TRIANGLE)
    (tmp_path / "segment/data.yaml").write_text((tmp_path / "data.yaml").read_text())

    with pytest.raises(DamagedDataset, match="of another task than the folder's name"):
        store(tmp_path, 3, "segment", TRIANGLE)
    assert not (tmp_path / f"segment/records/{capture_id(3)}.json").exists()


@pytest.mark.parametrize("line", ["task: track", "task: classify", "kpt_shape: [9999, 3]"])
def test_a_task_that_this_version_cannot_write_stops_the_dataset(tmp_path: Path, line: str) -> None:
    store(tmp_path, 1, "detect", CAR)
    path = tmp_path / "data.yaml"
    path.write_text(f"{line}\n{path.read_text()}")

    with pytest.raises(DamagedDataset, match=r"data\.yaml is not as written here"):
        store(tmp_path, 2, "detect", CAR)


@pytest.mark.usefixtures("patient_locks")
def test_writers_of_several_tasks_at_the_same_time_keep_them_apart(tmp_path: Path) -> None:
    writers = [Dataset(tmp_path, Disk()) for _ in range(2)]
    kinds = [("detect", CAR), ("segment", TRIANGLE), ("obb", DIAMOND)]

    def put(number: int) -> bool:
        task, detection = kinds[number % 3]
        made = stored_capture(number, model=model(task), detections=[detection])
        return writers[number % 2].store(made.record_json, made.image)

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(put, range(18)))
    assert writers[0].count() == 18
    columns = {
        len(path.read_text().split()): yolo.form_of(
            (path.parents[1] / "data.yaml").read_text()
        ).task
        for path in tmp_path.rglob("labels/*.txt")
    }
    assert columns == {5: Task.DETECT, 7: Task.SEGMENT, 9: Task.OBB}


def rows_of_another_task(folder: Path) -> list[str]:
    """Label files with rows that the `data.yaml` beside them does not announce."""
    wrong = []
    for path in sorted(folder.rglob("labels/*.txt")):
        form = yolo.form_of((path.parents[1] / "data.yaml").read_text())
        columns = {
            Task.DETECT: {5},
            Task.SEGMENT: set(range(7, 99, 2)),
            Task.POSE: {5 + 3 * form.keypoints},
            Task.OBB: {9},
        }[form.task]
        if not {len(row.split()) for row in path.read_text().splitlines()} <= columns:
            wrong.append(path.stem)
    return wrong


@pytest.mark.parametrize("is_planted", [False, True])
def test_a_dataset_that_takes_any_task_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_planted: bool
) -> None:
    """The planted fault writes a capture of another task in the form of its own model."""
    if is_planted:
        monkeypatch.setattr(
            Dataset,
            "_numbered",
            lambda _, record, found: ([2] * len(found), yolo.form_of_record(record)),
        )
    (tmp_path / "data.yaml").write_text(yolo.data_yaml(["a", "b", "car"]))
    store(tmp_path, 1, "detect", CAR)
    store(tmp_path, 2, "obb", DIAMOND)
    store(tmp_path, 3, "pose", POSE)

    assert bool(rows_of_another_task(tmp_path)) == is_planted


shapes = st.lists(
    st.lists(st.floats(-1e12, 1e12) | st.integers() | st.none(), max_size=4), max_size=8
)


@given(
    st.sampled_from(["detect", "segment", "pose", "obb", "other"]),
    st.fixed_dictionaries({"polygon": shapes, "keypoints": shapes, "corners": shapes}),
    st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4),
    st.integers(0, 4),
)
def test_any_record_gives_rows_that_a_trainer_takes(
    task: str, found: dict[str, Any], box: list[float], keypoints: int
) -> None:
    """Numbers from 0 to 1, and a row length that is of the task."""
    detection = json.loads(json.dumps({**CAR, **found, "box": box}))
    form = yolo.form_of_record({"model": {"task": task}, "detections": [detection]})
    form = LabelForm(form.task, keypoints if form.task is Task.POSE else 0)
    text = yolo.rows([detection], [0], width=200, height=100, form=form)

    for row in text.splitlines():
        numbers = [float(each) for each in row.split()[1:]]
        places = numbers[:4] + [n for at, n in enumerate(numbers[4:]) if at % 3 < 2]
        assert all(0 <= n <= 1 for n in (places if form.task is Task.POSE else numbers))
        fits = {
            Task.DETECT: len(numbers) == 4,
            Task.SEGMENT: len(numbers) >= 6 and len(numbers) % 2 == 0,
            Task.POSE: len(numbers) == 4 + 3 * keypoints,
            Task.OBB: len(numbers) == 8,
        }
        assert fits[form.task]


@given(st.sampled_from(list(Task)[:4]), st.integers(0, 1000), st.lists(st.text(), max_size=3))
def test_the_form_is_written_and_read_back(task: Task, count: int, names: list[str]) -> None:
    form = LabelForm(task, count if task is Task.POSE else 0)
    text = yolo.data_yaml(names, form)

    assert (yolo.form_of(text), yolo.names_of(text)) == (form, names)
    assert LabelForm.of_folder(form.folder) == form
