"""The video of a clip: each frame at its own time, in a file that other programs play."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer

from agent.dataset import clip_video
from agent.dataset.clip_files import ClipForm
from agent.dataset.clip_video import mp4_of
from agent.dataset.folder import Dataset
from agent.files import Disk
from tests.fakes.captures import clip_field, stored_capture
from tests.spool.small_file_system import skip_or_fail

TIMES = (-3.041, -2.84, -2.2, -0.2, 0.0, 1.98)
"""Seconds from the capture; the camera paused in between."""


def jpeg(place: int, width: int = 64, height: int = 36) -> bytes:
    """Return a black image with a white column that names it."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, 8 * place : 8 * place + 8] = 255
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def video(*, width: int = 64, height: int = 36) -> bytes:
    frames = [(at, jpeg(n, width, height)) for n, at in enumerate(TIMES)]
    made = mp4_of(frames, width=width, height=height)
    assert made is not None
    return made


@pytest.mark.parametrize(("width", "height"), [(64, 36), (65, 37)])
def test_each_frame_is_shown_at_its_own_time(tmp_path: Path, width: int, height: int) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(video(width=width, height=height))
    with av.open(str(file)) as opened:
        shown = list(opened.decode(video=0))

    assert [round(frame.time, 3) for frame in shown] == [round(at + 3.041, 3) for at in TIMES]
    assert [frame.to_ndarray(format="gray")[18].argmax() // 8 for frame in shown] == list(range(6))
    assert (shown[0].width, shown[0].height) == (64, 36)


def test_another_program_plays_it(tmp_path: Path) -> None:
    if shutil.which("ffprobe") is None:
        skip_or_fail("ffprobe is missing; install ffmpeg")
    file = tmp_path / "clip.mp4"
    file.write_bytes(video())
    asked = ("-count_frames", "-show_entries", "stream=codec_name,nb_read_frames", "-of", "json")
    said = subprocess.run(
        ["ffprobe", "-v", "error", *asked, str(file)], capture_output=True, check=True
    )

    [stream] = json.loads(said.stdout)["streams"]
    assert stream == {"codec_name": "h264", "nb_read_frames": "6"}
    assert said.stderr == b""


def test_without_an_encoder_for_h264_it_is_mpeg4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WithoutH264:
        """FFmpeg as some distributions build it."""

        def __init__(self, container: OutputContainer) -> None:
            self._container = container

        def add_stream(self, name: str, **options: Any) -> Any:
            if name == "libx264":
                raise UnknownCodecError(name)
            return self._container.add_stream(name, **options)

    stream_of: Any = clip_video._stream_of
    monkeypatch.setattr(clip_video, "_stream_of", lambda video: stream_of(WithoutH264(video)))
    file = tmp_path / "clip.mp4"
    file.write_bytes(video())
    with av.open(str(file)) as opened:
        assert opened.streams.video[0].codec_context.name == "mpeg4"
        assert len(list(opened.decode(video=0))) == len(TIMES)


@pytest.mark.parametrize(
    "frames",
    [
        [b"\xff\xd8 no image \xff\xd9"],
        [jpeg(0), jpeg(0, 128, 36)],
    ],
)
def test_a_clip_that_cannot_be_decoded_becomes_no_video(frames: list[bytes]) -> None:
    assert mp4_of([(0.0, frame) for frame in frames], width=64, height=36) is None


def test_a_dataset_keeps_the_video_or_the_frames_that_make_none(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path, Disk(), clips=ClipForm.MP4)
    for number, images in ((1, (jpeg(0), jpeg(1))), (2, (b"\xff\xd8 odd \xff\xd9",))):
        made = stored_capture(number, clip=clip_field(*images))
        dataset.store(made.record_json, made.image, b"".join(images))
    one, two = (tmp_path / "clips" / stored_capture(number).id for number in (1, 2))

    assert sorted(file.name for file in one.iterdir()) == ["clip.mp4", "times.json"]
    assert sorted(file.name for file in two.iterdir()) == ["001.jpg", "times.json"]
    assert json.loads((one / "times.json").read_bytes()) == {
        "frames": [{"file": "clip.mp4", "at": -0.2}, {"file": "clip.mp4", "at": 0.0}]
    }
