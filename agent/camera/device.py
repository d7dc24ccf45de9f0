"""A V4L2 device, read by OpenCV."""

import os
import stat
from pathlib import Path
from typing import Any

import cv2

from agent.camera.connection import CameraImage
from agent.camera.opencv import as_bgr, grab, prepare, retrieve
from agent.domain import Pixels
from agent.errors import CameraLost, UnusableImage


class Device:
    """An open V4L2 device, as a `Connection`.

    `grab` takes up to 10 s, the timeout of OpenCV, if the device sends nothing.
    """

    paced = False
    fresh = True

    def __init__(self, source: str) -> None:
        """Open the device at the path `source`.

        Raises:
            CameraLost: It cannot be opened; the message is the reason alone.
        """
        prepare()
        # OpenCV's V4L2 backend takes no timeout.
        self._capture: Any = cv2.VideoCapture(os.path.realpath(source), cv2.CAP_V4L2)
        if not self._capture.isOpened():
            self._capture.release()
            raise CameraLost(_why_no_device(source))
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

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
