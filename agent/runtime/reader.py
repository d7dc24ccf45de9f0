"""One camera's thread: reads, paces recordings, reconnects."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf

from agent.domain import Frame
from agent.errors import CameraLost
from agent.logs import Log
from agent.ports import Clock, FrameSource, HidesImages, Interruptible, WaitsForFrames
from agent.runtime.mailbox import Mailbox
from agent.runtime.shown_error import shown_error

FIRST_RETRY_S = 1.0
LAST_RETRY_S = 30.0

HANG_MARGIN_S = 0.5
"""Beyond the stall: a source that notices the stall itself knows the reason."""

DAMAGE_REPORT_S = 600.0
"""The shortest time between two reports of damaged frames."""


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


def no_frames(report: CameraReport) -> str | None:
    """Return why no frame can be expected of a camera now; None if one can."""
    error = shown_error(report.error)
    if report.condition is CameraCondition.LOST:
        return f"the camera is lost: {error}"
    if report.condition is CameraCondition.FAILED:
        return f"the recording cannot be read: {error}"
    if report.condition is CameraCondition.ENDED:
        return "the recording has ended"
    return None


class Reader:
    """Reads one source into the mailbox. `step` never raises for a camera error.

    A lost camera is closed and opened again, waiting ever longer; it is logged once when lost and
    once when it is back. A call into the source that does not return is reported by `watch`, which
    another thread calls. A recording that cannot be read ends, and `failed` says so.
    """

    def __init__(
        self,
        camera: str,
        source: FrameSource,
        mailbox: Mailbox,
        *,
        real_time: bool,
        longest_pause: float = inf,
        stall: float,
        clock: Clock,
        log: Log,
    ) -> None:
        """Read `source`, from the first `step` on.

        Args:
            camera: The camera's name.
            source: What is read.
            mailbox: Takes the frames.
            real_time: Plays a recording at its own speed instead of as fast as it is analysed.
            longest_pause: Seconds to which longer gaps of a played recording are shortened: images
                of a folder may be hours apart.
            stall: Seconds after which a call that does not return is reported.
            clock: For all times.
            log: Gets the events.
        """
        self.camera = camera
        self.failed = False
        self._source = source
        self._mailbox = mailbox
        self._paced = real_time and not source.live
        self._longest_pause = longest_pause
        self._clock = clock
        self._log = log.bind(camera=camera)
        self._waits_for = source.waits_for if isinstance(source, WaitsForFrames) else ""
        awaited = f"waits for {self._waits_for}" if self._waits_for else None
        self.report = CameraReport(error=awaited, since=clock.monotonic())
        """Replaced as a whole at each change, so that any thread may read it."""
        self.last_frame_at: float | None = None
        """When the latest frame was offered, on the monotonic clock."""
        self._next: Frame | None = None
        self._began: float | None = None  # when a paced recording's position 0 was
        self._found_at: float | None = None  # when the camera was opened, or came back
        self._lost_at: float | None = None  # None while it gives frames
        self._retry = FIRST_RETRY_S
        self._stall = stall
        self._busy_since: float | None = None  # a call into the source began
        self._hung = False  # that call was reported
        self._lock = threading.Lock()  # of what `watch` changes
        self._resized = False  # once is enough of a recording: images of a folder may all differ
        self._stopping = False
        self._damaged = 0  # frames that were reported
        self._damage_due = 0.0  # when the next report may be
        self._dropped = 0  # frames that the source dropped, as counted in the mailbox

    def step(self) -> float | None:
        """Read one frame and offer it; answers as a worker's step does."""
        if self._next is None:
            try:
                with self._busy():
                    self._next = self._source.read()
                self._count_dropped()
            except CameraLost as error:
                return self._lost(str(error))
            if self._next is None:
                self._log.info("camera ended", **self._left_out())
                self._report(CameraCondition.ENDED)
                return None
            self._found(self._next)
        wait = self._too_early(self._next)
        if wait > 0:
            return wait
        frame, self._next = self._next, None
        if self._paced:  # it was read before it was due
            now = self._clock.monotonic()
            wall = self._clock.wall()
            frame = replace(frame, captured_at=wall, monotonic_ns=int(now * 1e9))
        self._mailbox.put(frame)
        self.last_frame_at = self._clock.monotonic()
        return 0.0

    def close(self) -> None:
        """Release the camera: some serve one connection only, and the next start needs it."""
        with self._busy():
            self._source.close()

    def interrupt(self) -> None:
        """End a wait for the source at a stop, where it can be ended; any thread may call it."""
        self._stopping = True
        if isinstance(self._source, Interruptible):
            self._source.interrupt()

    @property
    def hidden(self) -> str | None:
        """Why the whole of the latest image is hidden; None if it is not."""
        return (self._source.misfit or None) if isinstance(self._source, HidesImages) else None

    def watch(self, now: float) -> None:
        """Report a call into the source that has not returned by `now`, in monotonic seconds.

        Nobody can end such a call. It holds one frame at most, and nothing waits for it: the other
        cameras go on, and the process stops without it.
        """
        with self._lock:
            if self._busy_since is None or self._hung:
                return
            waited = now - max(self._busy_since, self._source.progress_at)
            if waited <= self._stall + HANG_MARGIN_S:
                return
            self._hung = True
            if self._lost_at is not None:
                return
            self._lost_at = now
            why = (
                f"cannot read camera {self.camera}: a call into its driver or connection has not "
                f"returned for {waited:.0f} s. Restart the camera; if that does not help, restart "
                "this computer"
            )
            self._log.warning("camera lost", error=why)
            self._report(CameraCondition.LOST, why, since=now)

    @contextmanager
    def _busy(self) -> Iterator[None]:
        self._busy_since = self._clock.monotonic()
        try:
            yield
        finally:
            self._busy_since = None

    def _found(self, frame: Frame) -> None:
        self._report_damage()
        height, width = frame.pixels.shape[:2]
        now = self._clock.monotonic()
        before = self.report
        with self._lock:
            self._hung = False
            lost_at, self._lost_at = self._lost_at, None
            if self._found_at is None or lost_at is not None:
                self._found_at = now
                self.report = CameraReport(CameraCondition.LIVE, None, now, width, height)
        if lost_at is not None:
            gone = round(now - lost_at, 1)
            self._log.warning("camera recovered", lost_s=gone, width=width, height=height)
        elif before.width is None:
            self._log.info("camera opened", width=width, height=height)
        changed = before.width and (width, height) != (before.width, before.height)
        if changed and (self._source.live or not self._resized):
            self._resized = True
            size = f"{before.width}x{before.height}"
            self._log.warning("camera resized", width=width, height=height, before=size)
            self.report = replace(self.report, width=width, height=height)

    def _left_out(self) -> dict[str, object]:
        """Return what of a recording was not read, for the log."""
        unreadable, passed_over = self._source.unreadable, self._source.passed_over
        facts: dict[str, object] = {"unreadable": unreadable} if unreadable else {}
        return facts | ({"passed_over": passed_over} if passed_over else {})

    def _report_damage(self) -> None:
        """Report damaged frames of a camera; a recording's are reported at its end."""
        frames, now = self._source.unreadable - self._damaged, self._clock.monotonic()
        if self._source.live and frames > 0 and now >= self._damage_due:
            self._log.warning("frames damaged", frames=frames)
            self._damaged += frames
            self._damage_due = now + DAMAGE_REPORT_S

    def _count_dropped(self) -> None:
        """Add what the source dropped before `read` took it to the mailbox's count."""
        if self._waits_for and isinstance(self._source, WaitsForFrames):
            dropped = self._source.dropped
            self._mailbox.count_dropped(self.camera, dropped - self._dropped)
            self._dropped = dropped

    def _lost(self, why: str) -> float | None:
        self._count_dropped()
        self._report_damage()
        self.close()
        if self._stopping:  # the source was told to end: that is no loss
            return LAST_RETRY_S
        if not self._source.live:
            self.failed = True
            self._log.error("camera lost", error=why)
            self._report(CameraCondition.FAILED, why)
            return None
        now = self._clock.monotonic()
        with self._lock:
            hung, self._hung = self._hung, False
            first = self._lost_at is None
            self._lost_at = lost_at = now if self._lost_at is None else self._lost_at
            self._report(CameraCondition.LOST, why, since=lost_at)
        if first or hung:  # the reason was not known while the call did not return
            # A camera that flaps is not reopened and logged each second.
            if self._found_at is not None and now - self._found_at > LAST_RETRY_S:
                self._retry = FIRST_RETRY_S
            self._log.warning(
                "camera lost", error=why, retry_in_s=0.0 if self._waits_for else self._retry
            )
        if self._waits_for:  # `read` itself waits for the next frame: it must not find nobody
            return 0.0
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
        wait = self._began + frame.at - now
        if wait > self._longest_pause:
            self._began -= wait - self._longest_pause
            wait = self._longest_pause
        return max(0.0, wait)
