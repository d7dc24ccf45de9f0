"""The page of an evaluation on screens of all sizes, in the light and in the dark."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app
from tests.browser.chromium import DESKTOP, PHONE, ZOOMED, Browser, Screen
from tests.detector.planted_models import METADATA, fixed_model, planted_rows
from tests.evaluation.drawn_set import DrawnSet

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All parts at once: warnings, two models, curves, rules, frames with errors."""
    folder = tmp_path_factory.mktemp("evaluation")
    DrawnSet(captures=60, with_images=True, corrected=0.8).write(folder / "set")
    rows = planted_rows([(10, 10, 40, 40)], [[0.9, 0.0, 0.0]], cells=84)
    model = fixed_model(folder / "other.onnx", rows, size=(64, 64), metadata=METADATA)
    words = ["--model", str(model), "--model-labels", "car,person,bicycle"]
    file = folder / "page.html"
    result = CliRunner().invoke(
        app, ["evaluate", str(folder / "set"), *words, "--report", str(file)]
    )
    assert result.exit_code == 0, result.stderr
    return file


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("screen", [DESKTOP, PHONE, ZOOMED], ids=["desktop", "phone", "zoomed"])
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(
    browser: Browser, page: Path, axe: str, screen: Screen, *, dark: bool
) -> None:
    browser.show_on(screen)
    browser.media(dark=dark)
    browser.open(page.as_uri())

    assert browser.overflow() == []
    assert browser.violations(axe) == []
    assert browser.console() == []
    assert [url for url in browser.requests() if not url.startswith(("data:", "file:"))] == []
    assert browser.script("return document.images.length") > 0
    assert browser.script("return [...document.images].every(each => each.naturalWidth > 0)")
