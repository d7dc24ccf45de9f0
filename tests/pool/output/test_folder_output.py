"""The output folder follows the newest choice, and never loses what people did in it."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.dataset.captures import read_captures
from agent.dataset.folder import Dataset
from agent.errors import ConfigurationError
from agent.files import Disk
from agent.pool.output.folder import FolderOutput
from agent.pool.output.place import KEPT, ChoiceFile, check_folder
from agent.pool.store.local_place import LocalPlace
from tests.fakes.captures import capture_id, said
from tests.pool.output.chosen_images import output_capture

pytestmark = pytest.mark.usefixtures("without_sync")


def output_at(directory: Path) -> FolderOutput:
    disk = Disk(inside=directory)
    disk.make_directory(directory / KEPT)
    return FolderOutput(Dataset(directory, disk), ChoiceFile(LocalPlace(directory)), disk)


def chosen_in(directory: Path, numbers: Sequence[int], *, value: float = 0.5) -> dict[str, str]:
    """Write a choice; return what could not be stored."""
    output = output_at(directory)
    ids = {capture_id(number) for number in numbers}
    output.begin(ids)
    problems = output.store(
        (output_capture(number, value=value) for number in numbers), lambda _: None
    )
    output.finish(ids)
    return problems


def files_below(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and ".lock" not in path.name
    }


def test_a_second_choice_leaves_what_a_first_one_of_the_same_would(tmp_path: Path) -> None:
    chosen_in(tmp_path / "twice", [1, 2, 3])
    chosen_in(tmp_path / "twice", [2, 3, 4])
    chosen_in(tmp_path / "once", [2, 3, 4])

    assert files_below(tmp_path / "twice") == files_below(tmp_path / "once")


def test_a_review_keeps_its_capture(tmp_path: Path) -> None:
    chosen_in(tmp_path, [1, 2])
    line = {"id": capture_id(1), "at": "2026-01-01T00:00:00Z", "by": "a", "verdict": "right"}
    (tmp_path / "verdicts.jsonl").write_text(json.dumps(line) + "\n")
    before = files_below(tmp_path)

    with pytest.raises(ConfigurationError, match="people have worked on 1 of its images"):
        chosen_in(tmp_path, [2, 3])

    assert files_below(tmp_path) == before


def test_a_label_file_that_was_changed_keeps_its_capture(tmp_path: Path) -> None:
    chosen_in(tmp_path, [1, 2])
    (tmp_path / "labels" / f"{capture_id(1)}.txt").write_text("0 0.5 0.5 0.1 0.1\n")

    with pytest.raises(ConfigurationError, match="--after"):
        chosen_in(tmp_path, [2, 3])


def test_what_a_device_said_of_a_capture_is_no_work_of_people(tmp_path: Path) -> None:
    output = output_at(tmp_path)
    output.begin({capture_id(1)})
    output.store([output_capture(1, verdicts=[said(1)])], lambda _: None)
    output.finish({capture_id(1)})

    chosen_in(tmp_path, [2])

    assert set(read_captures(tmp_path)) == {capture_id(2)}


def test_captures_that_came_from_elsewhere_stay(tmp_path: Path) -> None:
    chosen_in(tmp_path, [1])
    other = output_capture(9)
    Dataset(tmp_path, Disk()).store(other.record, other.image)

    chosen_in(tmp_path, [2])

    assert set(read_captures(tmp_path)) == {capture_id(2), capture_id(9)}


@pytest.mark.parametrize("stored", range(4))
def test_a_choice_that_was_cut_off_is_forgotten_by_the_next_one(
    tmp_path: Path, stored: int
) -> None:
    """A kill leaves some captures of the choice; the next call knows that they are its own."""
    output = output_at(tmp_path / "cut")
    output.begin({capture_id(number) for number in (1, 2, 3)})
    output.store((output_capture(number) for number in (1, 2, 3)[:stored]), lambda _: None)

    chosen_in(tmp_path / "cut", [3, 4])
    chosen_in(tmp_path / "whole", [3, 4])

    assert files_below(tmp_path / "cut") == files_below(tmp_path / "whole")


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")

    with pytest.raises(ConfigurationError, match="it is not empty"):
        check_folder(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"x")

    with pytest.raises(ConfigurationError, match="Not a directory"):
        check_folder(tmp_path / "out")
