"""Draw `docs/pool.jpg`, the page of a drawn archive: `python -m tests.docs.draw_pool`.

It needs Chromium, and a minute for the model. Prints what the command says, for docs/pool.md.
"""

import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np

from agent.cli.sample_clip import sample_clip
from agent.cli.street_day import day_of_street
from tests import ROOT
from tests.browser.chromium import Browser, Screen
from tests.end_to_end.command import COMMAND

IMAGE = ROOT / "docs" / "pool.jpg"
SCREEN = Screen(1280, 1890)
SHOWN = (1000, 1476)  # width and height in the docs
QUALITY = 78
CAMERAS = ("gate", "school", "bridge", "market")
EVERY = 5  # frames of a drawn day
SOURCES = ("photos", "street.mp4")


def archive(folder: Path) -> None:
    """Write images of four cameras, one that is cut off, and a recording."""
    for day, name in enumerate(CAMERAS, start=1):
        camera = folder / "photos" / name
        camera.mkdir(parents=True)
        for number, frame in enumerate(day_of_street(day)):
            if number % EVERY == 0:
                cv2.imwrite(str(camera / f"{number:04d}.jpg"), frame.pixels)
    whole = (folder / "photos" / "school" / "0000.jpg").read_bytes()
    (folder / "photos" / "school" / "broken.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "street.mp4").write_bytes(sample_clip())


def draw(folder: Path) -> Path:
    """Save the beginning of the page; return the file."""
    archive(folder)
    words = [COMMAND, "pool", *SOURCES, "--take", "30", "--out", "chosen"]
    subprocess.run(words, cwd=folder, check=True)
    browser = Browser(folder / "profile")
    try:
        browser.show_on(SCREEN)
        browser.open((folder / "chosen" / "report.html").as_uri())
        return browser.screenshot(folder / "page.png", whole=False)
    finally:
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pool-page-") as temporary:
        pixels = np.asarray(cv2.imread(str(draw(Path(temporary)))))
        pixels = np.asarray(cv2.resize(pixels, SHOWN, interpolation=cv2.INTER_AREA))
        cv2.imwrite(str(IMAGE), pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
