"""Each documented source with a real program of Debian: ffmpeg, GStreamer, ustreamer, motion."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent.camera.address import parse_cameras
from agent.camera.images.file import decode_image
from agent.camera.open import make_source
from agent.domain import Frame
from agent.errors import CameraLost
from agent.system import SystemClock
from tests.camera.mjpeg_server import MjpegServer
from tests.ports import free_port

pytestmark = pytest.mark.slow

TEST_VIDEO = "ffmpeg -v error -re -f lavfi -i testsrc=size=320x240:rate=10"
GST = "gst-launch-1.0 -q videotestsrc is-live=true pattern=ball"
GST_SIZE = "video/x-raw,width=320,height=240,framerate=10/1"
COMMANDS = [
    f"{TEST_VIDEO} -c:v mjpeg -f mjpeg -",
    f"{TEST_VIDEO} -f mpjpeg -",
    f"{TEST_VIDEO} -f mpegts - | ffmpeg -v error -f mpegts -i - -c:v mjpeg -f mjpeg -",
    f"{GST} ! {GST_SIZE} ! jpegenc ! fdsink",
    f"{GST.replace(' -q', '')} ! {GST_SIZE} ! jpegenc ! fdsink",
    f"{GST} ! {GST_SIZE} ! jpegenc ! multipartmux ! fdsink",
]
RAW = [
    f"{TEST_VIDEO} -pix_fmt yuv420p -f rawvideo -",
    f"{GST} ! {GST_SIZE},format=I420 ! fdsink",
]


def needs(program: str, package: str) -> None:
    if shutil.which(program) is None:
        reason = f"needs {program} of the Debian package {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def frames(source: str, count: int = 6) -> list[Frame]:
    [address] = parse_cameras(source)
    camera = make_source(address, fps=0, stall=20, clock=SystemClock(), boot_id="b")
    try:
        found = [camera.read() for _ in range(count)]
    finally:
        camera.close()
    return [frame for frame in found if frame is not None]


def program_of(command: str) -> None:
    name, package = ("ffmpeg", "ffmpeg")
    if command.startswith("gst"):
        name, package = ("gst-launch-1.0", "gstreamer1.0-tools")
    needs(name, package)


@pytest.mark.parametrize("command", COMMANDS)
def test_mjpeg_of_a_program_is_read_and_its_bytes_are_kept(command: str) -> None:
    program_of(command)
    seen = frames(f"""exec:sh -c '{command}'""" if " | " in command else f"exec:{command}")

    for frame in seen:
        assert frame.pixels.shape == (240, 320, 3)
        assert frame.jpeg is not None
        assert np.array_equal(decode_image(frame.jpeg), frame.pixels)
    assert not np.array_equal(seen[0].pixels, seen[-1].pixels)


@pytest.mark.parametrize("command", RAW)
def test_raw_frames_of_a_program_are_read(command: str) -> None:
    program_of(command)
    seen = frames(f"exec:{command}?format=i420&size=320x240")

    assert {frame.pixels.shape for frame in seen} == {(240, 320, 3)}
    assert not np.array_equal(seen[0].pixels, seen[-1].pixels)


def test_the_colours_of_raw_frames_are_those_of_the_program() -> None:
    needs("ffmpeg", "ffmpeg")
    source = "ffmpeg -v error -re -f lavfi -i color=0x2060c0:size=64x48:rate=10"
    [frame] = frames(f"exec:{source} -pix_fmt yuv420p -f rawvideo -?format=i420&size=64x48", 1)

    assert np.abs(frame.pixels.astype(int) - (0xC0, 0x60, 0x20)).max() <= 4


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ("-c:v libx264 -f h264 -", "H.264 or H.265"),
        ("-f mpegts -", "an MPEG transport stream"),
        ("-f matroska -", "Matroska or WebM"),
        ("-c:v libx264 -movflags frag_keyframe+empty_moov -f mp4 -", "MP4"),
        ("-pix_fmt yuv420p -f yuv4mpegpipe -", "YUV4MPEG"),
        ("-c:v png -f image2pipe -", "PNG images"),
        ("-f avi -c:v mpeg4 -", "AVI"),
    ],
)
def test_another_format_of_a_real_program_is_named(options: str, name: str) -> None:
    needs("ffmpeg", "ffmpeg")
    with pytest.raises(CameraLost, match=f"it writes {name}.*Let it write MJPEG"):
        frames(f"exec:{TEST_VIDEO} {options}")


def test_a_program_that_cannot_open_its_camera_says_why() -> None:
    needs("ffmpeg", "ffmpeg")
    with pytest.raises(CameraLost, match=r"ffmpeg ended with exit code .*No such file"):
        frames("exec:ffmpeg -v error -f v4l2 -i /dev/video99 -c copy -f mjpeg -")


@pytest.fixture
def served() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Servers that are ended after the test."""
    programs: list[subprocess.Popen[bytes]] = []
    yield programs
    for program in programs:
        program.kill()
        program.wait()


def wait_for_port(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the server did not start")


@pytest.mark.parametrize("path", ["stream", "snapshot"])
def test_ustreamer_is_read(served: list[subprocess.Popen[bytes]], path: str) -> None:
    """Without a device it serves its own image, which has metadata."""
    needs("ustreamer", "ustreamer")
    port = free_port()
    command = ["ustreamer", "--device", "/dev/video99", "--host", "127.0.0.1", "--port", str(port)]
    served.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
    wait_for_port(port)
    [frame] = frames(f"http://127.0.0.1:{port}/{path}", 1)

    assert frame.pixels.shape == (480, 640, 3)
    assert frame.jpeg is not None
    assert np.array_equal(decode_image(frame.jpeg), frame.pixels)
    assert b"xpacket" not in frame.jpeg


def test_motion_is_read(
    served: list[subprocess.Popen[bytes]], mjpeg: MjpegServer, tmp_path: Path
) -> None:
    """It reads another camera of the network and serves it again."""
    needs("motion", "motion")
    port = free_port()
    settings = tmp_path / "motion.conf"
    settings.write_text(
        f"netcam_url {mjpeg.url}\nwidth 320\nheight 240\nframerate 15\nstream_maxrate 15\n"
        f"stream_port {port}\nstream_localhost on\nwebcontrol_port 0\ntarget_dir {tmp_path}\n"
        "movie_output off\n"
    )
    served.append(
        subprocess.Popen(
            ["motion", "-n", "-c", str(settings)], stderr=subprocess.DEVNULL, cwd=tmp_path
        )
    )
    wait_for_port(port)
    until = time.monotonic() + 60
    seen: list[Frame] = []
    while not seen and time.monotonic() < until:  # it closes connections until its camera is there
        with contextlib.suppress(CameraLost):
            seen = frames(f"http://127.0.0.1:{port}/")

    assert {frame.pixels.shape for frame in seen} == {(240, 320, 3)}
    assert all(frame.jpeg is not None for frame in seen)
