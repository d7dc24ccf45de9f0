"""Merging dataset folders: nothing is lost, no class is swapped, and it can be repeated."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.dataset import merge as merging
from agent.dataset.folder import Dataset
from agent.dataset.merge import merge
from agent.dataset.reviewed import ReviewedDataset
from agent.dataset.reviews import review_line, undo_line
from agent.dataset.yolo import names_of
from agent.domain import StoredCapture, VerdictKind
from agent.errors import ConfigurationError
from agent.files import Disk
from tests import ROOT
from tests.dataset.exported import spoil
from tests.fakes.captures import (
    CAR,
    capture_id,
    classified,
    said,
    stored_capture,
    with_clip,
)
from tests.fakes.clock import WALL
from tests.in_process import call_here

pytestmark = pytest.mark.usefixtures("without_sync")

LEFT, RIGHT = [0.0, 0.0, 20.0, 20.0], [100.0, 50.0, 140.0, 90.0]


def of_model(labels: list[str], number: int, *seen: str, **more: Any) -> StoredCapture:
    """A capture of a model with these classes, which saw objects of some of them."""
    detections = [
        {"label": name, "class_id": labels.index(name), "confidence": 0.9, "box": LEFT}
        for name in seen
    ]
    model = {"name": "m", "sha256": "ab", "task": "detect", "provider": "cpu", "labels": labels}
    return stored_capture(number, model={**model, **more}, detections=detections)


def dataset(folder: Path, *captures: StoredCapture) -> Path:
    stored = Dataset(folder, Disk())
    for each in captures:
        stored.store(each.record_json, each.image, each.clip)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder that is not a lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def labelled(folder: Path, number: int) -> list[str]:
    """The names of the classes of a label file, by the class list beside it."""
    names = names_of((folder / "data.yaml").read_text())
    rows = (folder / f"labels/{capture_id(number)}.txt").read_text().splitlines()
    return [names[int(row.split()[0])] for row in rows]


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Folders of two devices whose models have the same classes in another order."""
    gate = dataset(
        tmp_path / "gate",
        of_model(["car", "person"], 1, "car"),
        of_model(["car", "person"], 2, "person", "car"),
    )
    door = dataset(
        tmp_path / "door",
        of_model(["person", "car"], 3, "car"),
        of_model(["person", "car"], 4, "person", "car"),
    )
    return gate, door


def test_classes_in_another_order_keep_their_names(two: tuple[Path, Path], tmp_path: Path) -> None:
    """The label files of both folders say 0 for another class."""
    merged = merge(two, tmp_path / "all", Disk())

    assert merged.added == 4
    assert merged.problems == []
    assert names_of((tmp_path / "all/data.yaml").read_text()) == ["car", "person"]
    assert [labelled(tmp_path / "all", n) for n in (1, 2, 3, 4)] == [
        ["car"],
        ["person", "car"],
        ["car"],
        ["person", "car"],
    ]
    assert merged.renumbered == {str(two[0]): {}, str(two[1]): {"person": (0, 1), "car": (1, 0)}}


def test_folders_of_one_model_keep_its_numbers(tmp_path: Path) -> None:
    """A label that only a person used gets a number behind the model's."""
    labels = ["car", "person", "dog"]
    gate = dataset(tmp_path / "gate", of_model(labels, 1, "dog"))
    reviewed = ReviewedDataset(gate, Disk())
    reviewed.add([line(1, boxes=[{"label": "van", "box": RIGHT}])])
    door = dataset(tmp_path / "door", of_model(labels, 2, "person"))

    merged = merge([door, gate], tmp_path / "all", Disk())

    assert names_of((tmp_path / "all/data.yaml").read_text()) == [*labels, "van"]
    assert labelled(tmp_path / "all", 1) == ["van"]
    assert set(map(len, merged.renumbered.values())) == {0}


def line(number: int, kind: VerdictKind = VerdictKind.WRONG, **more: Any) -> dict[str, Any]:
    return review_line(capture_id(number), kind, by="ann", **{"at": WALL, **more})


def test_corrected_labels_stay_corrected_and_facts_are_there_once(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    gate, door = two
    first = line(1, boxes=[{"label": "person", "box": RIGHT}])
    again = line(1, VerdictKind.RIGHT, at=WALL + 5)
    ReviewedDataset(gate, Disk()).add([first, again, undo_line(again, at=WALL + 9)])
    ReviewedDataset(door, Disk()).add([line(4, boxes=[])])
    shutil.copytree(gate, tmp_path / "copy")

    merged = merge([gate, door, tmp_path / "copy"], tmp_path / "all", Disk())

    assert merged.added == 4
    assert merged.known == 0
    assert labelled(tmp_path / "all", 1) == ["person"]
    assert labelled(tmp_path / "all", 4) == []
    lines = (tmp_path / "all/verdicts.jsonl").read_bytes().splitlines()
    assert sorted(lines) == sorted(
        b"".join((each / "verdicts.jsonl").read_bytes() for each in two).splitlines()
    )
    assert ReviewedDataset(tmp_path / "all", Disk()).review(capture_id(1)) is not None


def test_a_dataset_is_extended_and_keeps_its_numbers_and_reviews(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    gate, door = two
    ReviewedDataset(gate, Disk()).add([line(2, boxes=[{"label": "car", "box": RIGHT}])])

    merged = merge([gate, door], gate, Disk())

    assert (merged.added, merged.known) == (2, 0)
    assert labelled(gate, 2) == ["car"]
    assert labelled(gate, 4) == ["person", "car"]
    assert merge([door], gate, Disk()).known == 2


def test_clips_verdicts_other_tasks_and_classifiers_come_along(tmp_path: Path) -> None:
    outline = {**CAR, "polygon": [[10, 20], [110, 20], [60, 70]]}
    segments = stored_capture(
        2, model={"name": "s", "task": "segment"}, detections=[outline], verdicts=[said(2)]
    )
    gate = dataset(tmp_path / "gate", with_clip(1, b"\xff\xd8a\xff\xd9", b"\xff\xd8b\xff\xd9"))
    door = dataset(tmp_path / "door", segments)
    pets = dataset(tmp_path / "pets", classified(3, ("cat", 0.9)), classified(4, ("dog", 0.2)))
    ReviewedDataset(pets, Disk()).add([line(4, labels=["dog"])])

    merge([gate, door, pets], tmp_path / "all", Disk())

    found, clip = content(tmp_path / "all"), f"clips/{capture_id(1)}"
    assert found[f"{clip}/002.jpg"] == b"\xff\xd8b\xff\xd9"
    assert found[f"{clip}/times.json"] == (gate / clip / "times.json").read_bytes()
    assert f"segment/labels/{capture_id(2)}.txt" in found
    assert found["verdicts.jsonl"].count(b"\n") == 2
    assert {name for name in found if name.startswith("classes/")} == {
        f"classes/cat/{capture_id(3)}.jpg",
        f"classes/dog/{capture_id(4)}.jpg",
    }
    assert str(tmp_path).encode() not in b"".join(found.values())


def test_merging_again_changes_nothing(two: tuple[Path, Path], tmp_path: Path) -> None:
    merge(two, tmp_path / "all", Disk())
    before = content(tmp_path / "all")

    again = merge(two, tmp_path / "all", Disk())

    assert (again.added, again.known, again.lines) == (0, 4, 0)
    assert content(tmp_path / "all") == before


def test_an_id_with_two_images_is_refused_before_anything_is_written(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    other = dataset(tmp_path / "other", stored_capture(1, b"\xff\xd8 other \xff\xd9"))

    with pytest.raises(ConfigurationError) as refused:
        merge([two[0], other], tmp_path / "all", Disk())

    assert all(part in str(refused.value) for part in (capture_id(1), str(two[0]), str(other)))
    assert not (tmp_path / "all").exists()


def test_a_damaged_image_is_left_out_and_told(two: tuple[Path, Path], tmp_path: Path) -> None:
    spoil(two[0] / f"images/{capture_id(1)}.jpg", "other")

    done = call_here("dataset", "merge", *two, "--out", tmp_path / "all")

    assert done.returncode == 78
    assert "3 captures are new" in done.stdout
    assert capture_id(1) in done.stderr
    assert not (tmp_path / f"all/records/{capture_id(1)}.json").exists()


def test_a_whole_copy_replaces_a_damaged_one(two: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(two[0], tmp_path / "copy")
    spoil(two[0] / f"images/{capture_id(1)}.jpg", "truncated")

    merged = merge([two[0], tmp_path / "copy"], tmp_path / "all", Disk())

    assert merged.added == 2
    assert merged.problems == []


def inside(two: tuple[Path, Path]) -> Path:
    return two[0] / "all"


def around(two: tuple[Path, Path]) -> Path:
    return two[0].parent


def of_others(two: tuple[Path, Path]) -> Path:
    (two[0].parent / "photos").mkdir()
    (two[0].parent / "photos/holiday.jpg").write_bytes(b"x")
    return two[0].parent / "photos"


def a_file(two: tuple[Path, Path]) -> Path:
    (two[0].parent / "file").write_bytes(b"x")
    return two[0].parent / "file"


@pytest.mark.parametrize("out", [inside, around, of_others, a_file])
def test_folders_that_cannot_be_the_result_are_refused(
    out: Callable[[tuple[Path, Path]], Path], two: tuple[Path, Path]
) -> None:
    target = out(two)
    before = content(two[0].parent)

    done = call_here("dataset", "merge", *map(str, two), "--out", str(target))

    assert done.returncode == 78
    assert "cannot merge" in done.stderr
    assert content(two[0].parent) == before


def test_all_wrong_folders_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = call_here(
        "dataset", "merge", str(tmp_path / "no"), str(tmp_path / "empty"), "--out", "all"
    )

    assert done.returncode == 78
    assert done.stderr.count("cannot merge") == 2


KILLED = """
import os, sys
from pathlib import Path
from agent.dataset.merge import merge
from agent.files import Disk

class DyingDisk(Disk):
    left = int(sys.argv[1])
    def _replaced(self, path):
        DyingDisk.left -= 1
        if DyingDisk.left < 0:
            os.kill(os.getpid(), 9)
        return super()._replaced(path)

merge([Path(each) for each in sys.argv[3:]], Path(sys.argv[2]), DyingDisk())
"""


@pytest.mark.slow
@pytest.mark.parametrize("writes", [0, 1, 4, 9, 13])
def test_a_killed_merge_is_completed_by_the_next(
    writes: int, two: tuple[Path, Path], tmp_path: Path
) -> None:
    ReviewedDataset(two[0], Disk()).add([line(1, boxes=[{"label": "person", "box": RIGHT}])])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(writes), str(tmp_path / "all"), *map(str, two)],
        check=False,
        cwd=ROOT,
    )
    assert killed.returncode == -signal.SIGKILL

    merge(two, tmp_path / "all", Disk())
    merge(two, tmp_path / "whole", Disk())

    assert content(tmp_path / "all") == content(tmp_path / "whole")


def test_a_full_disk_is_told_and_the_next_merge_completes_it(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Iterator[int]:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Disk, "append", full)
        patch.setattr(Disk, "write", full)
        done = call_here("dataset", "merge", *map(str, two), "--out", str(tmp_path / "all"))

    assert done.returncode == 75
    assert "No space left on device" in done.stderr
    assert merge(two, tmp_path / "all", Disk()).added == 4


def test_the_planted_bug_of_copied_label_files_is_found(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merge that copied `labels/` as they are would swap the classes of the second folder."""

    def copy_labels(dataset: Dataset, *more: Any) -> None:
        original(dataset, *more)
        for each in two:
            shutil.copytree(each / "labels", dataset.directory / "labels", dirs_exist_ok=True)

    original = merging._copy
    monkeypatch.setattr(merging, "_copy", copy_labels)
    merge(two, tmp_path / "all", Disk())

    assert labelled(tmp_path / "all", 3) == ["person"]


def test_json_of_the_command(two: tuple[Path, Path], tmp_path: Path) -> None:
    done = call_here("dataset", "merge", *map(str, two), "--out", str(tmp_path / "all"), "--json")

    made = json.loads(done.stdout)
    assert done.returncode == 0
    assert (made["captures_added"], made["captures_known"], made["lines_added"]) == (4, 0, 0)
    assert made["renumbered"][str(two[1])] == {"person": [0, 1], "car": [1, 0]}


def test_a_folder_that_is_named_twice_is_merged_once(tmp_path: Path) -> None:
    first = dataset(tmp_path / "first", stored_capture(1))
    (first / "verdicts.jsonl").write_text("no JSON\n")

    merged = merge([first, first / ".." / "first"], tmp_path / "out", Disk())

    assert (merged.added, len(merged.problems)) == (1, 1)
