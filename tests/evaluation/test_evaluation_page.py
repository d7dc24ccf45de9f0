"""The page of an evaluation, and what the command writes of a reviewed dataset."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from agent.cli import app
from tests.detector.planted_models import METADATA, fixed_model, planted_rows
from tests.evaluation.drawn_set import DrawnSet
from tests.pages_read import HTML_LABEL, Page


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, words)], env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    return DrawnSet(captures=36, with_images=True).write(folder)


def test_a_wrong_threshold_is_the_first_line_of_each_output(drawn: Path, tmp_path: Path) -> None:
    """AP50 is high, and at the default threshold the model reports next to nothing."""
    page = tmp_path / "page.html"

    shown = run(drawn, "--report", page).stdout
    facts = json.loads(run(drawn, "--json").stdout)

    first = shown.splitlines()[0]
    assert first.startswith("WARNING: the threshold in use is wrong for this model: car at 0.5")
    assert 'Set AGENT_THRESHOLDS="car=0.' in first
    assert facts["labels"]["car"]["ap50"]["value"] > 0.7
    assert facts["labels"]["car"]["recall"]["value"] < 0.2
    assert first == f"WARNING: {facts['warnings'][0]}."
    assert facts["suggested_setting"] in first
    assert 0.08 < facts["labels"]["car"]["best_threshold"] < 0.25
    text = page.read_text()
    assert text.index('class="warning"') < text.index('class="tiles"')


def test_with_the_suggested_thresholds_nothing_is_to_be_warned_of(tmp_path: Path) -> None:
    folder = DrawnSet(captures=60, threshold=0.13).write(tmp_path)

    facts = json.loads(run(folder, "--json").stdout)

    assert facts["warnings"] == []
    assert facts["suggested_setting"] is None


def test_the_page_loads_nothing_and_shows_labels_as_text(tmp_path: Path) -> None:
    folder = DrawnSet(captures=30, with_images=True).write(tmp_path / "set")
    for path in [*(folder / "records").iterdir(), folder / "verdicts.jsonl"]:
        path.write_text(path.read_text().replace('"car"', json.dumps(HTML_LABEL)))
    damaged = next((folder / "images").iterdir())
    damaged.write_bytes(b"no image")

    result = run(folder, "--report", tmp_path / "page.html")

    assert result.exit_code == 0, result.stderr
    text = (tmp_path / "page.html").read_text()
    page = Page()
    page.feed(text)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert page.sources
    assert "default-src 'none'" in text
    assert page.text.count(HTML_LABEL) >= 3
    for svg in text.split("<svg")[1:]:
        ET.fromstring(f"<svg{svg.partition('</svg>')[0]}</svg>")


def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    drawn: Path, tmp_path: Path
) -> None:
    result = run(drawn, "--report", tmp_path)

    assert result.exit_code == 78
    assert "cannot write --report" in result.stderr


def test_a_file_that_is_no_page_is_never_replaced(drawn: Path, tmp_path: Path) -> None:
    reviews = drawn / "verdicts.jsonl"
    before = reviews.read_bytes()

    result = run(drawn, "--report", reviews)

    assert result.exit_code == 78
    assert "was not written by this command" in result.stderr
    assert reviews.read_bytes() == before
    for _ in range(2):  # a page is
        assert run(drawn, "--report", tmp_path / "page.html").exit_code == 0


def test_another_model_is_run_on_the_same_images(drawn: Path, tmp_path: Path) -> None:
    rows = planted_rows([(10, 10, 40, 40)], [[0.9, 0.0, 0.0]], cells=84)
    model = fixed_model(tmp_path / "other.onnx", rows, size=(64, 64), metadata=METADATA)
    page = tmp_path / "page.html"

    refused = run(drawn, "--model", model)
    words = ("--model", model, "--model-labels", "car,person,bicycle")
    shown = run(drawn, *words, "--report", page)
    facts: Any = json.loads(run(drawn, *words, "--json").stdout)["comparison"]

    assert refused.exit_code == 78
    assert "none of the labels of other" in refused.stderr
    assert shown.exit_code == 0, shown.stderr
    assert "The model of the captures is better than other: AP50 0.000 against 0." in shown.stdout
    assert facts["outcome"] == "current is better"
    assert facts["frames"] == 24
    assert "The model of the captures is better than other" in page.read_text()
