"""Between the application and the camera's thread: only the newest frame, undecoded."""

import threading
from dataclasses import dataclass, field

from agent.camera.schedule import FrameSchedule
from agent.domain import Prediction
from agent.ports import Clock

_JITTER = 0.25  # of a slot, as for other cameras


@dataclass(frozen=True, slots=True)
class PushedFrame:
    """A frame as it was sent."""

    sequence: int  # 0, 1, 2, ... over the frames that were accepted
    image: bytes = field(repr=False)  # a JPEG or PNG file; its header has been checked
    prediction: Prediction | None = field(repr=False)
    at: float  # when it came, in monotonic seconds
    captured_at: float  # seconds since 1970 UTC, as the application says; else when it came


class PushDoor:
    """Holds the newest frame of one camera. The threads of the API put, the camera's takes.

    A frame that was not taken before the next one came is dropped, and counted: the camera's
    reader adds the count to that of the mailbox, see `Mailbox.count_dropped`.
    """

    def __init__(self, camera: str, *, fps: float, clock: Clock) -> None:
        """`fps`: frames per second that are accepted at most; 0 for every frame."""
        self.camera = camera
        self.fps = fps
        self.dropped = 0
        """Accepted frames so far that a newer one replaced."""
        self.arrived_at: float | None = None
        """When the last frame came, due or not, in monotonic seconds; None before the first."""
        self.is_closed = False
        self._clock = clock
        self._schedule = FrameSchedule(fps, jitter=_JITTER)
        self._came = threading.Condition()
        self._newest: PushedFrame | None = None
        self._next = 0

    def put(
        self, image: bytes, prediction: Prediction | None, captured_at: float | None
    ) -> int | None:
        """Offer a frame without waiting; return its sequence, or None if it is not due."""
        with self._came:
            now = self._clock.monotonic()
            self.arrived_at = now
            if not self._schedule.due(now):
                return None
            self._schedule.take(now)
            sequence, self._next = self._next, self._next + 1
            self.dropped += self._newest is not None
            wall = self._clock.wall() if captured_at is None else captured_at
            self._newest = PushedFrame(sequence, image, prediction, now, wall)
            self._came.notify()
            return sequence

    def take(self, timeout: float) -> PushedFrame | None:
        """Return the newest frame; None if none came within `timeout` seconds, or it is closed."""
        with self._came:
            self._came.wait_for(lambda: self._newest is not None or self.is_closed, timeout)
            frame, self._newest = self._newest, None
            return frame

    def close(self) -> None:
        """End all waits; frames are refused from now on, and one that waits is dropped."""
        with self._came:
            self.is_closed = True
            self.dropped += self._newest is not None
            self._newest = None
            self._came.notify_all()
