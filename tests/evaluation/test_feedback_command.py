"""`capture-agent feedback`: what it learns, what it refuses, and what it leaves out."""

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from agent.dataset.reviews import review_line, undo_line
from agent.domain import VerdictKind
from agent.evaluation.judged_captures import read_judged
from agent.selection.feedback import parse_feedback
from tests.evaluation.judged import PLACE, detected, record, suspect
from tests.fakes.captures import capture_id
from tests.in_process import call_here

AT = 1_800_000_000.0
RIGHT, WRONG, UNUSABLE = VerdictKind.RIGHT, VerdictKind.WRONG, VerdictKind.UNUSABLE


def doubtful(number: int, **more: Any) -> dict[str, Any]:
    """Return a record with one suspect, just below the threshold."""
    return record(number, suspect("flicker", 0.4), detections=(detected(0.45),), **more)


def dataset(folder: Path, *records: dict[str, Any], lines: tuple[dict[str, Any], ...] = ()) -> Path:
    (folder / "records").mkdir(parents=True)
    for each in records:
        (folder / "records" / f"{each['id']}.json").write_text(json.dumps(each))
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "verdicts.jsonl").write_text(text)
    return folder


def line_of(number: int, kind: VerdictKind = RIGHT, *, later: float = 0.0, **more: Any) -> Any:
    return review_line(capture_id(number), kind, at=AT + later, by="ann", **more)


def feedback(*words: object) -> CompletedProcess[str]:
    return call_here("feedback", *words, environment={})


def learnt(*words: object) -> dict[str, Any]:
    run = feedback(*words, "--json")
    assert run.returncode == 0, run.stderr
    made: dict[str, Any] = json.loads(run.stdout)
    return made


def test_it_writes_what_a_device_reads_and_says_what_it_learnt(tmp_path: Path) -> None:
    folder = dataset(
        tmp_path / "data", *map(doubtful, range(40)), lines=tuple(map(line_of, range(40)))
    )

    run = feedback(folder, "-o", tmp_path / "feedback.json")

    made = parse_feedback((tmp_path / "feedback.json").read_bytes())
    assert (made.captures, made.model_name) == (40, "nano")
    [whole, at_gate] = made.suspects
    assert (whole.rule, whole.side, whole.label, whole.camera) == ("flicker", "below", None, None)
    assert (at_gate.camera, at_gate.reviewed, at_gate.failures) == ("gate", 40, 0)
    assert at_gate.factor < 0.1 < whole.factor
    assert run.returncode == 0
    words = " ".join(run.stdout.split())
    assert "40 reviewed captures of nano" in words
    assert "flicker below all gate 40 16.0 0.0 x0.0" in words
    assert "No reviewed capture was drawn at random" in words
    assert made.sha256[:12] in words


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((), "none of the 2 captures has a review that can be used"),
        ((line_of(0, UNUSABLE),), "of 1 the image cannot be judged"),
        ((line_of(0), undo_line(line_of(0), at=AT + 1)), "none of the 2 captures has a review"),
        ((line_of(7),), "none of the 2 captures has a review"),
    ],
)
def test_without_a_review_it_refuses(lines: tuple[Any, ...], why: str, tmp_path: Path) -> None:
    folder = dataset(tmp_path / "data", doubtful(0), doubtful(1), lines=lines)

    run = feedback(folder, "-o", tmp_path / "feedback.json")

    assert run.returncode == 78
    assert why in run.stderr
    assert "capture-agent review" in run.stderr
    assert not (tmp_path / "feedback.json").exists()


def test_a_folder_without_captures_is_named(tmp_path: Path) -> None:
    run = feedback(tmp_path)

    assert run.returncode == 78
    assert f"cannot learn from {tmp_path}" in run.stderr


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "data", doubtful(0), lines=(line_of(0),))

    run = feedback(folder, "-o", tmp_path / "missing" / "feedback.json")

    assert run.returncode == 78
    assert "cannot write --out" in run.stderr


def test_of_two_folders_each_capture_counts_once_by_its_newest_review(tmp_path: Path) -> None:
    one = dataset(tmp_path / "one", doubtful(0), doubtful(1), lines=(line_of(0), line_of(1)))
    missed = line_of(1, WRONG, later=60, boxes=[{"label": "car", "box": PLACE}])
    two = dataset(tmp_path / "two", doubtful(1), doubtful(2), lines=(missed,))

    made = learnt(one, two)

    assert (made["seen"], made["captures"], made["reviewed_suspects"]) == (3, 2, 2)
    assert made["suspects"][0]["failures"] == 1.0


OTHER_MODEL = {"model": {"name": "old", "sha256": "cd" * 32, "task": "detect"}}


def test_what_cannot_be_compared_is_left_out_and_counted(tmp_path: Path) -> None:
    older = doubtful(0, **OTHER_MODEL)
    other_threshold = doubtful(1, thresholds={"default": 0.4, "labels": {}, "floor": 0.05})
    no_model = {name: value for name, value in doubtful(2).items() if name != "model"}
    made_up = doubtful(3, synthetic={"parent": capture_id(0), "operations": []})
    records = (older, other_threshold, no_model, made_up, doubtful(4))
    folder = dataset(tmp_path / "data", *records, lines=tuple(map(line_of, range(5))))

    made = learnt(folder)

    assert (made["captures"], made["reviewed"], made["reviewed_suspects"]) == (2, 5, 1)
    assert made["left_out"] == {
        "its record lacks device, camera, model, time or thresholds": 1,
        "the image is synthetic": 1,
        "it is of another model than the newest capture": 1,
        "a suspect's label had another threshold then": 1,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("monotonic_ns", "soon"),
        ("monotonic_ns", 1e400),
        ("captured_at", "yesterday"),
        ("captured_at", 5),
        ("thresholds", {"default": "high", "labels": {}}),
        ("thresholds", {"default": 0.5, "labels": []}),
        ("thresholds", None),
        ("camera", ["gate"]),
        ("model", {"name": 1, "sha256": None}),
        ("suspects", "many"),
        ("suspects", [None, 7, {"rule": 5}, {"rule": "flicker", "p": "x", "track": "y"}]),
        ("boot_id", {"a": []}),
    ],
)
def test_a_hostile_record_is_left_out_or_named(field: str, value: object, tmp_path: Path) -> None:
    text = doubtful(0) | {field: value}
    folder = dataset(tmp_path / "data", text, doubtful(1), lines=(line_of(0), line_of(1)))

    run = feedback(folder, "--json")

    if run.returncode:  # it is named
        assert (run.returncode, capture_id(0) in run.stderr) == (78, True)
    else:
        assert json.loads(run.stdout)["captures"] in {1, 2}


def test_a_synthetic_copy_is_no_evidence(tmp_path: Path) -> None:
    made_up = doubtful(0, synthetic={"parent": capture_id(9), "operations": []})
    folder = dataset(tmp_path / "data", made_up, doubtful(1), lines=(line_of(0), line_of(1)))

    assert [each.id for each in read_judged([folder]).captures] == [capture_id(1)]


def test_no_other_file_is_replaced(tmp_path: Path) -> None:
    folder = dataset(
        tmp_path / "data", *map(doubtful, range(3)), lines=tuple(map(line_of, range(3)))
    )
    reviews = folder / "verdicts.jsonl"
    before = reviews.read_bytes()

    run = feedback(folder, "-o", reviews)

    assert run.returncode == 78
    assert "was not written by this command" in run.stderr
    assert reviews.read_bytes() == before
    for _ in range(2):  # its own file is
        assert feedback(folder, "-o", tmp_path / "feedback.json").returncode == 0
