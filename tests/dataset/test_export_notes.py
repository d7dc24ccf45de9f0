"""What an export says of small datasets, and of reviews that other programs wrote."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.dataset.exported import dataset, timed
from tests.fakes.captures import capture_id
from tests.in_process import call_here

pytestmark = pytest.mark.usefixtures("without_sync")


def export(directory: Path, out: Path, *words: str) -> Any:
    return call_here("dataset", "export", directory, "--out", out, *words)


def write_lines(folder: Path, *lines: dict[str, Any]) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "verdicts.jsonl").write_text(text, "utf-8")


WRONG = {"at": "2026-07-01T10:00:00Z", "verdict": "wrong"}
FIRST, SECOND = {"id": capture_id(0), **WRONG}, {"id": capture_id(1), **WRONG}


def test_an_export_without_validation_says_which_options_give_some(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "clip", [timed(n, n * 2.0) for n in range(14)])

    told = export(folder, tmp_path / "whole").stderr
    advice = re.search(r"use (--block \S+) (--gap \S+)", told.replace("ms", "ms "))
    assert "val is empty: all 14 frames are in one block of time of one camera, 26 s" in told
    assert advice

    words = " ".join(advice.groups()).split()
    done = export(folder, tmp_path / "split", *words)
    assert "is empty: all" not in done.stderr
    made = json.loads((tmp_path / "split/dataset.json").read_text())["splits"]
    assert made["train"]["captures"] > made["val"]["captures"] > 0


@pytest.mark.parametrize(("count", "why"), [(1, "has 1 to choose from"), (2, "1.0 s long")])
def test_too_few_captures_to_split_are_not_told_to_use_shorter_blocks(
    tmp_path: Path, count: int, why: str
) -> None:
    folder = dataset(tmp_path / "clip", [timed(n, n * 1.0) for n in range(count)])

    told = export(folder, tmp_path / "out").stderr

    assert f"val is empty: {'it' if count == 1 else 'all'}" in told
    assert why in told
    assert "--block" not in told


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"boxes": [[9, 9, 5, 5]], "labels": ["car"]}, "must have its `x_max` right of"),
        ({"boxes": [[1, 1, 5, 5]], "labels": ["car", "bus"]}, "one label for each of `boxes`"),
        ({"boxes": [], "at": "2026-07-01T10:00:00"}, "such as 2026-01-31T12:00:00Z"),
    ],
)
@pytest.mark.parametrize("command", ["export", "merge"])
def test_a_review_that_cannot_count_is_named(
    tmp_path: Path, command: str, more: dict[str, Any], why: str
) -> None:
    """In silence, the labels would be the model's although a person had corrected them."""
    folder = dataset(tmp_path / "clip", [timed(n, n * 2.0) for n in range(2)])
    write_lines(folder, {**FIRST, "boxes": []}, {**SECOND, **more})

    told = call_here("dataset", command, folder, "--out", tmp_path / "out").stderr

    assert f"line 2 of {folder}/verdicts.jsonl: " in told
    assert why in told


def test_labels_that_do_not_follow_a_review_yet_were_not_changed_by_hand(tmp_path: Path) -> None:
    """An import of them would say that the model was right where a person corrected it."""
    folder = dataset(tmp_path / "clip", [timed(n, n * 2.0) for n in range(2)])
    write_lines(folder, {**FIRST, "boxes": [[1, 1, 50, 50]], "labels": ["bus"]})

    told = export(folder, tmp_path / "out").stderr

    assert "by hand" not in told


@pytest.mark.parametrize(
    "text",
    [
        "names: [person, bus, car]\nnc: 3\ntrain: images\nval: images\n",
        "names:\n- person\n- bus\n- car\npath: /somewhere/else\n",
        "names:\n  0: person\n  1: bus\n  2: car\n",
    ],
)
def test_a_class_list_that_another_program_wrote_is_read(tmp_path: Path, text: str) -> None:
    folder = dataset(tmp_path / "clip", [timed(n, n * 700.0) for n in range(4)])
    (folder / "data.yaml").write_text(text)

    done = export(folder, tmp_path / "out")

    assert done.returncode == 0, done.stderr
    assert '  2: "car"' in (tmp_path / "out/data.yaml").read_text()
    rows = [path.read_text() for path in (tmp_path / "out").rglob("labels/*/*.txt")]
    assert len(rows) == 4
    assert all(row.startswith("2 ") for row in rows)


@pytest.mark.parametrize("names", ["[person, person]", "{0: a, 2: b}", "car", "[[car]]", "{a: 0}"])
def test_a_class_list_that_is_not_clear_is_refused(tmp_path: Path, names: str) -> None:
    folder = dataset(tmp_path / "clip", [timed(n, n * 700.0) for n in range(2)])
    (folder / "data.yaml").write_text(f"names: {names}\n")

    done = export(folder, tmp_path / "out")

    assert done.returncode == 78
    assert f"{folder}/data.yaml is not as written here: its `names`" in done.stderr
