"""Folders of images: what is read and what is passed over, and the times of the images."""

import os
from pathlib import Path

import pytest
from PIL import Image

from agent.camera.address import parse_cameras
from agent.camera.images.folder import image_folder
from agent.camera.length import Length, length_of
from agent.camera.recording import Recording
from agent.errors import CameraLost
from tests.fakes.clock import ManualClock

DAY = 1_700_000_000.0


def recording(path: Path, fps: float = 0) -> Recording:
    [address] = parse_cameras(f"'demo={path}'")
    return Recording(address, fps=fps, clock=ManualClock())


def times(path: Path, fps: float = 0) -> list[float]:
    source = recording(path, fps)
    found = []
    while (frame := source.read()) is not None:
        found.append(frame.at)
    return found


def why_lost(path: Path) -> str:
    with pytest.raises(CameraLost) as caught:
        recording(path).read()
    return str(caught.value)


def image(path: Path, *, taken: str = "", changed: float = DAY) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    Image.new("RGB", (32, 24), (90, 120, 150)).save(path, exif=exif)
    os.utime(path, (changed, changed))


def test_images_are_at_the_times_that_exif_states(tmp_path: Path) -> None:
    for number, minute in enumerate((0, 2, 5)):
        image(tmp_path / f"{number}.jpg", taken=f"2026:03:01 08:{minute:02}:00")

    assert times(tmp_path) == [0, 120, 300]
    assert times(tmp_path, fps=5) == [0, 120, 300]


def test_images_of_one_second_are_a_step_apart(tmp_path: Path) -> None:
    for number, second in enumerate((0, 0, 0, 10)):
        image(tmp_path / f"{number}.jpg", taken=f"2026:03:01 08:00:{second:02}")

    assert times(tmp_path, fps=4) == [0, 0.25, 0.5, 10.5]


def test_images_that_are_not_in_the_order_of_time_are_as_far_apart_as_they_were(
    tmp_path: Path,
) -> None:
    for number, minute in enumerate((5, 0, 3)):
        image(tmp_path / f"{number}.jpg", taken=f"2026:03:01 08:{minute:02}:00")

    assert times(tmp_path) == [0, 300, 480]


def test_a_damaged_image_does_not_hide_the_times_of_the_others(tmp_path: Path) -> None:
    for number in range(4):
        image(tmp_path / f"{number}.jpg", taken=f"2026:03:01 08:0{number}:00")
    (tmp_path / "9.jpg").write_bytes(b"no image")

    assert times(tmp_path) == [0, 60, 120, 180]


NAMES = [
    pytest.param(["20260301_080000.jpg", "20260301_080500.jpg"], 300, id="date_time"),
    pytest.param(["IMG_20260301_235959.jpg", "IMG_20260302_000001.jpg"], 2, id="over midnight"),
    pytest.param(["2026-03-01T08-00-00.5.jpg", "2026-03-01T08-00-10.jpg"], 9.5, id="fraction"),
    pytest.param(["cam 2026-03-01 08.00.00.png", "cam 2026-03-01 09.00.00.png"], 3600, id="dots"),
    pytest.param(["cam_1700000000.jpg", "cam_1700000060.jpg"], 60, id="seconds since 1970"),
    pytest.param(["1700000000123.jpg", "1700000030123.jpg"], 30, id="milliseconds since 1970"),
    pytest.param(["frame_000001.jpg", "frame_000002.jpg"], 0.2, id="numbers"),
    pytest.param(["20261301_080000.jpg", "20261301_090000.jpg"], 0.2, id="no 13th month"),
    pytest.param(["20260301_080000.jpg", "other.jpg"], 0.2, id="not all"),
]


@pytest.mark.parametrize(("names", "gap"), NAMES)
def test_images_are_at_the_times_that_their_names_state(
    tmp_path: Path, names: list[str], gap: float
) -> None:
    for name in names:
        image(tmp_path / name)

    assert times(tmp_path) == [0, pytest.approx(gap)]


@pytest.mark.parametrize(
    ("changed", "gap"),
    [((0, 60, 180), [0, 60, 180]), ((0, 0.1, 0.2), [0, 0.2, 0.4]), ((60, 0, 30), [0, 0.2, 0.4])],
    ids=["minutes apart", "copied", "in another order"],
)
def test_times_of_change_are_used_if_the_images_were_not_just_copied(
    tmp_path: Path, changed: tuple[float, ...], gap: list[float]
) -> None:
    for number, at in enumerate(changed):
        image(tmp_path / f"{number}.jpg", changed=DAY + at)

    assert times(tmp_path) == pytest.approx(gap)


def test_the_length_of_a_folder_follows_its_times(tmp_path: Path) -> None:
    for number, minute in enumerate((0, 1, 2, 3)):
        image(tmp_path / f"{number}.jpg", taken=f"2026:03:01 08:{minute:02}:00")
    [address] = parse_cameras(f"'demo={tmp_path}'")

    assert length_of(address, fps=5) == Length(4, 240)
    assert length_of(address, fps=5).analysed(5) == 4


def test_what_is_no_image_is_counted(tmp_path: Path) -> None:
    image(tmp_path / "a.jpg")
    image(tmp_path / "b.jfif.gif")
    for name in ("a.txt", "b.txt", "c.HEIC", "README", ".hidden"):
        (tmp_path / name).write_text("x")
    (tmp_path / "more").mkdir()
    source = recording(tmp_path)
    source.read()

    assert source.passed_over == "2 .txt, 1 .heic, 1 folder, 1 others"
    source.close()


def test_the_images_of_subfolders_are_named(tmp_path: Path) -> None:
    for name in ("train/images/a.jpg", "train/images/b.png", "valid/images/c.jpg"):
        image(tmp_path / name)

    assert (
        "it contains 2 folders. Folders in it are not read; give the one with the images: "
        "train/images (2), valid/images (1)"
    ) in why_lost(tmp_path)


def test_many_subfolders_are_named_in_part(tmp_path: Path) -> None:
    for number in range(5):
        image(tmp_path / str(number) / "a.jpg")

    assert "0 (1), 1 (1), 2 (1) and 2 more" in why_lost(tmp_path)


def test_the_videos_of_a_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "b.MKV").write_bytes(b"x")

    assert (
        "it contains 1 .mp4, 1 .mkv. Each video is a recording of its own: give its path"
    ) in why_lost(tmp_path)


def test_a_name_with_control_characters_is_shown_without_them(tmp_path: Path) -> None:
    (tmp_path / "a.\x1b[31m").write_bytes(b"x")
    image(tmp_path / "b\n\x1b[31m" / "c.jpg")

    assert why_lost(tmp_path).isprintable()


def test_special_files_are_skipped_and_counted(tmp_path: Path) -> None:
    image(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / "b.jpg")
    source = recording(tmp_path)

    assert source.read() is not None
    assert source.read() is None
    assert source.unreadable == 1


def test_a_folder_keeps_the_natural_order(tmp_path: Path) -> None:
    for name in ("10.png", "9.JPG", "1.webp"):
        image(tmp_path / name)

    assert [path.name for path in image_folder(tmp_path).images] == ["1.webp", "9.JPG", "10.png"]
