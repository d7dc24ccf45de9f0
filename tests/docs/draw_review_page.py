"""Draw `docs/review.jpg` from a real server and browser: `python -m tests.docs.draw_review_page`.

It needs Chromium, and a minute for `demo`, whose captures it shows.
"""

import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np

from tests import ROOT
from tests.browser.chromium import Browser, Screen
from tests.browser.review_page import ReviewPage, ReviewServer
from tests.end_to_end.command import COMMAND

IMAGE = ROOT / "docs" / "review.jpg"
SCREEN = Screen(1280, 860)
QUALITY = 78


def draw(folder: Path) -> Path:
    """Save what the browser shows once a suspect was made an object; return the file."""
    subprocess.run([COMMAND, "demo", "--dir", str(folder / "demo")], check=True)
    server = ReviewServer(folder / "demo" / "dataset")
    browser = Browser(folder / "profile")
    try:
        browser.show_on(SCREEN)
        page = ReviewPage(browser, server.url)
        for key in "rwr":
            page.give(key)
        page.shown()
        page.says("reviewed 3")
        suspects = [button for button in browser.all("#objects button") if "suspect" in button.text]
        suspects[-1].click()
        return browser.screenshot(folder / "page.png", whole=False)
    finally:
        browser.close()
        server.kill()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="page-") as temporary:
        pixels = np.asarray(cv2.imread(str(draw(Path(temporary)))))
        cv2.imwrite(str(IMAGE), pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
