"""Devices, RTSP and HTTP cameras, programs as frame sources; they return the newest frame."""

import time
import zlib
from collections.abc import Callable

from agent.camera.address import CameraAddress, SourceKind
from agent.camera.connection import Connection
from agent.camera.frame_checks import checked
from agent.camera.schedule import FrameSchedule, FreezeWatch
from agent.camera.source_log import SourceLog
from agent.domain import Frame, Pixels
from agent.errors import CameraLost, UnusableImage
from agent.logs import Log
from agent.ports import Clock, Interruptible

OPEN_AT_LEAST_S = 5.0
"""The minimum timeout for opening a stream: many send a key frame only every few seconds."""

_JITTER = 0.25  # of a slot
_DARKEST_DETAIL = 96  # levels
_LEAST_RANGE = 12  # levels
_LONGEST_WAIT_S = 1.0
_HASH_ROWS = 4  # every 4th row is hashed; all rows of a 1080p image would take 3 ms


class LiveCamera:
    """A camera, reduced to `fps` by the monotonic clock.

    Every frame is taken from the camera immediately, so that no backlog grows, but only due frames
    are converted. A still-image address is requested `fps` times a second; an image that it has
    not renewed is no new frame.

    `read` blocks until a frame is due: up to 1/fps, or up to `stall` if a stream sends nothing, or
    up to 10 s, the timeout of OpenCV, if a device sends nothing. Opening a stream takes up to
    `stall` or 5 s, whichever is longer, for each of its steps. A call into a driver or FFmpeg may
    hang for longer: `progress_at` says since when.

    A camera is lost if there is no new frame for `stall` seconds, if all frames of that time are
    damaged, if an image that is neither dark nor flat does not change for `stall` seconds, or if
    the stream ends. A camera that was frozen, and still has the same image after it is opened
    again, is lost immediately, until the image changes.

    The certificate of an https or rtsps camera is not verified: nearly all are self-signed.
    """

    live = True
    passed_over = ""

    def __init__(
        self,
        address: CameraAddress,
        *,
        fps: float,
        stall: float,
        clock: Clock,
        boot_id: str,
        log: Log | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._address = address
        self._told = SourceLog(log, address.name, clock)
        self._stall = stall
        self._fps = fps
        self._clock = clock
        self._boot_id = boot_id
        self._wait = wait
        self._connection: Connection | None = None
        self._interrupted = False
        self._schedule = FrameSchedule(0)
        self._watch = FreezeWatch(stall)
        self._sequence = 0
        self.unreadable = 0
        """Due frames since the start that were damaged in transmission, or not decodable."""
        self.progress_at = clock.monotonic()
        """When the camera or its driver last answered, in monotonic seconds."""

    def read(self) -> Frame:
        """Return the next due frame; never None.

        Raises:
            CameraLost: There is no new frame; call `close`, wait, and call `read` again.
        """
        self.progress_at = self._clock.monotonic()
        if self._connection is None:
            connection = self._connection = self._open()
            if self._interrupted:
                raise CameraLost(f"cannot read camera {self._address.shown}: it was stopped")
            self.progress_at = self._clock.monotonic()
            self._schedule = FrameSchedule(0 if connection.paced else self._fps, jitter=_JITTER)
        try:
            at, pixels, jpeg = self._next_due(self._connection)
        except CameraLost as error:
            raise CameraLost(f"cannot read camera {self._address.shown}: {error}") from error
        frame = Frame(
            camera=self._address.name,
            sequence=self._sequence,
            pixels=pixels,
            at=at,
            captured_at=self._clock.wall(),
            monotonic_ns=int(at * 1e9),
            stream=self._boot_id,
            jpeg=jpeg,
        )
        self._sequence += 1
        return frame

    def interrupt(self) -> None:
        """End a wait for a program; `read` raises `CameraLost` then. Any thread may call it."""
        self._interrupted = True
        connection = self._connection
        if isinstance(connection, Interruptible):
            connection.interrupt()

    def close(self) -> None:
        """Release the device or connection; does nothing if it is not open."""
        self.progress_at = self._clock.monotonic()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if not self._watch.frozen:
            self._watch.restart()

    def _next_due(self, connection: Connection) -> tuple[float, Pixels, bytes | None]:
        before = decoded_at = self.progress_at
        why = ""
        while True:
            self._await(connection)
            grabbed = connection.grab()
            now = self.progress_at = self._clock.monotonic()
            if now - before >= self._stall and not connection.paced:
                raise CameraLost(f"no new frame for {now - before:.1f} s")
            if not grabbed:
                raise CameraLost("it stopped sending frames")
            before = now
            if not connection.fresh:
                if why:  # what was not renewed is an image that could not be used
                    _check_intact(now - decoded_at, self._stall, why)
                    continue
                decoded_at = now
                self._watch.repeat(now)
                self._check_frozen(connection)
                continue
            if not self._schedule.due(now):
                decoded_at = now
                continue
            try:
                image = connection.retrieve()
                pixels = checked(image.pixels)
            except UnusableImage as error:
                self.unreadable += 1
                why = str(error)
            else:
                sample = pixels[::_HASH_ROWS]
                changed = self._watch.record(zlib.crc32(sample.tobytes()), now)
                if not changed and _is_blank(sample):
                    self._watch.restart(since=now)
                self._check_frozen(connection)
                self._schedule.take(now)
                return now, pixels, image.jpeg
            _check_intact(now - decoded_at, self._stall, why)

    def _go_on(self) -> None:
        """Tell other threads that this one waits, and does not hang; end the wait at a stop."""
        self.progress_at = self._clock.monotonic()
        if self._interrupted:
            raise CameraLost("it was stopped")

    def _await(self, connection: Connection) -> None:
        """Wait until a still image is due."""
        while (left := connection.due_in()) > 0:
            self._wait(min(left, _LONGEST_WAIT_S))
            self.progress_at = self._clock.monotonic()

    def _check_frozen(self, connection: Connection) -> None:
        if self._watch.frozen:
            text = f"frozen: the same image for {self._watch.same_for:.1f} s"
            if connection.paced:
                text += ". If the camera renews its image less often, raise AGENT_CAMERA_STALL"
            raise CameraLost(text)

    def _open(self) -> Connection:
        # Imported here, because each costs 0.1 s that the other kinds do not need.
        open_s = max(self._stall, OPEN_AT_LEAST_S)
        source = self._address.source
        try:
            if self._address.kind is SourceKind.DEVICE:
                from agent.camera.device import Device

                device = Device(source)
                self._told.driver(device.asked, device.given)
                return device
            if self._address.kind is SourceKind.PROGRAM:
                from agent.camera.program.connection import Program

                return Program(
                    source,
                    open_s=open_s,
                    read_s=self._stall,
                    report=self._told.line,
                    waiting=self._go_on,
                )
            if source.startswith("rtsp"):
                from agent.camera.video.stream import open_rtsp

                return open_rtsp(source, open_s=open_s, read_s=self._stall, clock=self._clock)
            from agent.camera.network.http_open import open_http

            return open_http(
                source, fps=self._fps, open_s=open_s, read_s=self._stall, clock=self._clock
            )
        except CameraLost as error:
            raise CameraLost(f"cannot open camera {self._address.shown}: {error}") from error


def _check_intact(seconds: float, stall: float, why: str) -> None:
    """Raise `CameraLost` if there has been no frame that can be used for `stall` seconds."""
    if seconds >= stall:
        raise CameraLost(f"no intact frame for {seconds:.1f} s: {why}")


def _is_blank(sample: Pixels) -> bool:
    """Whether an image may be the same for long although the camera works.

    Encoders drop the noise of a dark or flat image; measured with H.264 and H.265, such images were
    equal in every bit over many key frames. Images with detail change at each key frame.
    """
    darkest, brightest = int(sample.min()), int(sample.max())
    return brightest < _DARKEST_DETAIL or brightest - darkest < _LEAST_RANGE
