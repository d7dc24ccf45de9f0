"""Draw `docs/fleet.jpg`, the page of 1,000 simulated devices: `python -m tests.docs.draw_fleet`.

On a desk and on a phone. It needs Chromium.
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np

from agent.fleet.fleet import fleet_of
from agent.fleet.page import page_of
from tests import ROOT
from tests.browser.chromium import Browser, Screen
from tests.fakes.clock import WALL
from tests.fakes.fleet import simulated_reports

IMAGE = ROOT / "docs" / "fleet.jpg"
DESK = Screen(1240, 1000)
PHONE = Screen(390, 1000)
QUALITY = 78
GAP = 16  # pixels


def draw(folder: Path) -> list[Path]:
    """Save the beginning of the page on both screens; return the files."""
    page = folder / "page.html"
    page.write_text(page_of(fleet_of(simulated_reports(1000), WALL), "dataset"), "utf-8")
    browser = Browser(folder / "profile")
    try:
        shots = []
        for screen in (DESK, PHONE):
            browser.show_on(screen)
            browser.open(page.as_uri())
            shots.append(browser.screenshot(folder / f"{screen.width}.png", whole=False))
        return shots
    finally:
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        desk, phone = (cv2.imread(str(path)) for path in draw(Path(made)))
        assert desk is not None
        assert phone is not None
        gap = np.full((DESK.height, GAP, 3), 90, np.uint8)
        both = np.hstack([desk, gap, phone])
        cv2.imwrite(str(IMAGE), both, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
