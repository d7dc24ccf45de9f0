"""V4L2 devices, RTSP and MJPEG cameras as frame sources; they return the newest frame."""

import os
import socket
import stat
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2

from agent.camera.address import CameraAddress, SourceKind
from agent.camera.image_file import decode_image
from agent.camera.opencv import as_bgr, grab, prepare, retrieve
from agent.camera.schedule import FrameSchedule, FreezeWatch
from agent.domain import Frame, Pixels
from agent.errors import CameraLost, UnusableImage
from agent.ports import Clock

OPEN_AT_LEAST_S = 5.0
"""The minimum timeout for opening a stream: many send a key frame only every few seconds."""

_JITTER = 0.25  # of a slot
_HASH_ROWS = 4  # every 4th row is hashed; all rows of a 1080p image would take 3 ms
_PROBE_S = 2.0
_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_MJPEG = int.from_bytes(b"MJPG", "little")


class LiveCamera:
    """A camera, reduced to `fps` by the monotonic clock.

    Every frame is taken from the camera immediately, so that no backlog grows, but only due frames
    are decoded (H.264 and H.265 must always be decoded; then only the conversion is saved).

    `read` blocks until a frame is due: up to 1/fps, or up to `stall` if a stream sends nothing, or
    up to 10 s, the timeout of OpenCV, if a device sends nothing. Opening a stream takes up to
    `stall` or 5 s, whichever is longer.

    A camera is lost if there is no new frame for `stall` seconds, if the image does not change for
    `stall` seconds, or if the stream ends. A camera that was frozen, and still has the same image
    after it is opened again, is lost immediately, until the image changes.

    The certificate of an https or rtsps camera is not verified: nearly all are self-signed.
    """

    live = True
    unreadable = 0  # not counted for cameras: after a damaged image comes another one

    def __init__(
        self, address: CameraAddress, *, fps: float, stall: float, clock: Clock, boot_id: str
    ) -> None:
        self._address = address
        self._stall = stall
        self._fps = fps
        self._clock = clock
        self._boot_id = boot_id
        self._capture: Any = None
        self._encoded = False  # the capture gives whole JPEG files, not pixels
        self._schedule = FrameSchedule(0)
        self._watch = FreezeWatch(stall)
        self._sequence = 0

    def read(self) -> Frame:
        """Return the next due frame; never None.

        Raises:
            CameraLost: There is no new frame; call `close`, wait, and call `read` again.
        """
        if self._capture is None:
            self._capture = self._open()
            self._schedule = FrameSchedule(self._fps, jitter=_JITTER)
        at, pixels = self._next_due()
        frame = Frame(
            camera=self._address.name,
            sequence=self._sequence,
            pixels=pixels,
            at=at,
            captured_at=self._clock.wall(),
            monotonic_ns=int(at * 1e9),
            stream=self._boot_id,
        )
        self._sequence += 1
        return frame

    def close(self) -> None:
        """Release the device or connection; does nothing if it is not open."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None
        if not self._watch.frozen:
            self._watch = FreezeWatch(self._stall)

    def _next_due(self) -> tuple[float, Pixels]:
        before = decoded_at = self._clock.monotonic()
        while True:
            grabbed = grab(self._capture)
            now = self._clock.monotonic()
            # After a timeout, `grab` still succeeds once per decoder thread with a buffered frame,
            # each after its own timeout: only the time that it took shows that the frame is old.
            if now - before >= self._stall:
                raise self._lost(f"no new frame for {now - before:.1f} s")
            if not grabbed:
                raise self._lost("it stopped sending frames")
            before = now
            if not self._schedule.due(now):
                decoded_at = now
                continue
            pixels = self._decode(now)
            if self._watch.frozen:
                raise self._lost(f"frozen: the same image for {self._watch.same_for:.1f} s")
            if pixels is not None:
                self._schedule.take(now)
                return now, pixels
            if now - decoded_at >= self._stall:
                raise self._lost(f"no frame could be decoded for {now - decoded_at:.1f} s")

    def _decode(self, now: float) -> Pixels | None:
        raw = retrieve(self._capture)
        if raw is None:
            return None
        try:
            pixels = decode_image(raw.tobytes()) if self._encoded else as_bgr(raw)
        except UnusableImage:
            return None
        sample = raw if self._encoded else pixels[::_HASH_ROWS]
        self._watch.record(zlib.crc32(sample.tobytes()), now)
        return pixels

    def _open(self) -> Any:
        prepare()
        if self._address.kind is SourceKind.DEVICE:
            return self._open_device()
        return self._open_stream()

    def _open_device(self) -> Any:
        # OpenCV's V4L2 backend takes no timeout; it waits 10 s for a frame.
        capture = cv2.VideoCapture(os.path.realpath(self._address.source), cv2.CAP_V4L2)
        if not capture.isOpened():
            capture.release()
            raise self._cannot_open(_why_no_device(self._address.source))
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture

    def _open_stream(self) -> Any:
        timeouts = {
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: max(self._stall, OPEN_AT_LEAST_S),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC: self._stall,
        }
        parameters = [
            number
            for name, seconds in timeouts.items()
            for number in (name, max(1, round(seconds * 1000)))
        ]
        capture = cv2.VideoCapture(self._address.source, cv2.CAP_FFMPEG, parameters)
        if not capture.isOpened():
            capture.release()
            raise self._cannot_open(_why_no_stream(self._address.source))
        # Each MJPEG frame is a complete JPEG file: with the raw bytes, frames that are not due are
        # not decoded (0.2 ms instead of 6.6 ms per frame of noisy 720p).
        mjpeg = int(capture.get(cv2.CAP_PROP_FOURCC)) == _MJPEG
        self._encoded = mjpeg and bool(capture.set(cv2.CAP_PROP_FORMAT, -1))
        return capture

    def _cannot_open(self, why: str) -> CameraLost:
        return CameraLost(f"cannot open camera {self._address.shown}: {why}")

    def _lost(self, why: str) -> CameraLost:
        return CameraLost(f"cannot read camera {self._address.shown}: {why}")


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


def _why_no_stream(source: str) -> str:
    """Return the reason that OpenCV does not report: whether the host accepts connections."""
    url = urlsplit(source)
    host, port = url.hostname or "", url.port or _PORTS[url.scheme]
    try:
        socket.create_connection((host, port), timeout=_PROBE_S).close()
    except TimeoutError:
        return f"{host} does not respond at port {port}. Check its power, cable and address"
    except OSError as exc:
        return f"{host}, port {port}: {exc.strerror or exc}. Check host and port"
    except UnicodeError:
        return f"{host!r} is not a valid host name"
    return (
        f"{host} accepts connections at port {port}, but sends no video. Check path, user and "
        "password, and whether another player can open it"
    )
