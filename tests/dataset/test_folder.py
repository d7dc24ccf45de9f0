"""The dataset folder: numbers by hand, order on the disk, and what must not get in."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dataset import class_list, yolo
from agent.dataset.folder import Dataset
from agent.dataset.yolo import names_of
from agent.errors import DamagedDataset, UnfitCapture
from agent.files import Disk
from tests.fakes.captures import (
    CAR,
    capture_id,
    classified,
    of_first_schema,
    record_of,
    stored_capture,
    with_clip,
)
from tests.fakes.disk.real import OrderedDisk, RefusingDisk

PERSON = {"label": "person", "class_id": 0, "confidence": 0.8, "box": [-50.0, 0.0, 50.0, 100.0]}

UNNUMBERED = {"confidence": 0.8, "box": [0.0, 0.0, 50.0, 100.0]}

DISK_FULL = OSError(28, "No space left on device")


def store(dataset: Dataset, number: int, **changes: Any) -> bool:
    made = stored_capture(number, **changes)
    return dataset.store(made.record_json, made.image)


def test_a_stored_capture_is_three_files_with_the_bytes_as_sent(tmp_path: Path) -> None:
    dataset, made = Dataset(tmp_path / "set", Disk()), stored_capture(1)

    assert dataset.store(made.record_json, made.image) is True
    assert dataset.store(made.record_json, made.image) is False
    assert (tmp_path / f"set/images/{made.id}.jpg").read_bytes() == made.image
    assert (tmp_path / f"set/records/{made.id}.json").read_bytes() == made.record_json
    assert dataset.count() == 1


def test_a_record_of_an_older_version_is_stored_and_labelled_alike(tmp_path: Path) -> None:
    older, newer = of_first_schema(1), stored_capture(2)
    dataset = Dataset(tmp_path, Disk())

    for made in (older, newer):
        assert dataset.store(made.record_json, made.image) is True

    labels = [(tmp_path / f"labels/{made.id}.txt").read_text() for made in (older, newer)]
    assert labels[0] == labels[1] != ""
    assert (tmp_path / f"records/{older.id}.json").read_bytes() == older.record_json


def test_labels_by_hand(tmp_path: Path) -> None:
    """200 x 100 pixels; the car spans 10..110 and 20..70, the person is cut at the left edge."""
    faint = {**PERSON, "confidence": 0.79}
    store(Dataset(tmp_path, Disk()), 1, detections=[CAR, PERSON, faint])

    assert (tmp_path / f"labels/{capture_id(1)}.txt").read_text() == (
        "2 0.300000 0.450000 0.500000 0.500000\n0 0.125000 0.500000 0.250000 1.000000\n"
    )
    assert (tmp_path / "data.yaml").read_text().splitlines()[2:] == [
        "train: images",
        "val: images",
        "names:",
        '  0: "person"',
        '  1: "class 1"',
        '  2: "car"',
    ]


@pytest.mark.parametrize(
    ("box", "row"),
    [
        ([0, 0, 200, 100], "0 0.500000 0.500000 1.000000 1.000000\n"),
        ([0.0, 0.0, 1.0, 1.0], "0 0.002500 0.005000 0.005000 0.010000\n"),
        ([150, 50, 400, 400], "0 0.875000 0.750000 0.250000 0.500000\n"),
        ([200, 0, 250, 50], ""),
        ([50, 50, 50, 60], ""),
        ([60, 50, 50, 60], ""),
    ],
)
def test_boxes_become_shares_of_the_image(box: list[float], row: str) -> None:
    assert yolo.rows([{**CAR, "box": box}], [0], width=200, height=100) == row


def test_a_frame_without_confident_detections_has_an_empty_label_file(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path, Disk())
    store(dataset, 1, detections=[])
    store(dataset, 2, detections=[{**CAR, "confidence": 0.49}])

    assert [(tmp_path / f"labels/{capture_id(n)}.txt").read_text() for n in (1, 2)] == ["", ""]
    assert "names: {}" in (tmp_path / "data.yaml").read_text()


@pytest.mark.parametrize(
    ("classes", "folder"),
    [
        ([("cat", 0.9), ("dog", 0.1)], "classes/cat"),
        ([("grey cat", 0.5)], "classes/grey cat"),
        ([("cat", 0.4), ("dog", 0.35)], "unclassified"),
        ([("person", 0.7)], "unclassified"),  # whose threshold is 0.8
        ([], "unclassified"),
        ([("../../etc", 0.9)], "classes/%2E.%2F..%2Fetc"),
        ([("..", 0.9)], "classes/%2E%2E"),
        ([("a/b:100%.", 0.9)], "classes/a%2Fb%3A100%25%2E"),
        ([("", 0.9)], "classes/%"),
        ([("Käfer", 0.9)], "classes/Käfer"),
    ],
)
def test_a_classification_lies_in_the_folder_of_its_class(
    classes: list[tuple[str, float]], folder: str, tmp_path: Path
) -> None:
    made = classified(1, *classes)
    Dataset(tmp_path / "set", Disk()).store(made.record_json, made.image)

    found = {path.relative_to(tmp_path / "set") for path in (tmp_path / "set").rglob("*.jpg")}
    assert found == {Path("images") / f"{made.id}.jpg", Path(folder) / f"{made.id}.jpg"}
    assert (tmp_path / "set" / folder / f"{made.id}.jpg").read_bytes() == made.image
    assert list((tmp_path / "set" / "labels").iterdir()) == []
    assert not (tmp_path / "etc").exists()


def test_the_class_is_durable_before_the_record(tmp_path: Path) -> None:
    disk = OrderedDisk()
    made = classified(1, ("cat", 0.9))
    Dataset(tmp_path, disk).store(made.record_json, made.image)

    assert disk.log.index("cat/") < disk.log.index(f"{made.id}.json")


@pytest.mark.parametrize(
    "classes",
    ["cat", [{"label": 1, "confidence": 0.9}], [{"label": "x" * 300, "confidence": 0.9}]],
)
def test_classes_that_are_none_are_refused(classes: object, tmp_path: Path) -> None:
    record = record_of(1, b"x", classes=classes)
    del record["detections"]

    with pytest.raises(UnfitCapture, match="cannot store"):
        Dataset(tmp_path, Disk()).store(json.dumps(record).encode(), b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_label_keeps_its_number_over_restarts(tmp_path: Path) -> None:
    store(Dataset(tmp_path, Disk()), 1, detections=[CAR])
    store(Dataset(tmp_path, Disk()), 2, detections=[PERSON])
    store(Dataset(tmp_path, Disk()), 3, detections=[{**CAR, "label": "bus"}, PERSON, CAR])

    rows = (tmp_path / f"labels/{capture_id(3)}.txt").read_text().splitlines()
    assert [row.split()[0] for row in rows] == ["3", "0", "2"]


@given(st.lists(st.text(), unique=True, max_size=8))
def test_any_names_are_written_and_read_back(names: list[str]) -> None:
    text = yolo.data_yaml(names)

    assert (
        yolo.names_of(text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass"))
        == names
    )
    assert text.count("\n") == 5 + len(names)
    assert all(c.isprintable() or ord(c) > 0xFFFF for c in text.replace("\n", ""))


@pytest.mark.parametrize(
    "text", ["", "names: [bus]\n", 'names:\n  1: "car"\n', "names:\n  0: bus\n", "names:\n- x\n"]
)
def test_names_that_are_not_ours_are_never_guessed(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DamagedDataset, match=r"data\.yaml is not as written here"):
        store(Dataset(tmp_path, Disk()), 1)

    assert (tmp_path / "data.yaml").read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "names: [person, bus, car]\nnc: 3\n",
        "names:\n- person\n- bus\n- 'car'\ntrain: images\n",
        "names:\n  0: person\n  1: bus\n  2: car\n",
    ],
)
def test_names_that_another_program_wrote_are_read_where_none_is_missing(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "data.yaml").write_text(text)

    store(Dataset(tmp_path, Disk()), 1, detections=[CAR])

    assert (tmp_path / f"labels/{capture_id(1)}.txt").read_text().startswith("2 ")
    assert (tmp_path / "data.yaml").read_text() == text
    with pytest.raises(DamagedDataset, match=r"not as written here, so .* it lacks truck"):
        store(Dataset(tmp_path, Disk()), 2, detections=[{**CAR, "label": "truck", "class_id": 3}])
    assert (tmp_path / "data.yaml").read_text() == text


def test_labels_without_their_names_stop_the_dataset(tmp_path: Path) -> None:
    store(Dataset(tmp_path, Disk()), 1)
    (tmp_path / "data.yaml").unlink()
    with pytest.raises(DamagedDataset, match=r"data\.yaml is missing"):
        store(Dataset(tmp_path, Disk()), 2)


def test_the_record_comes_last_and_each_step_is_durable_before_the_next(tmp_path: Path) -> None:
    disk = OrderedDisk()
    store(Dataset(tmp_path, disk), 1)
    one = capture_id(1)
    steps = [f"{one}.jpg", "images/", f"{one}.txt", "labels/", f"{one}.json", "records/"]

    assert disk.log[-6:] == steps
    assert disk.log.index("data.yaml") < disk.log.index(f"{one}.txt")


def test_a_duplicate_is_made_durable_before_it_is_confirmed(tmp_path: Path) -> None:
    store(Dataset(tmp_path, Disk()), 1)
    disk = OrderedDisk()

    assert store(Dataset(tmp_path, disk), 1) is False
    assert disk.log == ["records/"]


@pytest.mark.parametrize("stop_at", [".jpg", ".txt", ".json", "data.yaml"])
def test_a_capture_cut_short_is_stored_by_storing_it_again(tmp_path: Path, stop_at: str) -> None:
    dataset = Dataset(tmp_path, RefusingDisk(DISK_FULL, suffix=stop_at))
    with pytest.raises(OSError, match="No space"):
        store(dataset, 1)

    assert dataset.count() == 0
    assert store(Dataset(tmp_path, Disk()), 1) is True
    assert len(list(tmp_path.rglob("[!.]*.*"))) == 4


JPEGS = (b"\xff\xd8 before \xff\xd9", b"\xff\xd8 at it \xff\xd9")


def test_a_clip_is_a_folder_of_frames_with_their_times(tmp_path: Path) -> None:
    dataset, made = Dataset(tmp_path, Disk()), with_clip(1, *JPEGS)

    assert dataset.store(made.record_json, made.image, made.clip) is True
    assert dataset.store(made.record_json, made.image, made.clip) is False
    clip = tmp_path / "clips" / made.id
    times = json.loads((clip / "times.json").read_bytes())
    assert times == {"frames": [{"file": "001.jpg", "at": -0.2}, {"file": "002.jpg", "at": 0.0}]}
    assert [(clip / row["file"]).read_bytes() for row in times["frames"]] == list(JPEGS)


@pytest.mark.parametrize("stop_at", ["001.jpg", "002.jpg", "times.json", f"{capture_id(1)}.json"])
def test_a_clip_cut_short_is_stored_by_storing_it_again(tmp_path: Path, stop_at: str) -> None:
    made = with_clip(1, *JPEGS)
    dataset = Dataset(tmp_path, RefusingDisk(DISK_FULL, suffix=stop_at))
    with pytest.raises(OSError, match="No space"):
        dataset.store(made.record_json, made.image, made.clip)

    assert dataset.count() == 0
    assert Dataset(tmp_path, Disk()).store(made.record_json, made.image, made.clip) is True
    assert len(list((tmp_path / "clips" / made.id).iterdir())) == 3


def test_a_clip_that_is_missing_beside_its_record_is_written_before_a_duplicate_is_confirmed(
    tmp_path: Path,
) -> None:
    """A receiver of an older version stored the record and ignored the clip."""
    dataset, made = Dataset(tmp_path, Disk()), with_clip(1, *JPEGS)
    dataset.store(made.record_json, made.image, made.clip)
    clip = tmp_path / "clips" / made.id
    for file in list(clip.iterdir()):
        file.unlink()

    assert dataset.store(made.record_json, made.image, made.clip) is False
    assert len(list(clip.iterdir())) == 3


def test_another_clip_never_replaces_the_first(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path, Disk())
    first, second = with_clip(1, *JPEGS), with_clip(1, JPEGS[0])
    dataset.store(first.record_json, first.image, first.clip)

    with pytest.raises(UnfitCapture, match="another clip"):
        dataset.store(second.record_json, second.image, second.clip)


def test_a_damaged_record_is_no_commit_mark(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path, Disk())
    store(dataset, 1)
    record = tmp_path / f"records/{capture_id(1)}.json"
    record.write_bytes(b'{"half": ')

    assert store(dataset, 1) is True
    assert json.loads(record.read_bytes())["id"] == capture_id(1)


def test_another_image_never_replaces_the_first(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path, Disk())
    first, second = stored_capture(1, b"first"), stored_capture(1, b"second")
    dataset.store(first.record_json, first.image)
    with pytest.raises(UnfitCapture, match="another image has this id"):
        dataset.store(second.record_json, second.image)

    assert (tmp_path / f"images/{first.id}.jpg").read_bytes() == b"first"


IMAGE = b"\xff\xd8 image 1 \xff\xd9"


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "../../etc/passwd"},
        {"id": capture_id(1) + "/../x"},
        {"id": "01900000000070008000000000000001"},
        {"id": "{01900000-0000-7000-8000-000000000001}"},
        {"id": "0190ABCD-0000-7000-8000-000000000001"},
        {"id": "urn:uuid:" + capture_id(1)},
        {"id": ""},
        {"id": 7},
        {"id": None},
        {"image": None},
        {"image": {"sha256": "00" * 32, "width": 1, "height": 1}},
        {"image": {**record_of(1, IMAGE)["image"], "bytes": 3}},
        {"image": {**record_of(1, IMAGE)["image"], "width": 0}},
        {"image": {**record_of(1, IMAGE)["image"], "height": "100"}},
        {"image": {**record_of(1, IMAGE)["image"], "media_type": "image/png"}},
        {"detections": {}},
        {"detections": [7]},
        {"detections": [{**CAR, "label": None}]},
        {"detections": [{**CAR, "confidence": "high"}]},
        {"detections": [{**CAR, "box": [1, 2, 3]}]},
        {"detections": [{**CAR, "box": [1, 2, 3, float("nan")]}]},
        {"thresholds": []},
        {"thresholds": {"default": 0.5, "labels": []}},
        {"thresholds": {"default": None}},
    ],
)
def test_what_contradicts_itself_is_refused_and_leaves_nothing(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    record = record_of(1, IMAGE) | changes
    with pytest.raises(UnfitCapture):
        Dataset(tmp_path / "set", Disk()).store(json.dumps(record).encode(), IMAGE)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000])
def test_a_record_must_be_an_object(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(UnfitCapture):
        Dataset(tmp_path, Disk()).store(text, b"x")


def test_many_threads_store_each_capture_once_and_agree_on_the_names(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path, Disk())
    numbers = [n % 12 for n in range(48)]
    with ThreadPoolExecutor(8) as pool:
        new = pool.map(
            lambda n: store(dataset, n, detections=[{"label": f"kind {n % 5}", **UNNUMBERED}]),
            numbers,
        )
        assert sum(new) == 12

    names = yolo.names_of((tmp_path / "data.yaml").read_text())
    assert sorted(names) == [f"kind {n}" for n in range(5)]
    for n in range(12):
        row = (tmp_path / f"labels/{capture_id(n)}.txt").read_text()
        assert names[int(row.split()[0])] == f"kind {n % 5}"


def test_two_writers_of_one_folder_number_their_classes_by_name(tmp_path: Path) -> None:
    """Two devices with other models on one share: no number ever means two labels."""
    writers = [Dataset(tmp_path, Disk()) for _ in range(2)]
    labels = {0: ["car", "dog", "bus"], 1: ["person", "car", "cat"]}
    for round_number in range(3):
        for writer, names in labels.items():
            number = 10 * writer + round_number
            box = {**CAR, "label": names[round_number], "class_id": round_number}
            made = stored_capture(number, str(number).encode(), detections=[box])
            writers[writer].store(made.record_json, made.image)

    names = names_of((tmp_path / "data.yaml").read_text())
    for writer, of_model in labels.items():
        for round_number, label in enumerate(of_model):
            identity = capture_id(10 * writer + round_number)
            row = (tmp_path / f"labels/{identity}.txt").read_text()
            assert names[int(row.split()[0])] == label
    assert len(names) == len(set(names))


@pytest.mark.usefixtures("patient_locks")
def test_writers_at_the_same_time_lose_no_name(tmp_path: Path) -> None:
    writers = [Dataset(tmp_path, Disk()) for _ in range(4)]

    def write(number: int) -> None:
        box = {**CAR, "label": f"label {number}", "class_id": number % 5}
        made = stored_capture(number, str(number).encode(), detections=[box])
        writers[number % 4].store(made.record_json, made.image)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))

    names = names_of((tmp_path / "data.yaml").read_text())
    for number in range(40):
        row = (tmp_path / f"labels/{capture_id(number)}.txt").read_text()
        assert names[int(row.split()[0])] == f"label {number}"


def test_a_writer_that_holds_the_names_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_list, "_LOCK_WAIT_S", 0.1)
    dataset = Dataset(tmp_path, Disk())
    with (
        Disk().locked(tmp_path / ".data.yaml.lock", seconds=1.0),
        pytest.raises(BlockingIOError),
    ):
        store(dataset, 1)

    assert store(dataset, 1) is True
