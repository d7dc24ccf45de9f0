"""Draw `docs/live-page.jpg` from a real daemon and browser: `python -m tests.docs.draw_live_page`.

It needs Chromium. The cameras show the sample clip of `demo`, the model is the bundled one.
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np

from agent.cli.sample_clip import clip_pixels
from agent.domain import Pixels
from tests import ROOT
from tests.browser.chromium import Browser, Screen
from tests.browser.live_daemon import LiveDaemon
from tests.browser.live_page import LivePage
from tests.browser.numbered_camera import StreamCamera

IMAGE = ROOT / "docs" / "live-page.jpg"
SCREEN = Screen(1180, 1010)
QUALITY = 76
STEP = 3  # of 25 frames a second every third: the camera sends ten


def draw(folder: Path) -> Path:
    """Save what the browser shows once a capture has arrived; return the file."""
    clip = list(clip_pixels())

    def crossing(number: int) -> Pixels:
        return clip[STEP * number % len(clip)]

    def bus_stop(number: int) -> Pixels:
        return crossing(number + len(clip) // 2)

    cameras = [StreamCamera(crossing), StreamCamera(bus_stop)]
    browser = Browser(folder / "profile")
    try:
        with LiveDaemon(
            folder,
            AGENT_CAMERAS=f"crossing={cameras[0].url} bus-stop={cameras[1].url}",
            AGENT_MODEL="bundled",
            AGENT_RULES="flicker clash",
            AGENT_MIN_VALUE=0.3,
            AGENT_DEVICE_ID="crossing-3",
        ) as live:
            browser.show_on(SCREEN)
            page = LivePage(browser, live.url)
            page.image("bus-stop")
            page.says("miss")
            page.button("Wrong").click()
            page.says("delivered, lane verdict")
            return browser.screenshot(folder / "page.png", whole=False)
    finally:
        browser.close()
        for camera in cameras:
            camera.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="page-") as temporary:
        pixels = np.asarray(cv2.imread(str(draw(Path(temporary)))))
        cv2.imwrite(str(IMAGE), pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
