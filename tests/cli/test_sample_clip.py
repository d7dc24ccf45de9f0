"""The sample clip of the demo is drawn, is the same everywhere, and shows the model something."""

import tomllib
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from agent.camera.address import parse_camera
from agent.camera.length import Length, length_of
from agent.cli.sample_clip import clip_pixels, sample_clip
from agent.factories.model import detector_of
from agent.settings.load import without_environment
from tests import ROOT


def test_the_bundled_model_finds_people_vehicles_and_signs_in_the_clip() -> None:
    cameras = (parse_camera("/dev/video0"),)
    detector = detector_of(without_environment(cameras=cameras))

    found = {
        detection.label
        for pixels in islice(clip_pixels(), 12, None, 25)
        for detection in detector.detect(pixels).detections
        if detection.confidence >= 0.5
    }

    assert {"person", "car", "stop sign", "traffic light", "clock"} <= found


def test_the_clip_is_the_same_each_time() -> None:
    first, second = (list(islice(clip_pixels(), 3)) for _ in range(2))

    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.slow  # `demo` reads it too
def test_the_clip_is_a_readable_video_of_ten_seconds(tmp_path: Path) -> None:
    path = tmp_path / "street.mp4"
    path.write_bytes(sample_clip())

    assert length_of(parse_camera(str(path)), fps=10) == Length(250, 10.0)


def test_the_demo_needs_no_library_of_its_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["optional-dependencies"]["demo"] == []
