"""A dataset with its reviews: lines first, labels after them, several writers."""

from pathlib import Path
from typing import Any

import pytest

from agent.dataset.folder import Dataset
from agent.dataset.reviewed import ReviewedDataset
from agent.dataset.reviews import review_line, undo_line
from agent.domain import VerdictKind
from agent.files import Disk
from tests.fakes.captures import capture_id, stored_capture
from tests.fakes.clock import WALL

BUS = {"label": "bus", "box": [0.0, 0.0, 8.0, 8.0]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (1, 2):
        made = stored_capture(number)
        Dataset(tmp_path, Disk()).store(made.record_json, made.image)
    return tmp_path


def _line(number: int, kind: str, at: int = 0, **more: Any) -> dict[str, Any]:
    return review_line(capture_id(number), VerdictKind(kind), at=WALL + at, by="ann", **more)


def _rows(folder: Path, number: int) -> list[str]:
    return (folder / "labels" / f"{capture_id(number)}.txt").read_text("utf-8").splitlines()


def test_labels_are_written_by_the_review_and_come_back_by_its_undo(folder: Path) -> None:
    before = _rows(folder, 1)
    dataset = ReviewedDataset(folder, Disk())
    line = _line(1, "wrong", boxes=[BUS])

    assert dataset.add([line]) == 1
    corrected = _rows(folder, 1)
    assert dataset.add([line]) == 0
    dataset.add([undo_line(line, at=WALL + 1)])

    assert len(corrected) == 1
    assert corrected != before
    assert "bus" in (folder / "data.yaml").read_text("utf-8")
    assert _rows(folder, 1) == before
    assert dataset.review(capture_id(1)) is None


def test_another_process_sees_what_was_added(folder: Path) -> None:
    mine, theirs = ReviewedDataset(folder, Disk()), ReviewedDataset(folder, Disk())
    mine.add([_line(1, "right")])
    made = stored_capture(3)
    Dataset(folder, Disk()).store(made.record_json, made.image)

    assert theirs.follow() == {capture_id(1), capture_id(3)}
    assert theirs.follow() == set()
    assert theirs.reviews().keys() == {capture_id(1)}
    assert len(theirs.captures) == 3


def test_nothing_is_added_if_one_line_is_not_valid(folder: Path) -> None:
    dataset = ReviewedDataset(folder, Disk())

    with pytest.raises(ValueError, match="is not in"):
        dataset.add([_line(1, "right"), _line(9, "right")])

    assert dataset.reviews() == {}
    assert not (folder / "verdicts.jsonl").exists()


def test_labels_are_written_after_a_power_cut_between_line_and_labels(folder: Path) -> None:
    dataset = ReviewedDataset(folder, Disk())
    before = _rows(folder, 1)
    dataset.add([_line(1, "wrong", boxes=[BUS])])
    wanted = _rows(folder, 1)
    (folder / "labels" / f"{capture_id(1)}.txt").write_text("\n".join(before), "utf-8")

    ReviewedDataset(folder, Disk()).write_labels()

    assert _rows(folder, 1) == wanted
