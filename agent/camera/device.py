"""A V4L2 device, read by OpenCV."""

import os
import stat
from pathlib import Path
from typing import Any

import cv2

from agent.camera.connection import CameraImage
from agent.camera.device_options import DeviceSource, parse_device
from agent.camera.opencv import as_bgr, grab, prepare, retrieve
from agent.camera.source_options import MAX_SIDE
from agent.domain import Pixels
from agent.errors import CameraLost, UnusableImage

_MOST_FPS = 10_000.0


class Device:
    """An open V4L2 device, as a `Connection`.

    `grab` takes up to 10 s, the timeout of OpenCV, if the device sends nothing.
    """

    paced = False
    fresh = True

    def __init__(self, source: str) -> None:
        """Open the device at the path `source`, and ask its driver for what the options say.

        Raises:
            CameraLost: It cannot be opened; the message is the reason alone.
        """
        prepare()
        self.asked = parse_device(source)
        path = self.asked.path
        # OpenCV's V4L2 backend takes no timeout.
        self._capture: Any = cv2.VideoCapture(os.path.realpath(path), cv2.CAP_V4L2)
        if self._capture.isOpened():
            self._ask()
        if not self._capture.isOpened():
            self._capture.release()
            raise CameraLost(_why_no_device(path))
        self.given = self._given()
        """What the driver says that it gives; None where it does not say."""

    def due_in(self) -> float:
        """See `Connection`."""
        return 0.0

    def grab(self) -> bool:
        """See `Connection`."""
        return grab(self._capture)

    def retrieve(self) -> CameraImage:
        """See `Connection`."""
        raw = retrieve(self._capture)
        if raw is None:
            raise UnusableImage("cannot use an image: the device sent one that cannot be decoded")
        return CameraImage(converted(raw))

    def close(self) -> None:
        """See `Connection`."""
        self._capture.release()

    def _ask(self) -> None:
        """Set the options; a driver takes the nearest that it has, which `given` tells."""
        asked = self.asked
        if asked.format is not None:  # first: it decides which sizes and rates there are
            self._set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*asked.format))
        if asked.size is not None:
            self._set(cv2.CAP_PROP_FRAME_WIDTH, asked.size[0])
            self._set(cv2.CAP_PROP_FRAME_HEIGHT, asked.size[1])
        if asked.fps is not None:
            self._set(cv2.CAP_PROP_FPS, asked.fps)
        self._set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def _set(self, setting: int, value: float) -> None:
        try:
            self._capture.set(setting, value)
        except cv2.error:  # refused, like a return of False
            return

    def _get(self, setting: int) -> float:
        try:
            return float(self._capture.get(setting))
        except cv2.error:
            return 0.0

    def _given(self) -> DeviceSource:
        width = self._get(cv2.CAP_PROP_FRAME_WIDTH)
        height = self._get(cv2.CAP_PROP_FRAME_HEIGHT)
        fps, code = self._get(cv2.CAP_PROP_FPS), self._get(cv2.CAP_PROP_FOURCC)
        known = all(0 < side <= MAX_SIDE for side in (width, height))
        letters = int(code).to_bytes(4, "little") if 0 < code < 2**32 else b""
        form = letters.decode("ascii", "replace").strip()
        return DeviceSource(
            self.asked.path,
            (int(width), int(height)) if known else None,
            round(fps, 2) if 0 < fps <= _MOST_FPS else None,
            form if form.isprintable() and form else None,
        )


def converted(raw: Any) -> Pixels:
    """Convert an image of a driver to BGR; raises `UnusableImage` if its format is unknown."""
    try:
        return as_bgr(raw)
    except (TypeError, ValueError, IndexError, cv2.error) as error:
        raise UnusableImage("cannot use an image of the device: its format is unknown") from error


def _why_no_device(source: str) -> str:
    device = Path(source)
    try:
        is_device = stat.S_ISCHR(device.stat().st_mode)
    except FileNotFoundError:
        present = sorted(str(path) for path in Path("/dev").glob("video*"))
        listed = f"there are {', '.join(present)}" if present else "there are no video devices"
        return f"no such device; {listed}. Check the cable, or choose one of /dev/v4l/by-id"
    except OSError as exc:
        return exc.strerror or "cannot access it"
    if not is_device:
        return "it is not a device"
    if not os.access(device, os.R_OK | os.W_OK):
        return "permission denied. Add the agent's user to the group `video`"
    return "it sends no video. Another program may use it, or it is not a capture device"
