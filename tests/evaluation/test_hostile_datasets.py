"""Whatever a record or a line of a review holds, the command answers or says what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from agent.cli import app
from tests.evaluation.drawn_set import DrawnSet
from tests.search import examples

ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["label", "box", "confidence", "default", "labels", "floor", "name"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
FIELDS = (
    *("thresholds", "detections", "classes", "suspects", "model", "rules", "sampling", "camera"),
    *("captured_at", "image", "feedback"),
)


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, words)])


def answered(result: Result) -> None:
    assert result.exit_code in {0, 78}, result.stderr + repr(result.exception)
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stdout


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=examples(40),
)
@given(field=st.sampled_from(FIELDS), content=ANYTHING)
def test_any_record_is_measured_or_refused(tmp_path: Path, field: str, content: object) -> None:
    folder = tmp_path / "set"
    if not folder.exists():
        DrawnSet(captures=6).write(folder)
    path = sorted((folder / "records").iterdir())[1]
    before = path.read_text()
    try:
        path.write_text(json.dumps({**json.loads(before), field: content}))
        answered(run(folder, "--report", tmp_path / "page.html"))
    finally:
        path.write_text(before)


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=examples(30),
)
@given(field=st.sampled_from(["boxes", "labels", "at", "by", "verdict"]), content=ANYTHING)
def test_any_line_of_a_review_is_read_or_left_out(
    tmp_path: Path, field: str, content: object
) -> None:
    folder = tmp_path / "set"
    if not folder.exists():
        DrawnSet(captures=6).write(folder)
    path = folder / "verdicts.jsonl"
    before = path.read_text()
    try:
        lines = before.splitlines()
        lines[1] = json.dumps({**json.loads(lines[1]), field: content})
        path.write_text("\n".join(lines) + "\n")
        answered(run(folder, "--json"))
    finally:
        path.write_text(before)


@pytest.mark.parametrize("text", ["", "\n\n", "{}\n", "[1]\n", "\x00\n", '{"id": null}\n'])
def test_a_file_without_reviews_is_none(tmp_path: Path, text: str) -> None:
    folder = DrawnSet(captures=6).write(tmp_path)
    (folder / "verdicts.jsonl").write_text(text)

    result = run(folder)

    assert result.exit_code == 78
    assert "cannot evaluate" in result.stderr


def test_reviews_of_captures_that_are_gone_do_not_count(tmp_path: Path) -> None:
    folder = DrawnSet(captures=6).write(tmp_path)
    gone = sorted((folder / "records").iterdir())[1]
    gone.unlink()

    assert json.loads(run(folder, "--json").stdout)["reviewed"] == 3


def test_a_review_in_another_spelling_than_the_models_is_a_warning(tmp_path: Path) -> None:
    folder = DrawnSet(captures=6).write(tmp_path)
    reviews = folder / "verdicts.jsonl"
    reviews.write_text(reviews.read_text().replace('"label": "car"', '"label": "Car"'))
    reviews.write_text(reviews.read_text().replace('"label":"car"', '"label":"Car"'))

    shown = run(folder).stdout

    assert "WARNING: reviews name a class 'Car', and the model 'car'" in shown


def test_the_order_of_the_reviews_changes_no_figure(tmp_path: Path) -> None:
    folder = DrawnSet(captures=20, every_other=30).write(tmp_path)
    for file in (folder / "records").iterdir():  # ties everywhere: which frame comes first decides
        record = json.loads(file.read_text())
        for each in record["detections"]:
            each["confidence"] = 0.25
        file.write_text(json.dumps(record))
    reviews = folder / "verdicts.jsonl"
    lines = [json.loads(line) for line in reviews.read_text().splitlines()]
    before = json.loads(run(folder, "--json").stdout)

    at = [each["at"] for each in lines]
    turned = [each | {"at": when} for each, when in zip(lines, reversed(at), strict=True)]
    reviews.write_text("".join(json.dumps(each) + "\n" for each in reversed(turned)))

    assert json.loads(run(folder, "--json").stdout) == before


def test_a_review_of_a_synthetic_capture_does_not_count(tmp_path: Path) -> None:
    folder = DrawnSet(captures=6, every_other=9).write(tmp_path)
    file = min((folder / "records").iterdir())
    made = {"parent": "0" * 8, "operations": [{"name": "flip"}], "seed": 1}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"synthetic": made}))

    result = run(folder, "--json")

    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["reviewed"] == 5


def test_an_empty_set_of_labels_says_what_is_needed(tmp_path: Path) -> None:
    folder = DrawnSet(captures=6).write(tmp_path)
    (folder / "verdicts.jsonl").unlink()
    (folder / "labels").rmdir()

    result = run(folder)

    assert result.exit_code == 78
    assert "none of the 4 random captures has a label or verdict" in result.stderr
    assert "385 reviews" in result.stderr


@pytest.mark.parametrize("confidence", [7, -0.1, 1.0001])
def test_a_confidence_that_is_none_is_named(tmp_path: Path, confidence: float) -> None:
    folder = DrawnSet(captures=6).write(tmp_path)
    file = sorted((folder / "records").iterdir())[1]
    record = json.loads(file.read_text())
    record["detections"][0]["confidence"] = confidence
    file.write_text(json.dumps(record))

    result = run(folder)

    assert result.exit_code == 78
    assert file.name in result.stderr
    assert "`confidence` must be from 0 to 1" in " ".join(result.stderr.split())


def test_a_model_that_is_none_is_named_by_its_option(tmp_path: Path) -> None:
    folder = DrawnSet(captures=6).write(tmp_path)

    result = run(folder, "--model", tmp_path / "none.onnx")

    assert result.exit_code == 78
    assert "set --model to an ONNX file" in " ".join(result.stderr.split())
