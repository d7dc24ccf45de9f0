"""What `check` says of a camera: its rate, whether it changes, and why it cannot be read."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from threading import Event

import numpy as np
import pytest

from agent.camera.address import parse_cameras
from agent.camera.masked import MaskedSource
from agent.camera.masks import parse_masks
from agent.cli import camera_check
from agent.cli.camera_check import check_camera
from agent.domain import Frame
from agent.errors import CameraLost, ConfigurationError
from agent.ports import FrameSource
from agent.settings.load import without_environment
from agent.system import SystemClock
from tests.camera.conftest import StartRtsp
from tests.fakes.captures import frame
from tests.fakes.clock import ManualClock

STALL = 5.0


class Script:
    """A live camera that gives frames at the given times, each with the given level."""

    live = True
    unreadable = 0
    progress_at = 0.0
    passed_over = ""

    def __init__(self, clock: ManualClock, frames: Iterator[tuple[float, int]]) -> None:
        self.clock = clock
        self.closed = False
        self._start = clock.now
        self._frames = enumerate(frames)

    def read(self) -> Frame:
        number, (at, level) = next(self._frames)
        self.clock.now = max(self.clock.now, self._start + at)
        pixels = np.full((4, 6, 3), level, np.uint8)
        return replace(frame(sequence=number, at=self.clock.now), pixels=pixels)

    def close(self) -> None:
        self.closed = True


def checked(
    monkeypatch: pytest.MonkeyPatch,
    source: FrameSource,
    clock: ManualClock | SystemClock,
    address_text: str = "rtsp://host/live",
) -> str:
    monkeypatch.setattr(camera_check, "frame_source", lambda *_, **__: source)
    [address] = parse_cameras(address_text)
    return check_camera(address, without_environment(camera_stall=STALL), clock)


@pytest.mark.parametrize(
    ("fps", "shown"), [(1, " at 1.0 fps"), (25, " at 25.0 fps"), (0.25, ", 15.0 a minute")]
)
def test_frames_that_were_stored_do_not_count_for_the_rate(
    monkeypatch: pytest.MonkeyPatch, fps: float, shown: str
) -> None:
    clock = ManualClock()
    stored = [(0.01 * n, n) for n in range(20)]
    script = Script(clock, itertools.chain(stored, ((n / fps, n % 250) for n in itertools.count())))

    fact = checked(monkeypatch, script, clock)
    assert fact == f"rtsp://host/live: 6x4{shown}, fresh and changing"
    assert script.closed


def test_an_image_that_changes_late_is_not_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    script = Script(clock, ((n / 10, 7 if n < 80 else 8) for n in itertools.count()))

    assert "fresh and changing" in checked(monkeypatch, script, clock)


def test_an_image_that_does_not_change_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """`LiveCamera` knows whether such a camera is frozen, and would be lost."""
    clock = ManualClock()
    script = Script(clock, ((n / 10, 7) for n in itertools.count()))

    fact = checked(monkeypatch, script, clock)
    assert "at 10.0 fps; warning: the image did not change for 9 s" in fact
    assert "normal for a dark or empty scene" in fact


def test_a_size_that_changes_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    script = Script(clock, ((n / 10, n % 250) for n in itertools.count()))
    read = script.read

    def grown() -> Frame:
        got = read()
        return got if got.sequence < 9 else replace(got, pixels=np.zeros((8, 6, 3), np.uint8))

    monkeypatch.setattr(script, "read", grown)
    assert "warning: its size changed to 6x8" in checked(monkeypatch, script, clock)


def test_a_device_that_gives_something_else_than_asked_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its frames, whatever its driver says; and its lasting name is told."""
    monkeypatch.setattr(camera_check, "name_advice", lambda path: f"write {path}-by-id: it lasts")
    clock = ManualClock()

    def fact(options: str) -> str:
        script = Script(clock, ((n / 10, n % 250) for n in itertools.count()))
        return checked(monkeypatch, script, clock, f"/dev/video7{options}")

    advice = "; write /dev/video7-by-id: it lasts"
    asked = "/dev/video7?size=6x4&fps=10"
    assert fact("?size=6x4&fps=10") == f"{asked}: 6x4 at 10.0 fps, fresh and changing{advice}"
    assert "; warning: it does not give size=8x4 fps=25" in fact("?size=8x4&fps=25&format=MJPG")


def test_a_driver_that_hangs_does_not_hang_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hung(Script):
        let_go = Event()

        def read(self) -> Frame:
            self.let_go.wait(60)
            raise CameraLost("it was let go")

    clock = ManualClock(step=10.0)
    hung = Hung(clock, iter(()))
    with pytest.raises(CameraLost, match="a call into its driver or connection has not returned"):
        checked(monkeypatch, hung, clock)
    hung.let_go.set()


def test_a_slow_rtsp_camera_has_its_true_rate(start_rtsp: StartRtsp) -> None:
    [address] = parse_cameras(start_rtsp(fps=2).url)
    for _ in range(10):  # a busy machine may hold frames up
        fact = check_camera(address, without_environment(camera_stall=60.0), SystemClock())
        if "at 2.0 fps" in fact:
            break

    assert "320x240 at 2.0 fps, fresh and changing" in fact


def masked_check(monkeypatch: pytest.MonkeyPatch, masks: str) -> str:
    clock = ManualClock()
    script = Script(clock, ((n * 0.2, n % 200) for n in itertools.count()))
    return checked(monkeypatch, MaskedSource(script, parse_masks(masks)), clock)


def test_what_masks_hide_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "6x4 (50.0% hidden by AGENT_MASKS)" in masked_check(monkeypatch, "0,0 3,0 3,4 0,4")


def test_a_mask_outside_of_the_frames_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="lies outside of its frames, which have 6x4"):
        masked_check(monkeypatch, "9,0 12,0 12,4")
