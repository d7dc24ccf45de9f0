"""A camera whose frames an application sends."""

from agent.camera.frame_checks import checked
from agent.camera.images.camera_image import decode_camera_image
from agent.camera.push.door import PushDoor, PushedFrame
from agent.domain import Frame
from agent.errors import CameraLost, UnusableImage
from agent.ports import Clock

_SLICE_S = 1.0  # of a wait: other threads see that this one does not hang


class PushSource:
    """Decodes the frames that come through a door, in the thread of the camera.

    The camera is lost if no frame comes for `stall` seconds, or only damaged ones. It is back with
    the next good frame, at once: `read` itself waits for it. Images that are equal are no sign of
    a frozen camera here: the application decides what it sends.
    """

    live = True
    passed_over = ""
    waits_for = "frames from the application"
    """What `read` waits for by itself, so that a loss ends as soon as it comes."""

    def __init__(
        self,
        door: PushDoor,
        *,
        stall: float,
        clock: Clock,
        boot_id: str,
        longest_wait: float = _SLICE_S,
    ) -> None:
        self._door = door
        self._stall = stall
        self._clock = clock
        self._boot_id = boot_id
        self._longest_wait = longest_wait
        self._began = self._intact_at = clock.monotonic()
        self._reported_at = self._began
        self.unreadable = 0
        """Accepted frames since the start that could not be decoded."""
        self.progress_at = self._began
        """When this thread last did anything, in monotonic seconds."""

    @property
    def dropped(self) -> int:
        """Frames so far that a newer one replaced before they were taken."""
        return self._door.dropped

    def read(self) -> Frame:
        """Return the next frame; never None.

        Raises:
            CameraLost: There is no frame that can be used. The next call waits again.
        """
        while True:
            self.progress_at = self._clock.monotonic()
            pushed = self._door.take(self._longest_wait)
            now = self.progress_at = self._clock.monotonic()
            if self._door.is_closed:
                raise CameraLost(f"cannot read camera {self._door.camera}: it was stopped")
            if pushed is None:
                self._check_silence(now)
                continue
            try:
                frame = self._decoded(pushed)
            except UnusableImage as error:
                self.unreadable += 1
                self._check_damage(now, str(error))
            else:
                self._intact_at = self._reported_at = now
                return frame

    def close(self) -> None:
        """Do nothing: there is no connection that could be opened again."""

    def interrupt(self) -> None:
        """End the wait for a frame; any thread may call it."""
        self._door.close()

    def _decoded(self, pushed: PushedFrame) -> Frame:
        image = decode_camera_image(pushed.image)
        return Frame(
            camera=self._door.camera,
            sequence=pushed.sequence,
            pixels=checked(image.pixels),
            at=pushed.at,
            captured_at=pushed.captured_at,
            monotonic_ns=int(pushed.at * 1e9),
            stream=self._boot_id,
            jpeg=image.jpeg,
            prediction=pushed.prediction,
        )

    def _check_silence(self, now: float) -> None:
        arrived = self._door.arrived_at
        since = self._began if arrived is None else arrived
        if now - max(since, self._reported_at) < self._stall:
            return
        self._reported_at = now
        raise CameraLost(
            f"no frame was pushed to camera {self._door.camera} for {now - since:.0f} s: see "
            "whether the application runs and reaches AGENT_API"
        )

    def _check_damage(self, now: float, why: str) -> None:
        if now - max(self._intact_at, self._reported_at) < self._stall:
            return
        self._reported_at = now
        raise CameraLost(
            f"no intact frame was pushed to camera {self._door.camera} for "
            f"{now - self._intact_at:.0f} s: {why}"
        )
