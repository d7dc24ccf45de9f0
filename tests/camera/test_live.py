"""Cameras that freeze, fail and recover: real servers, real sockets, real time."""

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.camera.address import parse_cameras
from agent.camera.connection import CameraImage
from agent.camera.device import converted
from agent.camera.live import LiveCamera
from agent.camera.open import make_source
from agent.domain import Frame
from agent.errors import CameraLost
from agent.redaction import redact_camera
from agent.system import SystemClock
from tests.camera.conftest import StartRtsp
from tests.camera.mjpeg_server import HEIGHT, WIDTH, MjpegServer
from tests.camera.rtsp_camera import RtspServer
from tests.ports import free_port
from tests.runtime.runtime_builders import wait_until

STALL = 2.0
PATIENT = 30.0  # where no camera is to be lost
MARGIN = 25.0  # seconds, for a busy machine


def live(source: str, fps: float = 0, *, stall: float = PATIENT) -> LiveCamera:
    [address] = parse_cameras(f"yard={source}")
    camera = make_source(address, fps=fps, stall=stall, clock=SystemClock(), boot_id="boot-7")
    assert isinstance(camera, LiveCamera)
    return camera


@pytest.fixture
def camera(mjpeg: MjpegServer) -> Iterator[LiveCamera]:
    with contextlib.closing(live(mjpeg.url)) as camera:
        yield camera


def patiently(scenario: Callable[[float], None]) -> None:
    """Run what takes real time with a short stall, and if it fails with a long one.

    A busy machine may stop a camera or its reader for longer than the short one.
    """
    try:
        scenario(STALL)
    except (AssertionError, CameraLost):
        scenario(PATIENT)


def with_mjpeg(scenario: Callable[[MjpegServer, LiveCamera, float], None]) -> Callable[[], None]:
    """Make a test of a scenario with an MJPEG camera, which is lost after the given stall."""

    def once(stall: float) -> None:
        with contextlib.ExitStack() as stack:
            mjpeg = MjpegServer()
            mjpeg.start()
            stack.callback(mjpeg.stop)
            camera = stack.enter_context(contextlib.closing(live(mjpeg.url, stall=stall)))
            scenario(mjpeg, camera, stall)

    return lambda: patiently(once)


def frames(camera: LiveCamera, count: int) -> list[Frame]:
    return [camera.read() for _ in range(count)]


def lost(camera: LiveCamera) -> tuple[str, float]:
    """Read until the camera is lost; return the message and the seconds that it took."""
    started = time.monotonic()
    try:
        while time.monotonic() - started < 4 * PATIENT:
            camera.read()
    except CameraLost as exc:
        return str(exc), time.monotonic() - started
    raise AssertionError("the camera was not lost")


def test_an_rtsp_camera_is_lost_and_recovers_after_each_failure(start_rtsp: StartRtsp) -> None:
    def scenario(stall: float) -> None:
        rtsp = start_rtsp()
        with contextlib.closing(live(rtsp.url, stall=stall)) as camera:
            fail_and_recover(rtsp, camera, stall)

    patiently(scenario)


def fail_and_recover(rtsp: RtspServer, camera: LiveCamera, stall: float) -> None:
    seen = frames(camera, 10)
    assert seen[0].pixels.shape == (240, 320, 3)
    assert not np.array_equal(seen[0].pixels, seen[-1].pixels)

    rtsp.suspend()
    message, after = lost(camera)
    assert message.startswith(f"cannot read camera {redact_camera(rtsp.url)}: no new frame for ")
    assert after < stall + MARGIN
    camera.close()

    rtsp.resume()
    assert camera.read().pixels.shape == (240, 320, 3)

    rtsp.kill()
    message, after = lost(camera)
    assert "it stopped sending frames" in message
    assert after < stall + MARGIN
    camera.close()

    message, after = lost(camera)
    shown = redact_camera(rtsp.url)
    assert message.startswith(f"cannot open camera {shown}: 127.0.0.1 refuses connections at port")
    assert after < stall + MARGIN
    camera.close()

    assert rtsp.start()
    before = camera.read()
    after_restart = camera.read()
    assert after_restart.sequence == before.sequence + 1 > 12


def test_an_rtsp_camera_that_changes_its_size_gives_each_frame_as_it_is(rtsp: RtspServer) -> None:
    camera = live(rtsp.at("resized"))
    shapes = [camera.read().pixels.shape]
    rtsp.resize()
    while shapes[-1] != (720, 1280, 3) and len(shapes) < 300:
        shapes.append(camera.read().pixels.shape)
    camera.close()

    assert set(shapes) == {(360, 640, 3), (720, 1280, 3)}


def test_smeared_frames_of_an_rtsp_camera_are_not_given(rtsp: RtspServer) -> None:
    """Its image has the same colours in each row; where packets were lost, they differ."""
    camera = live(rtsp.at("lossy"))
    worst, seen = 0.0, 0
    while seen < 60 or (camera.unreadable == 0 and seen < 3000):
        rows = camera.read().pixels[8:140].astype(int)
        worst = max(worst, float(np.abs(rows - rows[:1]).mean(axis=(1, 2)).max()))
        seen += 1
    camera.close()

    assert camera.unreadable > 0
    assert worst < 4


def test_an_rtsp_camera_without_tcp_is_read_over_udp(start_rtsp: StartRtsp) -> None:
    camera = live(start_rtsp(kind="udp").url)
    seen = frames(camera, 5)
    camera.close()

    assert seen[0].pixels.shape == (240, 320, 3)


def test_an_rtsp_camera_with_a_password_is_read(start_rtsp: StartRtsp) -> None:
    server = start_rtsp(kind="locked")
    camera = live(server.at("ball", "me:secret@"))
    assert len(frames(camera, 2)) == 2
    camera.close()

    for user, why in (("", "it asks for user and password"), ("me:x@", "it refuses user and")):
        message, _ = lost(live(server.at("ball", user)))
        assert why in message


def test_a_dark_rtsp_camera_is_not_frozen(rtsp: RtspServer) -> None:
    """Its encoder drops the noise: all frames are equal in every bit."""

    def scenario(stall: float) -> None:
        with contextlib.closing(live(rtsp.at("dark"), stall=stall)) as camera:
            first = last = frames(camera, 21)[-1]
            while last.at - first.at <= 1.2 * stall:
                last = camera.read()
        assert np.array_equal(first.pixels, last.pixels)

    patiently(scenario)


def test_interlaced_frames_of_an_rtsp_camera_are_decoded(rtsp: RtspServer) -> None:
    """A decoder may report them without writing their pixels."""
    camera = live(rtsp.at("interlaced"))
    seen = frames(camera, 5)
    camera.close()

    for frame in seen:
        assert frame.pixels.shape == (240, 320, 3)
        assert frame.pixels.max() > 200  # the ball
        assert np.median(frame.pixels) < 20
    assert not np.array_equal(seen[0].pixels, seen[-1].pixels)


def test_an_rtsp_camera_is_reduced_to_fps(rtsp: RtspServer) -> None:
    camera = live(rtsp.url, fps=4)
    camera.read()
    seen = frames(camera, 8)
    camera.close()

    assert 7 / 4 - 0.5 < seen[-1].at - seen[0].at < MARGIN


def test_a_frame_has_its_times_and_the_name_of_its_clock(
    mjpeg: MjpegServer, camera: LiveCamera
) -> None:
    before = time.monotonic(), time.time()
    first, second = frames(camera, 2)
    after = time.monotonic(), time.time()

    assert before[0] <= first.at < second.at <= after[0]
    assert before[1] <= first.captured_at <= second.captured_at <= after[1]
    assert second.monotonic_ns == int(second.at * 1e9)
    assert (second.camera, second.stream, second.source_frame) == ("yard", "boot-7", None)
    assert (first.sequence, second.sequence) == (0, 1)
    assert second.pixels.shape == (HEIGHT, WIDTH, 3)
    assert second.pixels.dtype == np.uint8
    assert not np.array_equal(first.pixels, second.pixels)


def test_only_due_frames_are_returned_and_they_are_new(mjpeg: MjpegServer) -> None:
    """After a pause of the reader, the frames of the pause are skipped."""
    camera = live(mjpeg.url, fps=4)
    camera.read()
    seen = frames(camera, 6)
    assert 5 / 4 - 0.5 < seen[-1].at - seen[0].at < MARGIN

    before = mjpeg.served
    wait_until(lambda: mjpeg.served >= before + 40)
    frames(camera, 2)
    bar = int(np.argmax(camera.read().pixels[0, :, 0]))
    camera.close()
    assert (bar - before) % WIDTH > 30, "three frames at 4 a second are 15 of those sent"


@with_mjpeg
def test_an_mjpeg_camera_that_sends_nothing_is_lost(
    mjpeg: MjpegServer, camera: LiveCamera, stall: float
) -> None:
    frames(camera, 3)
    mjpeg.silent.set()
    message, after = lost(camera)

    assert "no new frame for " in message
    assert stall - 0.2 <= after < stall + MARGIN

    camera.close()
    mjpeg.silent.clear()
    assert camera.read().sequence >= 3


@with_mjpeg
def test_an_mjpeg_camera_is_lost_and_recovers_after_a_restart(
    mjpeg: MjpegServer, camera: LiveCamera, stall: float
) -> None:
    seen = frames(camera, 3)
    mjpeg.stop()
    message, after = lost(camera)
    assert "it stopped sending frames" in message
    assert after < stall + MARGIN

    camera.close()
    assert "Connection refused" in lost(camera)[0]

    camera.close()
    mjpeg.start()
    assert camera.read().sequence > seen[-1].sequence


@with_mjpeg
def test_a_camera_that_repeats_one_image_is_lost_until_the_image_changes(
    mjpeg: MjpegServer, camera: LiveCamera, stall: float
) -> None:
    frames(camera, 3)
    mjpeg.stuck.set()
    message, after = lost(camera)
    assert "frozen: the same image for " in message
    assert stall - 0.2 <= after < stall + MARGIN

    camera.close()
    with pytest.raises(CameraLost, match="frozen: the same image for"):
        camera.read()

    camera.close()
    mjpeg.stuck.clear()
    frames(camera, 3)


@with_mjpeg
def test_the_time_between_two_connections_does_not_count_as_frozen(
    mjpeg: MjpegServer, camera: LiveCamera, stall: float
) -> None:
    mjpeg.stuck.set()
    camera.read()
    camera.close()
    time.sleep(stall)

    assert camera.read().sequence == 1


@with_mjpeg
def test_a_camera_whose_images_cannot_be_decoded_is_lost(
    mjpeg: MjpegServer, camera: LiveCamera, stall: float
) -> None:
    frames(camera, 3)
    mjpeg.garbled.set()
    message, after = lost(camera)

    assert "no intact frame for " in message
    assert after < stall + MARGIN


def test_a_password_in_the_address_is_used_and_never_shown(mjpeg: MjpegServer) -> None:
    mjpeg.credentials = "me:p@ss/word"
    camera = live(f"http://me:p%40ss%2Fword@127.0.0.1:{mjpeg.port}/video?token=abc")
    assert len(frames(camera, 2)) == 2
    camera.close()

    mjpeg.credentials = "me:another"
    message, after = lost(camera)
    camera.close()
    assert message == (
        f"cannot open camera http://***@127.0.0.1:{mjpeg.port}/video?token=***: "
        "it refuses user and password (status 401). Check both, and write special characters of a "
        "password as %XX; many cameras lock a user for minutes after a few wrong ones"
    )
    assert after < MARGIN


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("/dev/video250", "no such device; "),
        ("/dev/null", "it sends no video. Another program may use it"),
        ("/dev/shm", "it is not a device"),
        ("http://127.0.0.1:PORT/", "(Connection refused). Check host and port"),
        ("rtsp://u:hunter2@127.0.0.1:PORT/", "Connection refused"),
        ("http://no-such-host.invalid/", "the name no-such-host.invalid is unknown"),
    ],
)
def test_the_error_of_a_camera_that_cannot_be_opened_has_the_reason(source: str, why: str) -> None:
    camera = live(source.replace("PORT", str(free_port())))
    message, _ = lost(camera)
    camera.close()

    assert message.startswith("cannot open camera ")
    assert why in message
    assert "hunter2" not in message


def test_the_error_of_a_missing_device_lists_the_existing_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def glob(folder: Path, pattern: str) -> list[Path]:
        return [folder / "video1", folder / "video0"] if pattern == "video*" else []

    camera = live("250")
    monkeypatch.setattr(Path, "glob", glob)
    assert "there are /dev/video0, /dev/video1" in lost(camera)[0]
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: [])
    assert "there are no video devices" in lost(camera)[0]


def test_the_error_of_a_device_without_permission_names_the_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Root ignores permissions, so the refusal is simulated."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    assert "Add the agent's user to the group `video`" in lost(live("/dev/null"))[0]


def test_a_camera_that_does_not_respond_does_not_delay_another(mjpeg: MjpegServer) -> None:
    mjpeg.silent.set()  # it accepts and sends nothing: opening takes the whole timeout
    dead = live(mjpeg.url)
    other = MjpegServer()
    other.start()
    waiting = threading.Thread(target=lost, args=(dead,))
    waiting.start()
    try:
        time.sleep(0.3)
        camera = live(other.url)
        started = time.monotonic()
        camera.read()
        took = time.monotonic() - started
        camera.close()
        assert waiting.is_alive()
        assert took < MARGIN
    finally:
        mjpeg.stop()
        waiting.join()
        other.stop()


def test_libraries_write_nothing_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    lost(live(f"rtsp://u:hunter2@127.0.0.1:{free_port()}/"))

    @with_mjpeg
    def lose(mjpeg: MjpegServer, camera: LiveCamera, _: float) -> None:
        frames(camera, 1)
        mjpeg.silent.set()
        lost(camera)

    lose()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 6, 3), np.float32),
        np.zeros((4, 6, 2), np.uint8),
        np.zeros((4, 6, 5), np.uint16),
        np.zeros((0, 6, 3), np.uint8),
        np.zeros(24, np.uint8),
        np.broadcast_to(np.uint8(0), (20_000, 20_000, 3)),
    ],
)
def test_an_odd_image_of_a_driver_is_no_frame(
    monkeypatch: pytest.MonkeyPatch, image: np.ndarray[Any, Any]
) -> None:
    """Whatever a driver hands on, one check lies before all others."""
    good = np.full((4, 6, 3), 90, np.uint8)
    images = itertools.cycle([image, good, good + 1])

    class Driver:
        paced, fresh = False, True

        def due_in(self) -> float:
            return 0.0

        def grab(self) -> bool:
            return True

        def retrieve(self) -> CameraImage:
            return CameraImage(converted(next(images)))

        def close(self) -> None:
            pass

    camera = live("0")
    monkeypatch.setattr(camera, "_open", Driver)
    seen = frames(camera, 4)
    camera.close()

    assert camera.unreadable == 2
    assert all(frame.pixels.shape == (4, 6, 3) for frame in seen)
