"""The length of a recording: from its header, or by counting its frames."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.camera.length import Length, length_of
from agent.replay.frames import address_of
from tests.replay.recordings import clip, noise_folder


def video(path: Path, frames: int, fps: float) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (64, 48))
    noise = np.random.default_rng(3)
    for _ in range(frames):
        writer.write(noise.integers(0, 255, (48, 64, 3), np.uint8))
    writer.release()
    return path


def length(path: Path, fps: float = 5.0) -> Length:
    return length_of(address_of(str(path)), fps=fps)


def test_the_clip_is_ten_seconds_long() -> None:
    assert length(clip()) == Length(250, 10.0)


@pytest.mark.parametrize(("frames", "fps"), [(1, 10.0), (40, 10.0), (31, 29.97)])
def test_a_video_lasts_until_the_end_of_its_last_frame(
    tmp_path: Path, frames: int, fps: float
) -> None:
    found = length(video(tmp_path / "v.avi", frames, fps))

    assert found.frames == frames
    assert found.seconds == pytest.approx(frames / fps, rel=0.01)


def test_a_cut_video_is_measured_by_its_frames_not_by_its_header(tmp_path: Path) -> None:
    whole = video(tmp_path / "whole.avi", 100, 10.0).read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole[: len(whole) // 2])

    found = length(cut)

    assert 40 <= found.frames <= 52
    assert found.seconds == pytest.approx(found.frames / 10, rel=0.05)


def test_a_folder_has_the_length_of_its_images_at_the_wanted_rate(tmp_path: Path) -> None:
    folder = noise_folder(tmp_path / "frames", 12)

    assert length(folder, 4.0) == Length(12, 3.0)
    assert length(folder, 0.0) == Length(12, 2.4)


def test_the_number_of_due_frames_follows_from_length_and_rate() -> None:
    assert Length(250, 10.0).analysed(5.0) == 50
    assert Length(250, 10.0).analysed(0.0) == 250
    assert Length(250, 10.0).analysed(100.0) == 250
