"""One camera's thread: reads, paces recordings, reconnects."""

from dataclasses import dataclass
from enum import StrEnum

from agent.domain import Frame
from agent.errors import CameraLost
from agent.logs import Log
from agent.ports import Clock, FrameSource
from agent.runtime.mailbox import Mailbox

FIRST_RETRY_S = 1.0
LAST_RETRY_S = 30.0


class CameraCondition(StrEnum):
    """Whether a source gives frames."""

    OPENING = "opening"  # no frame yet
    LIVE = "live"
    LOST = "lost"  # opened again after a wait
    ENDED = "ended"  # a recording was read to its end
    FAILED = "failed"  # a recording that cannot be read


@dataclass(frozen=True, slots=True)
class CameraReport:
    """What is known about a source at one moment; times are monotonic seconds."""

    condition: CameraCondition = CameraCondition.OPENING
    error: str | None = None  # why it gives no frames
    since: float | None = None  # when `condition` began
    width: int | None = None  # pixels of the latest frame
    height: int | None = None


class Reader:
    """Reads one source into the mailbox. `step` never raises for a camera error.

    A lost camera is closed and opened again, waiting ever longer; it is logged once when lost and
    once when it is back. A recording that cannot be read ends, and `failed` says so.
    """

    def __init__(
        self,
        camera: str,
        source: FrameSource,
        mailbox: Mailbox,
        *,
        real_time: bool,
        clock: Clock,
        log: Log,
    ) -> None:
        """`real_time` plays a recording at its own speed instead of as fast as it is analysed."""
        self.camera = camera
        self.failed = False
        self._source = source
        self._mailbox = mailbox
        self._paced = real_time and not source.live
        self._clock = clock
        self._log = log.bind(camera=camera)
        self.report = CameraReport(since=clock.monotonic())
        """Replaced as a whole at each change, so that any thread may read it."""
        self.last_frame_at: float | None = None
        """When the latest frame was offered, on the monotonic clock."""
        self._next: Frame | None = None
        self._began: float | None = None  # when a paced recording's position 0 was
        self._found_at: float | None = None  # when the camera was opened, or came back
        self._lost_at: float | None = None  # None while it gives frames
        self._retry = FIRST_RETRY_S

    def step(self) -> float | None:
        """Read one frame and offer it; answers as a worker's step does."""
        if self._next is None:
            try:
                self._next = self._source.read()
            except CameraLost as error:
                return self._lost(str(error))
            if self._next is None:
                skipped = self._source.unreadable
                self._log.info("camera ended", **({"unreadable": skipped} if skipped else {}))
                self._report(CameraCondition.ENDED)
                return None
            self._found(self._next)
        wait = self._too_early(self._next)
        if wait > 0:
            return wait
        frame, self._next = self._next, None
        self._mailbox.put(frame)
        self.last_frame_at = self._clock.monotonic()
        return 0.0

    def close(self) -> None:
        """Release the camera: some serve one connection only, and the next start needs it."""
        self._source.close()

    def _found(self, frame: Frame) -> None:
        if self._found_at is not None and self._lost_at is None:
            return
        now = self._clock.monotonic()
        height, width = frame.pixels.shape[:2]
        if self._lost_at is None:
            self._log.info("camera opened", width=width, height=height)
        else:
            gone = round(now - self._lost_at, 1)
            self._log.warning("camera recovered", lost_s=gone, width=width, height=height)
        self._found_at, self._lost_at = now, None
        self.report = CameraReport(CameraCondition.LIVE, None, now, width, height)

    def _lost(self, why: str) -> float | None:
        self._source.close()
        if not self._source.live:
            self.failed = True
            self._log.error("camera lost", error=why)
            self._report(CameraCondition.FAILED, why)
            return None
        now = self._clock.monotonic()
        if self._lost_at is None:
            # A camera that flaps is not reopened and logged each second.
            if self._found_at is not None and now - self._found_at > LAST_RETRY_S:
                self._retry = FIRST_RETRY_S
            self._lost_at = now
            self._log.warning("camera lost", error=why, retry_in_s=self._retry)
        self._report(CameraCondition.LOST, why, since=self._lost_at)
        wait, self._retry = self._retry, min(self._retry * 2, LAST_RETRY_S)
        return wait

    def _report(
        self, condition: CameraCondition, error: str | None = None, *, since: float | None = None
    ) -> None:
        since = self._clock.monotonic() if since is None else since
        old = self.report
        self.report = CameraReport(condition, error, since, old.width, old.height)

    def _too_early(self, frame: Frame) -> float:
        """Seconds until a frame of a paced recording is due."""
        if not self._paced:
            return 0.0
        now = self._clock.monotonic()
        if self._began is None:
            self._began = now - frame.at
        return max(0.0, self._began + frame.at - now)
