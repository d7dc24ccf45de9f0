"""`capture-agent dataset health`: its options, files, messages and exit codes."""

import json
from pathlib import Path

import pytest

from tests.dataset.health.folders import captured, drawn
from tests.in_process import call_here


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    for number in range(3):
        captured(folder, number, drawn(number), [("car", (0, 0, 50, 50))])
    return folder


def test_a_check_writes_page_and_json_beside_the_data(dataset: Path) -> None:
    done = call_here("dataset", "health", dataset)

    assert done.returncode == 0
    assert "class car: 3 objects in 3 images, target 100" in done.stdout
    assert f"Open {dataset}/health/index.html" in done.stdout.replace("\n", "")
    assert {path.name for path in (dataset / "health").iterdir()} == {
        "health.json", "index.html", "measured.json", "thumbnails",
    }  # fmt: skip


def test_a_page_of_one_file_leaves_nothing_else(dataset: Path, tmp_path: Path) -> None:
    done = call_here("dataset", "health", dataset, "--report", tmp_path / "new" / "page.html")

    assert done.returncode == 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["page.html"]
    assert not (dataset / "health").exists()


def test_json_alone_is_printed_and_nothing_written(dataset: Path) -> None:
    done = call_here("dataset", "health", dataset, "--json", "--target", "5", "--target", "car=2")

    report = json.loads(done.stdout)
    assert [(each["label"], each["target"]) for each in report["classes"]] == [("car", 2)]
    assert not (dataset / "health").exists()


def test_all_wrong_targets_are_named_at_once(dataset: Path) -> None:
    done = call_here("dataset", "health", dataset, "--target", "-1", "--target", "car=many")

    assert done.returncode == 78
    assert "cannot use --target -1" in done.stderr
    assert "cannot use --target car=many" in done.stderr


def test_a_time_zone_that_is_unknown_is_refused(dataset: Path) -> None:
    for zone in ("Mars/Base", "../../etc/passwd", ""):
        done = call_here("dataset", "health", dataset, "--timezone", zone)

        assert done.returncode == 78
        assert "cannot use --timezone" in done.stderr


def test_a_folder_that_cannot_be_written_is_named(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    done = call_here("dataset", "health", dataset, "--out", tmp_path / "file" / "out")

    assert done.returncode in {75, 78}
    assert "file" in done.stderr


def test_no_dataset_ends_with_the_reason(tmp_path: Path) -> None:
    done = call_here("dataset", "health", tmp_path / "missing")

    assert done.returncode == 78
    assert "it is no folder" in done.stderr


def test_a_file_that_is_no_page_is_never_replaced(dataset: Path) -> None:
    reviews = dataset / "verdicts.jsonl"
    reviews.write_bytes(before := b'{"id": "a"}\n')

    done = call_here("dataset", "health", dataset, "--report", reviews)

    assert done.returncode == 78
    assert "was not written by this command" in done.stderr
    assert reviews.read_bytes() == before


def test_the_page_of_another_program_is_not_replaced(dataset: Path, tmp_path: Path) -> None:
    page = tmp_path / "site" / "index.html"
    page.parent.mkdir()
    page.write_text("<!doctype html><title>Our site</title>")

    refused = call_here("dataset", "health", dataset, "--out", page.parent, environment={})
    call_here("dataset", "health", dataset, "--out", tmp_path / "own", environment={})
    again = call_here("dataset", "health", dataset, "--out", tmp_path / "own", environment={})

    assert (refused.returncode, again.returncode) == (78, 0)
    assert "was not written by this command" in refused.stderr
    assert "Our site" in page.read_text()
