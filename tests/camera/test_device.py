"""V4L2 devices: what is asked of a driver, what it gives, and which name lasts.

There is no such device where the tests run: a fake stands for OpenCV's, and keeps what it is told
as the drivers of webcams do, which take the nearest that they have.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.camera.address import parse_cameras
from agent.camera.device_names import name_advice
from agent.camera.open import make_source
from agent.system import SystemClock
from tests.fakes.log import Recorder

MJPG, YUYV = (float(cv2.VideoWriter.fourcc(*code)) for code in ("MJPG", "YUYV"))


class Webcam:
    """Gives YUYV of up to 640x480, MJPG of up to 1280x720, and 15 or 30 frames a second."""

    def __init__(self, path: str, backend: int) -> None:
        self.path, self.backend = path, backend
        self.code, self.width, self.height, self.fps = YUYV, 640.0, 480.0, 30.0
        self.order: list[int] = []
        self._count = 0

    def isOpened(self) -> bool:  # noqa: N802 (OpenCV's name)
        return True

    def set(self, setting: int, value: float) -> bool:
        self.order.append(setting)
        widest = 1280 if self.code == MJPG else 640
        if setting == cv2.CAP_PROP_FOURCC:
            self.code = value if value in (MJPG, YUYV) else self.code
        elif setting == cv2.CAP_PROP_FRAME_WIDTH:
            self.width = min(value, widest)
        elif setting == cv2.CAP_PROP_FRAME_HEIGHT:
            self.height = min(value, widest * 9 // 16)
        elif setting == cv2.CAP_PROP_FPS:
            self.fps = 15.0 if value < 20 else 30.0
        elif setting == cv2.CAP_PROP_BUFFERSIZE:
            raise cv2.error("not supported")
        return True

    def get(self, setting: int) -> float:
        return {
            cv2.CAP_PROP_FOURCC: self.code,
            cv2.CAP_PROP_FRAME_WIDTH: self.width,
            cv2.CAP_PROP_FRAME_HEIGHT: self.height,
            cv2.CAP_PROP_FPS: self.fps,
        }[setting]

    def grab(self) -> bool:
        self._count += 1
        return True

    def retrieve(self) -> tuple[bool, object]:
        shape = (int(self.height), int(self.width), 3)
        return True, np.full(shape, self._count % 250, np.uint8)

    def release(self) -> None:
        pass


def first_line(monkeypatch: pytest.MonkeyPatch, options: str) -> dict[str, object]:
    """Open the fake with these options; return the line that tells what its driver gives."""
    monkeypatch.setattr("agent.camera.device.cv2.VideoCapture", Webcam)
    recorder = Recorder()
    [address] = parse_cameras(f"yard=/dev/video7{options}")
    camera = make_source(
        address, fps=0, stall=60, clock=SystemClock(), boot_id="b", log=recorder.log
    )
    frame = camera.read()
    camera.close()
    assert frame is not None
    line = dict(recorder.one("driver configured"))
    assert line["size"] == f"{frame.pixels.shape[1]}x{frame.pixels.shape[0]}"
    return line


@pytest.mark.parametrize(
    ("options", "size", "fps", "code", "refused"),
    [
        ("", "640x480", 30.0, "YUYV", None),
        ("?size=1280x720&fps=15&format=MJPG", "1280x720", 15.0, "MJPG", None),
        ("?fps=15&format=mjpeg", "640x480", 15.0, "MJPG", None),
        ("?size=1280x720", "640x360", 30.0, "YUYV", "size=1280x720"),
        ("?size=640x360&fps=10", "640x360", 15.0, "YUYV", "fps=10"),
        ("?format=NV12&size=9x9&fps=60", "9x9", 30.0, "YUYV", "fps=60 format=NV12"),
    ],
)
def test_what_a_driver_gives_is_logged(
    monkeypatch: pytest.MonkeyPatch,
    options: str,
    size: str,
    fps: float,
    code: str,
    refused: str | None,
) -> None:
    line = first_line(monkeypatch, options)

    assert (line["size"], line["fps"], line["format"]) == (size, fps, code)
    assert line.get("refused") == refused
    assert line["log_level"] == ("info" if refused is None else "warning")
    assert line["camera"] == "yard"


def test_a_device_is_told_once_until_its_driver_gives_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent.camera.device.cv2.VideoCapture", Webcam)
    recorder = Recorder()
    [address] = parse_cameras("/dev/video7?fps=15")
    camera = make_source(
        address, fps=0, stall=60, clock=SystemClock(), boot_id="b", log=recorder.log
    )
    for _ in range(3):
        camera.read()
        camera.close()

    assert recorder.events == ["driver configured"]


class Machine:
    """Folders as udev and the kernel make them."""

    def __init__(self, root: Path) -> None:
        self.dev, self.sys = root / "dev", root / "sys"
        for folder in (self.dev / "v4l/by-id", self.dev / "v4l/by-path"):
            folder.mkdir(parents=True)

    def add(self, number: int, model: str, serial: str, socket: str) -> str:
        """Add a camera; of two with the same id the later one has the link, as udev does it."""
        path = self.dev / f"video{number}"
        path.touch()
        described = self.sys / f"class/video4linux/video{number}"
        described.mkdir(parents=True)
        (described / "name").write_text(f"{model}\n")
        for kind, name in (("by-id", f"usb-{serial}"), ("by-path", f"pci-{socket}")):
            for index in (0, 1):
                link = self.dev / f"v4l/{kind}/{name}-video-index{index}"
                link.unlink(missing_ok=True)
                link.symlink_to(path if index == 0 else self.dev / f"video{number + 1}")
        return str(path)

    def advice(self, source: str) -> str:
        return name_advice(source, dev=self.dev, sys=self.sys)


def test_a_numbered_device_has_a_lasting_name(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    first = machine.add(0, "HD Webcam", "HD_7A", "usb-0:1")
    machine.add(2, "Other", "Other_1", "usb-0:2")
    by_id = str(machine.dev / "v4l/by-id/usb-HD_7A-video-index0")

    assert machine.advice(first) == f"write {by_id}: the number of a device may change at a boot"
    assert machine.advice(by_id) == ""
    assert machine.advice(str(machine.dev / "v4l/by-path/pci-usb-0:1-video-index0")) == ""


def test_two_cameras_of_one_model_are_named_by_their_sockets(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    first = machine.add(0, "HD Webcam", "HD", "usb-0:1")
    second = machine.add(2, "HD Webcam", "HD", "usb-0:2")
    links = [f"{machine.dev}/v4l/by-path/pci-usb-0:{n}-video-index0" for n in (1, 2)]

    for source, link in ((first, links[0]), (second, links[1])):
        assert machine.advice(source).startswith(f"write {link}: another camera of this model")
    by_id = str(machine.dev / "v4l/by-id/usb-HD-video-index0")
    assert machine.advice(by_id).startswith(f"write {links[1]}: another camera of this model")
    assert machine.advice(links[0]) == machine.advice(links[1]) == ""


def test_two_cameras_of_one_model_with_serial_numbers_have_names(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    first = machine.add(0, "HD Webcam", "HD_1", "usb-0:1")
    machine.add(2, "HD Webcam", "HD_2", "usb-0:2")

    assert "by-id/usb-HD_1-video-index0" in machine.advice(first)


def test_without_udev_there_is_no_advice(tmp_path: Path) -> None:
    assert name_advice("/dev/video0", dev=tmp_path, sys=tmp_path) == ""
