"""Replays of folders with times, of joined videos, and of what cannot be read whole."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.domain import Box, Detection, Pixels, Prediction
from tests.camera.test_video_file import Track, joined
from tests.replay.recordings import ConstantDetector, noise_folder, plan_of, replayed
from tests.replay.test_replay_command import run_replay

TEMPORAL = {"flicker", "isolated", "class_flip", "weak_track"}


class FlickeringDetector(ConstantDetector):
    """Detects a person that stands still, in bright images only."""

    def detect(self, pixels: Pixels) -> Prediction:
        found = Detection("person", 0, 0.8, Box(40.0, 40.0, 120.0, 160.0))
        return Prediction(self.info, (found,) if pixels.mean() > 100 else ())


def timed_folder(folder: Path, gap_s: float) -> Path:
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(24):
        level = 80 if number % 6 == 3 else 130
        noise = random.integers(0, 9, (180, 320, 3), np.uint8)
        assert cv2.imwrite(str(folder / f"{number}.png"), noise + np.uint8(level))
        at = 1_700_000_000 + number * gap_s
        os.utime(folder / f"{number}.png", (at, at))
    return folder


@pytest.mark.parametrize(("gap_s", "fires"), [(0.0, True), (60.0, False)])
def test_no_temporal_rule_fires_on_images_that_are_minutes_apart(
    tmp_path: Path, gap_s: float, fires: bool
) -> None:
    folder = timed_folder(tmp_path / "images", gap_s)

    result = replayed(
        folder, tmp_path / "out", detector=FlickeringDetector(), plan=plan_of(0, min_value=0)
    )

    fired = {rule["name"] for each in result.chosen for rule in each["rules"]}
    assert bool(fired & TEMPORAL) == fires
    assert result.frames == 24
    assert result.length.seconds == pytest.approx(24 * (gap_s or 0.2))


def test_the_budget_is_spread_over_a_joined_video(tmp_path: Path) -> None:
    """Credits accrue over both parts; the header states the first one alone."""
    path = joined(tmp_path, Track(frames=60), Track(frames=60))

    result = replayed(
        path, tmp_path / "out", detector=ConstantDetector(), plan=plan_of(8, min_value=0), fps=0
    )

    assert (result.frames, result.length.frames) == (120, 120)
    for n, each in enumerate(result.chosen, 1):
        assert n <= each["purchased_at"] / 12.0 * 8 + 0.05
    assert any(each["purchased_at"] > 9 for each in result.chosen)


def test_what_was_not_read_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    noise_folder(folder, 3)
    assert cv2.imwrite(str(folder / "3.png"), np.zeros((40, 50, 3), np.uint8))
    (folder / "4.jpg").write_bytes(b"no image")
    (folder / "5.heic").write_bytes(b"x")
    os.mkfifo(folder / "6.jpg")

    done = run_replay(tmp_path, str(folder), "--fps", "0")

    assert done.returncode == 0, done.stderr
    assert (
        "  2 could not be decoded or show missing data, and were skipped; the first is 4.jpg: "
        "cannot use the image: it is not an image of a supported format."
    ) in done.stdout
    assert "  passed over, as no images: 1 .heic\n" in done.stdout
    assert "  its frames have 2 sizes: 320x180 (3), 50x40 (1)\n" in done.stdout
    [source] = json.loads((tmp_path / "capture-agent-replay/report.json").read_text())["sources"]
    assert (source["unreadable"], source["passed_over"]) == (2, "1 .heic")
    assert source["why_unreadable"].startswith("4.jpg: cannot use the image")
    assert source["sizes"] == {"320x180": 3, "50x40": 1}


def test_a_folder_without_images_is_refused_with_a_hint(tmp_path: Path) -> None:
    noise_folder(tmp_path / "images", 2)

    done = run_replay(tmp_path, str(tmp_path))

    assert done.returncode == 78
    assert "give the one with the images: images (2)" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_fifo_with_the_name_of_an_image_does_not_hang_the_replay(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")

    done = run_replay(tmp_path, "a.jpg")

    assert done.returncode == 78
    assert "it is neither a file nor a folder: it is a FIFO" in done.stderr


@pytest.mark.parametrize("name", ["a\x1b[31m.mp4", "new\nline.mp4", "no\x1b[31m/folder.mp4"])
def test_a_name_with_control_characters_is_shown_without_them(tmp_path: Path, name: str) -> None:
    if "/" not in name:
        (tmp_path / name).write_bytes(b"x")

    done = run_replay(tmp_path, name)

    assert done.returncode == 78
    assert done.stderr.rstrip("\n").isprintable()
