"""The frames that people and programs may just have seen: the last seconds of each camera.

Each analysed frame is kept for 10 s with the model's output and as a JPEG: the camera's own, or one
that a thread of its own makes, so that a verdict or a request of a moment later gets the very frame
that was seen. Nothing of it is on disk.

The pipeline waits for none of this. When the thread falls behind, frames are not kept; when memory
is short, the rings give up their oldest frames. Both are counted; no capture is lost.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from agent.domain import Capture, Frame, Observation, Surroundings
from agent.errors import RefusalKind, RequestRefused
from agent.logs import Log
from agent.ports import Clock
from agent.printable import printable
from agent.runtime.listeners import PipelineEvents
from agent.runtime.moments import Ago, WallTime, parse_moment
from agent.runtime.recent_frame import RecentFrame, encoded, memory_of, nearest, without_pixels
from agent.runtime.stats import Stats
from agent.selection.selector import FrameEvaluation

RECENT_S = 10.0
"""How long a frame is kept."""

RECENT_BYTES = 64_000_000
"""Memory for the frames of all cameras; the camera that has the most loses its oldest first."""

BACKLOG = 8
"""Frames that may wait for their encoding, with all their pixels."""

BACKLOG_BYTES = 64_000_000
"""Pixels that may wait for their encoding; one frame always may."""

DROPPED = "recent_frames_dropped"
"""Counter of analysed frames that were not kept, because their encoding fell behind."""

NEAR_S = 2.0
"""A frame that is farther from the moment asked for is another one, unless frames come slower."""

IDLE_S = 0.5
"""How long a step waits for a frame."""

_GRACE_S = 1.0  # a request for the frame of 10 s ago takes a moment to arrive; clocks differ
_CLIP_STEP_S = 0.19  # at 5 frames a second each has its own
_STEPS = 3  # latest times between two frames of a camera that are remembered
_ROUNDING_S = 0.001  # of the times that were shown
_SLOW_FRAMES = 1.5  # times the time between two frames, if they come slower than `NEAR_S`


@dataclass(slots=True)
class _Ring:
    """The kept frames of one camera, oldest first."""

    frames: deque[RecentFrame] = field(default_factory=deque)
    bytes: int = 0
    told_s: float = 2 * RECENT_S  # how long frames are kept, as the log says; twice that: nothing
    steps: deque[float] = field(default_factory=lambda: deque(maxlen=_STEPS))  # between frames
    clip: tuple[float, Surroundings] | None = None  # the latest that is kept, and its time

    @property
    def interval(self) -> float:
        """About how many seconds are between two frames now; an outage alone does not count."""
        return min(self.steps, default=0.0)

    def with_clip(self, observation: Observation) -> Observation:
        """Return an observation with the clip that a capture of it gets.

        Frames that are near to each other share one: a clip that somebody may ask for costs work.
        """
        at, clip = observation.frame.at, observation.surroundings
        if clip is None:
            return observation
        if self.clip is None or not 0 <= at - self.clip[0] < _CLIP_STEP_S:
            self.clip = at, clip
        return replace(observation, surroundings=self.clip[1])


class RecentFrames:
    """The rings of all cameras, and the step of the thread that encodes. Thread-safe."""

    def __init__(
        self,
        cameras: Sequence[str],
        encode: Callable[[Frame], bytes],
        *,
        fps: float,
        why: Callable[[str], str | None] = lambda _camera: None,
        stats: Stats,
        clock: Clock,
        log: Log,
        limit: int = RECENT_BYTES,
        idle: float = IDLE_S,
    ) -> None:
        """Keep what `listen` hears of.

        Args:
            cameras: Their names.
            encode: Makes a faithful JPEG of a frame; empty if that is impossible.
            fps: Frames analysed per second; 0 if that is not known.
            why: Says why a camera gives no frames now; None if it does.
            stats: Counts what is dropped.
            clock: For all times.
            log: Gets the events.
            limit: Bytes in memory.
            idle: Seconds that a step waits for a frame.
        """
        self._rings = {camera: _Ring() for camera in cameras}
        self._encode = encode
        self._interval = _SLOW_FRAMES / fps if fps else 0.0
        self._why = why
        self._stats = stats
        self._clock = clock
        self._log = log
        self.limit = limit
        """Bytes that all rings may use."""
        self._idle = idle
        self._changed = threading.Condition()
        self._waiting: deque[tuple[RecentFrame, int]] = deque()  # to be encoded, with its bytes
        self._waiting_bytes = 0

    def listen(self, events: PipelineEvents) -> None:
        """Keep what the pipeline analyses from now on."""
        events.analysed.add(self.analysed)
        events.evaluated.add(self.evaluated)
        events.captured.add(self.captured)

    def analysed(self, observation: Observation) -> None:
        """Keep the next frame of its camera. Never waits."""
        frame = observation.frame
        size = frame.pixels.nbytes
        with self._changed:
            ring = self._rings[frame.camera]
            observation = ring.with_clip(observation)
            entry = RecentFrame(observation, frame.monotonic_ns / 1e9)
            if frame.jpeg is not None and all(each.mask is None for each in observation.detections):
                self._keep(entry, encoded(observation, frame.jpeg))
            elif len(self._waiting) < BACKLOG and (
                not self._waiting or self._waiting_bytes + size <= BACKLOG_BYTES
            ):
                entry.bytes = memory_of(observation)
                self._waiting.append((entry, size))
                self._waiting_bytes += size
                self._changed.notify()
            else:
                self._stats.count(DROPPED)
                return
            if ring.frames:
                ring.steps.append(entry.at - ring.frames[-1].at)
            ring.frames.append(entry)
            ring.bytes += entry.bytes
            self._forget_old(ring)
            self._keep_limit()

    def evaluated(self, evaluation: FrameEvaluation) -> None:
        """Add what the rules found in a frame."""
        with self._changed:
            entry = self._entry(evaluation.frame)
            if entry is not None:
                light = without_pixels(evaluation.frame)
                entry.evaluation = replace(evaluation, frame=light)

    def asked(self, entry: RecentFrame, capture_id: str) -> None:
        """Note the id of a capture that will be made of a frame."""
        with self._changed:
            entry.captures = (*entry.captures, capture_id)

    def captured(self, capture: Capture) -> None:
        """Note the id of a frame's capture."""
        with self._changed:
            entry = self._entry(capture.observation.frame)
            if entry is not None:
                entry.capture, entry.lane = capture.id, capture.lane
                if capture.id not in entry.captures:
                    entry.captures = (*entry.captures, capture.id)

    def step(self) -> float:
        """Encode what waits; wait a moment if nothing does."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(self._idle)
        while self._waiting:
            entry, size = self._waiting[0]
            frame = entry.frame
            jpeg = frame.jpeg if frame.jpeg is not None else self._encode(frame)
            kept = encoded(entry.observation, jpeg)
            with self._changed:
                self._waiting.popleft()
                self._waiting_bytes -= size
                self._finish(entry, kept if jpeg else None)
        return 0.0

    @property
    def used(self) -> int:
        """Bytes in memory, without the pixels that wait for their encoding."""
        return sum(ring.bytes for ring in self._rings.values())

    def frames(self, camera: str) -> Sequence[RecentFrame]:
        """Return the kept frames of a camera, oldest first; none of a camera that is not known."""
        with self._changed:
            ring = self._rings.get(camera)
            return () if ring is None else tuple(ring.frames)

    def of_capture(self, capture_id: str) -> RecentFrame | None:
        """Return the frame of a capture; None if it is not kept any more."""
        frames = [entry for camera in self._rings for entry in self.frames(camera)]
        return next((entry for entry in frames if capture_id in entry.captures), None)

    def find(self, camera: str, at: str | float | None = None) -> RecentFrame:
        """Return the frame of a camera that is nearest to `at`; None means the newest.

        `at` is RFC 3339, or seconds before now such as "-3s". Raises `RequestRefused`.
        """
        if camera not in self._rings:
            names = ", ".join(self._rings)
            raise RequestRefused(
                RefusalKind.UNKNOWN,
                f"there is no camera '{printable(camera, 60)}'; the cameras are {names}",
            )
        now, wall = self._clock.monotonic(), self._clock.wall()
        frames = self.frames(camera)
        moment = Ago(0.0) if at is None else parse_moment(at)
        ago = moment.seconds if isinstance(moment, Ago) else wall - moment.seconds
        if isinstance(moment, Ago) or not _were_shown(frames, moment):
            _check_kept(camera, at, ago)
        slow = max(self._interval, _SLOW_FRAMES * self._rings[camera].interval)
        found = nearest(frames, moment, now=now, wall=wall, near=max(NEAR_S, slow))
        if found is not None:
            return found
        newest = frames[-1] if frames else None
        if at is None and newest is not None and now - newest.at <= max(RECENT_S, slow):
            return newest
        newest_ago = None if newest is None else now - newest.at
        raise self._refusal(camera, at, ago, newest_ago=newest_ago)

    def _refusal(
        self, camera: str, at: str | float | None, ago: float, *, newest_ago: float | None
    ) -> RequestRefused:
        """Return why no frame is near to the moment `ago` seconds before now."""
        why = self._why(camera)
        because = f": {why}" if why else ""
        if newest_ago is None:
            return RequestRefused(
                RefusalKind.NOT_NOW,
                f"cannot find a frame of {camera}: none was analysed yet{because}",
            )
        what = f"cannot find the frame of {camera} at {'now' if at is None else at}"
        if newest_ago > ago:
            return RequestRefused(
                RefusalKind.NOT_NOW, f"{what}: its newest is of {newest_ago:.0f} s ago{because}"
            )
        return RequestRefused(RefusalKind.GONE, f"{what}: no frame was kept that is near to it")

    def _entry(self, frame: Frame) -> RecentFrame | None:
        """Return the entry of a frame; mostly it is one of the latest."""
        frames = reversed(self._rings[frame.camera].frames)
        return next((each for each in frames if each.frame.sequence == frame.sequence), None)

    def _finish(self, entry: RecentFrame, kept: Observation | None) -> None:
        """Put what was encoded in place of the pixels; without it the frame is not kept."""
        ring = self._rings[entry.frame.camera]
        if entry not in ring.frames:  # given up meanwhile
            return
        if kept is None:
            ring.frames.remove(entry)
            ring.bytes -= entry.bytes
            self._stats.count(DROPPED)
            return
        ring.bytes -= entry.bytes
        self._keep(entry, kept)
        ring.bytes += entry.bytes
        self._keep_limit()

    @staticmethod
    def _keep(entry: RecentFrame, kept: Observation) -> None:
        entry.observation, entry.bytes, entry.is_encoded = kept, memory_of(kept), True

    def _forget_old(self, ring: _Ring) -> None:
        """Forget frames that are too old; the newest always stays."""
        oldest = self._clock.monotonic() - RECENT_S - _GRACE_S
        while len(ring.frames) > 1 and ring.frames[0].at < oldest:
            ring.bytes -= ring.frames.popleft().bytes

    def _keep_limit(self) -> None:
        """Give up the oldest frames of the camera that has the most, until all fit."""
        while self.used > self.limit:
            camera, ring = max(self._rings.items(), key=lambda each: each[1].bytes)
            if len(ring.frames) <= 1:
                return
            ring.bytes -= ring.frames.popleft().bytes
            kept = self._clock.monotonic() - ring.frames[0].at
            if kept < ring.told_s / 2:
                ring.told_s = kept
                self._log.warning(
                    "recent frames shortened",
                    camera=camera,
                    kept_s=round(kept, 1),
                    wanted_s=RECENT_S,
                    limit=self.limit,
                )


def _were_shown(frames: Sequence[RecentFrame], moment: WallTime) -> bool:
    """Whether a wall time is between those of the frames, whatever the clock says now."""
    times = [each.frame.captured_at for each in frames]
    return bool(times) and min(times) - _ROUNDING_S <= moment.seconds <= max(times) + _ROUNDING_S


def _check_kept(camera: str, at: str | float | None, ago: float) -> None:
    """Raise `RequestRefused` for a moment that is too old, or to come."""
    what = f"cannot find the frame of {camera} at {at}"
    if ago > RECENT_S:
        raise RequestRefused(
            RefusalKind.GONE,
            f"{what}: the frame of {ago:.0f} s ago is gone; the last {RECENT_S:.0f} s are kept",
        )
    if ago < -_GRACE_S:
        raise RequestRefused(
            RefusalKind.INVALID, f"{what}: by the clock of this device it is {-ago:.0f} s to come"
        )
