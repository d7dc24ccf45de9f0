"""Video files and folders of images: the frames that they return, and their errors."""

import os
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from agent.camera.address import parse_cameras
from agent.camera.open import make_source
from agent.camera.opencv import as_bgr
from agent.camera.recording import Recording
from agent.domain import Frame
from agent.errors import CameraLost
from tests.fakes.clock import ManualClock


def recording(path: Path, fps: float = 0) -> Recording:
    [address] = parse_cameras(f"'demo={path}'")
    source = make_source(
        address, fps=fps, stall=2.0, clock=ManualClock(12.5, wall=1_700_000_000.0), boot_id="boot"
    )
    assert isinstance(source, Recording)
    return source


def drain(source: Recording) -> list[Frame]:
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    source.close()
    return frames


def write(path: Path, level: int = 100) -> None:
    assert cv2.imwrite(str(path), np.full((20, 30, 3), level, np.uint8))


def test_a_video_is_sampled_on_its_own_clock(clip: Path) -> None:
    frames = drain(recording(clip, fps=5))

    assert [frame.source_frame for frame in frames] == list(range(0, 250, 5))
    assert [frame.sequence for frame in frames] == list(range(50))
    assert [frame.at for frame in frames] == pytest.approx([k / 5 for k in range(50)])
    first = frames[0]
    assert (first.camera, first.stream) == ("demo", "bikes.mp4")
    assert (first.captured_at, first.monotonic_ns) == (1_700_000_000.0, 12_500_000_000)
    assert first.pixels.shape == (272, 640, 3)
    assert first.pixels.dtype == np.uint8


def test_without_fps_every_frame_of_a_video_is_returned(clip: Path) -> None:
    source = recording(clip)
    count = 0
    while (frame := source.read()) is not None:
        assert frame.source_frame == count
        count += 1

    assert count == 250
    assert source.read() is None
    source.close()


def test_an_fps_that_does_not_divide_the_rate_takes_the_first_frame_of_each_slot(
    clip: Path,
) -> None:
    source = recording(clip, fps=10)
    indexes = [frame.source_frame for _ in range(9) if (frame := source.read())]
    source.close()

    assert indexes == [0, 3, 5, 8, 10, 13, 15, 18, 20]


def test_a_recording_starts_again_after_close_and_its_sequence_continues(clip: Path) -> None:
    source = recording(clip, fps=5)
    source.close()
    first, second = source.read(), source.read()
    source.close()
    source.close()
    again = source.read()
    source.close()

    assert first
    assert second
    assert again
    assert (again.sequence, again.source_frame, again.at) == (2, 0, 0.0)
    assert np.array_equal(first.pixels, again.pixels)


def test_frames_do_not_share_memory(clip: Path) -> None:
    source = recording(clip)
    first, second = source.read(), source.read()
    source.close()

    assert first
    assert second
    assert not np.shares_memory(first.pixels, second.pixels)


def test_a_folder_is_read_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 2, 1):
        write(tmp_path / f"Frame{number}.png", number)
    write(tmp_path / "frame3.JPG", 3)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()

    frames = drain(recording(tmp_path, fps=2))

    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [1, 2, 3, 9, 10]
    assert [frame.at for frame in frames] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert [frame.source_frame for frame in frames] == [0, 1, 2, 3, 4]
    assert {frame.stream for frame in frames} == {tmp_path.name}


def test_a_folder_without_fps_has_five_images_per_second(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / f"{number}.bmp")

    assert [frame.at for frame in drain(recording(tmp_path))] == pytest.approx([0, 0.2, 0.4])


def test_an_unreadable_image_is_skipped_and_counted(tmp_path: Path) -> None:
    for number in (1, 5):
        write(tmp_path / f"{number}.jpg")
    (tmp_path / "2.jpg").write_bytes(b"")
    (tmp_path / "3.jpg").write_bytes(b"no image at all")
    (tmp_path / "4.jpg").symlink_to(tmp_path / "nowhere.jpg")
    source = recording(tmp_path)

    frames = drain(source)

    assert [frame.source_frame for frame in frames] == [0, 4]
    assert [frame.sequence for frame in frames] == [0, 1]
    assert source.unreadable == 3


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3), (8, 8, 4)])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tiff", ".TIF"])
def test_every_kind_of_image_becomes_bgr(
    tmp_path: Path, shape: tuple[int, ...], depth: type, suffix: str
) -> None:
    level = 200 if depth is np.uint8 else 200 * 257
    image: NDArray[Any] = np.full(shape, level, depth)
    if shape[2:] == (4,):
        image[..., 3] = np.iinfo(depth).max  # opaque
    assert cv2.imwrite(str(tmp_path / f"a{suffix}"), image)

    [frame] = drain(recording(tmp_path))

    assert frame.pixels.dtype == np.uint8
    assert frame.pixels.shape == (8, 8, 3)
    assert np.all(frame.pixels == 200)


@pytest.mark.parametrize("shape", [(8, 6), (8, 6, 1), (8, 6, 3), (8, 6, 4)])
@pytest.mark.parametrize(("depth", "level"), [(np.uint8, 200), (np.uint16, 200 * 256 + 99)])
def test_every_kind_of_frame_becomes_bgr(shape: tuple[int, ...], depth: type, level: int) -> None:
    pixels = as_bgr(np.full(shape, level, depth))

    assert pixels.dtype == np.uint8
    assert pixels.shape == (8, 6, 3)
    assert np.all(pixels == 200)


def test_a_file_name_may_contain_spaces_and_umlauts(tmp_path: Path, clip: Path) -> None:
    copy = tmp_path / "my clip: Küche 100%.mp4"
    copy.write_bytes(clip.read_bytes())
    source = recording(copy)
    frame = source.read()
    source.close()

    assert frame
    assert frame.stream == copy.name


def bad_recordings() -> list[tuple[str, bytes | None, str]]:
    return [
        ("gone.mp4", None, "not found. Check the path"),
        ("empty.mp4", b"", "the file is empty (0 bytes)"),
        ("noise.mp4", os.urandom(50_000), "FFmpeg finds no video in it"),
        ("notes.txt", b"a text file\n" * 50, "FFmpeg finds no video in it"),
        ("settings.json", b'{"fps": 5}', "FFmpeg finds no video in it"),
    ]


@pytest.mark.parametrize(("name", "content", "why"), bad_recordings(), ids=lambda value: None)
def test_the_error_of_a_bad_file_has_its_path_and_the_reason(
    tmp_path: Path, name: str, content: bytes | None, why: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert_lost(path, why)


def test_a_video_truncated_before_its_index_is_lost(tmp_path: Path, clip: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(clip.read_bytes()[:100_000])
    assert_lost(path, "the file may also be an incomplete copy")


def test_a_video_without_a_decodable_frame_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "hollow.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(3):
        writer.write(np.full((48, 64, 3), 90, np.uint8))
    writer.release()
    data = path.read_bytes()
    path.write_bytes(
        re.sub(rb"\xff\xd8.+?\xff\xd9", lambda m: bytes(len(m[0])), data, flags=re.DOTALL)
    )
    assert_lost(path, "no frame of the video can be decoded")


def test_an_empty_folder_is_lost(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    assert_lost(tmp_path, "no images in the folder. Supported are .bmp .jpeg .jpg")


def test_a_folder_without_a_readable_image_is_lost(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"none")
    (tmp_path / "b.png").write_bytes(b"none")
    assert_lost(tmp_path, "none of its 2 images can be read")


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """Opening it would block forever."""
    os.mkfifo(tmp_path / "pipe.mp4")
    assert_lost(tmp_path / "pipe.mp4", "it is neither a file nor a folder")


def test_a_path_through_a_file_is_lost(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    assert_lost(tmp_path / "a" / "clip.mp4", "Not a directory")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_recording_without_read_permission_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Root ignores permissions, so the refusal is simulated."""

    def refuse(*args: object, **keywords: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path
    if kind == "file":
        path = tmp_path / "clip.mp4"
        path.write_bytes(b"x")
        monkeypatch.setattr(os, "open", refuse)
    else:
        monkeypatch.setattr(Path, "iterdir", refuse)
    assert_lost(path, "permission denied. Make it readable")


def assert_lost(path: Path, why: str) -> None:
    source = recording(path)
    with pytest.raises(CameraLost) as caught:
        source.read()
    source.close()
    assert str(path) in str(caught.value)
    assert why in str(caught.value)
