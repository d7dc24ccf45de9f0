"""One record that is not valid is left out, named and counted by each command that reads many."""

import json
from pathlib import Path

import pytest

from agent.factories.reviews import open_review
from tests.dataset.exported import dataset, hours, review
from tests.fakes.captures import capture_id
from tests.in_process import call_here

REVIEWED = 9


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Ten reviewed captures, the record of the last one cut in two."""
    said = [review(number) for number in range(REVIEWED + 1)]
    folder = dataset(tmp_path / "street", hours(REVIEWED + 1), *said)
    record = bad_record(folder)
    record.write_bytes(record.read_bytes()[:100])
    return folder


def bad_record(folder: Path) -> Path:
    return folder / "records" / f"{capture_id(REVIEWED)}.json"


@pytest.mark.parametrize(
    ("words", "result"),
    [
        (("evaluate",), "2 frames"),
        (("feedback",), f"{REVIEWED} reviewed captures"),
        (("dataset", "export", "--format", "yolo", "--out"), f"{REVIEWED} captures"),
        (("dataset", "export", "--format", "coco", "--out"), f"{REVIEWED} captures"),
        (("dataset", "merge", "--out"), f"{REVIEWED} captures are new"),
        (("dataset", "synthesize", "--credits", "2", "--dry-run"), "2 credits are left"),
    ],
    ids=["evaluate", "feedback", "export", "export to COCO", "merge", "synthesize"],
)
def test_the_rest_is_done(
    street: Path, tmp_path: Path, words: tuple[str, ...], result: str
) -> None:
    """The result is there, and the exit code says that something is missing."""
    out = [tmp_path / "out"] if words[-1] == "--out" else []

    run = call_here(*words, *out, street, environment={})

    assert result in run.stdout
    assert run.returncode == 78
    assert run.stderr.count(bad_record(street).name) == 1


def test_an_export_to_a_stick_describes_the_rest(street: Path, tmp_path: Path) -> None:
    """In a folder that other devices were exported to before."""
    settings = {"AGENT_SPOOL_DIR": str(tmp_path / "spool")}

    run = call_here("export", "--format", "coco", street, environment=settings)

    images = json.loads((street / "annotations.json").read_text())["images"]
    assert len(images) == REVIEWED
    assert run.returncode == 78
    assert run.stderr.count(bad_record(street).name) == 1


def test_a_merge_goes_on_beside_a_record_of_the_target(street: Path, tmp_path: Path) -> None:
    more = dataset(tmp_path / "more", hours(REVIEWED + 3)[-2:])

    run = call_here("dataset", "merge", more, "--out", street, environment={})

    assert "2 captures are new" in run.stdout
    assert run.returncode == 78
    assert run.stderr.count(bad_record(street).name) == 1


def test_a_merge_brings_back_a_record_that_a_source_has_whole(street: Path, tmp_path: Path) -> None:
    whole = dataset(tmp_path / "whole", hours(REVIEWED + 1))

    run = call_here("dataset", "merge", whole, "--out", street, environment={})

    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(bad_record(street).read_bytes())["id"] == capture_id(REVIEWED)


def test_an_error_comes_after_the_record_that_may_be_its_reason(street: Path) -> None:
    for record in (street / "records").iterdir():
        if record != bad_record(street):
            record.unlink()

    run = call_here("evaluate", street, environment={})

    assert run.stderr.splitlines()[0].startswith("capture-agent: warning: captures that are left")
    assert "there are no captures" in run.stderr.splitlines()[-1]


def test_the_health_of_a_dataset_has_it_as_a_finding(street: Path, tmp_path: Path) -> None:
    run = call_here("dataset", "health", "--out", tmp_path / "out", street, environment={})

    assert run.returncode == 0
    assert "invalid records: 1" in run.stdout
    assert bad_record(street).name in (tmp_path / "out" / "health.json").read_text()


def test_reviews_go_on_and_the_page_names_it(street: Path) -> None:
    with open_review(str(street), host="127.0.0.1", port=0) as opened:
        [told] = [line for line in opened.warnings if "left out" in line]

    assert "captures that are left out: 1, such as: cannot use the record" in told
    assert bad_record(street).name in told


def test_where_no_record_is_valid_each_says_which(street: Path) -> None:
    for record in (street / "records").iterdir():
        record.write_text(json.dumps({"id": 5}))

    for command in ("evaluate", "feedback"):
        run = call_here(command, street, environment={})

        assert run.returncode == 78
        assert f"left out: {REVIEWED + 1}" in run.stderr
        assert capture_id(0) in run.stderr


@pytest.mark.parametrize("words", [("evaluate",), ("feedback",), ("dataset", "import")])
def test_a_folder_that_is_not_there_is_told(tmp_path: Path, words: tuple[str, ...]) -> None:
    more = [tmp_path] if words[-1] == "import" else []

    run = call_here(*words, tmp_path / "gone", *more, environment={})

    assert run.returncode == 78
    assert f"{tmp_path / 'gone'}: there is no such folder" in run.stderr
