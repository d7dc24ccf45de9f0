"""The page of the whole loop is done in its order: with the demo's files, but for the training."""

from pathlib import Path

import pytest

from tests import ROOT
from tests.docs.pages import shell_blocks
from tests.docs.reader import Reader

PAGE = ROOT / "docs" / "loop.md"
HERE = "a slow test runs it"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_commands_of_the_loop_work_one_after_the_other(tmp_path: Path) -> None:
    blocks = [block for block in shell_blocks() if block.page == PAGE and HERE in block.mark]
    with Reader(tmp_path) as reader:
        said = [reader.read(block) for block in blocks]

    assert len(said) == 4
    assert (tmp_path / "evaluation.html").stat().st_size > 0
    assert (tmp_path / "feedback.json").stat().st_size > 0
    assert list((tmp_path / "version-1" / "images" / "train").iterdir())
    assert (tmp_path / "version-1-coco" / "annotations" / "instances_train.json").exists()


def test_the_chart_of_the_page_has_the_figures_of_its_table() -> None:
    page, drawn = PAGE.read_text("utf-8"), (ROOT / "docs" / "loop.svg").read_text("utf-8")

    for found, name in ((49, "round one"), (58, "round two, with feedback"), (44, "day 2 without")):
        assert f"| 20 | {found} |" in page
        assert f">{found} {name}" in drawn
