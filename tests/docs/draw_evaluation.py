"""Draw `docs/evaluation.jpg`, the page of a made-up model: `python -m tests.docs.draw_evaluation`.

It needs Chromium. The scenes are drawn, and so are the model's detections and the reviews.
"""

import tempfile
from pathlib import Path

import cv2
from typer.testing import CliRunner

from agent.cli import app
from tests import ROOT
from tests.browser.chromium import Browser, Screen
from tests.evaluation.drawn_set import DrawnSet

IMAGE = ROOT / "docs" / "evaluation.jpg"
SCREEN = Screen(1180, 1230)
QUALITY = 78


def draw(folder: Path) -> Path:
    """Save the beginning of the page; return the file."""
    DrawnSet(captures=240, middle=0.3, with_images=True).write(folder / "set")
    page = folder / "page.html"
    result = CliRunner().invoke(app, ["evaluate", str(folder / "set"), "--report", str(page)])
    assert result.exit_code == 0, result.stderr
    browser = Browser(folder / "profile")
    try:
        browser.show_on(SCREEN)
        browser.open(page.as_uri())
        return browser.screenshot(folder / "page.png", whole=False)
    finally:
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        pixels = cv2.imread(str(draw(Path(made))))
        cv2.imwrite(str(IMAGE), pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
