"""The page of the whole loop is done in its order: with the demo's files, but for the training."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from agent.dataset.reviews import check_review
from agent.selection.feedback import parse_feedback
from tests import ROOT
from tests.docs.pages import shell_blocks
from tests.docs.reader import Reader

PAGE = ROOT / "docs" / "loop.md"
HERE = "a slow test runs it"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_commands_of_the_loop_work_one_after_the_other(tmp_path: Path) -> None:
    blocks = [block for block in shell_blocks() if block.page == PAGE and HERE in block.mark]
    with Reader(tmp_path) as reader:
        check_the_loop(reader.read(blocks[0]), tmp_path / "loop")
        said = [reader.read(block) for block in blocks[1:]]

    assert len(said) == 3
    assert (tmp_path / "evaluation.html").stat().st_size > 0
    assert (tmp_path / "feedback.json").stat().st_size > 0
    assert list((tmp_path / "version-1" / "images" / "train").iterdir())
    assert (tmp_path / "version-1-coco" / "annotations" / "instances_train.json").exists()


def check_the_loop(said: str, demo: Path) -> None:
    """The second round finds more distinct failures a credit, and all files are whole."""
    assert [line for line in said.splitlines() if line.count("│") > 4]
    lines = [json.loads(line) for line in (demo / "reviews-1.jsonl").read_text().splitlines()]
    for line in lines:
        check_review(line)
    feedback = parse_feedback((demo / "feedback.json").read_bytes())
    assert feedback.captures == len(lines) == 20
    records = [json.loads(p.read_text()) for p in (demo / "round-2" / "records").iterdir()]
    assert {record["feedback"] for record in records} == {feedback.sha256}
    assert len(list((demo / "dataset" / "images").iterdir())) == 40
    assert (demo / "evaluation.html").read_text("utf-8").startswith("<!doctype html>")
    ends = [each.text or "" for each in ET.parse(demo / "loop.svg").iter()]
    found = {
        name: next(int(text.split()[0]) for text in ends if text.endswith(name))
        for name in ("round one", "with feedback", "without feedback")
    }
    assert found["with feedback"] > found["round one"]
    assert found["with feedback"] > found["without feedback"]


def test_the_chart_of_the_page_has_the_figures_of_its_table() -> None:
    page, drawn = PAGE.read_text("utf-8"), (ROOT / "docs" / "loop.svg").read_text("utf-8")

    for found, name in ((49, "round one"), (58, "round two, with feedback"), (44, "day 2 without")):
        assert f"| 20 | {found} |" in page
        assert f">{found} {name}" in drawn
