"""What was analysed before and after a capture: a bounded ring of small JPEGs for each camera.

Each analysed frame is encoded by one thread of its own, never by an inference worker, and stays
in the ring while a capture may still need it. Whether a frame becomes a capture is known later, up
to a minute after it. So each observation gets its `Moment`: while somebody holds the observation,
the moment holds the frames before and after it, which other moments share. A candidate that is
given up frees them with its observation.

A capture waits in memory until what comes after it is there. It does not wait for it when its
camera gives no more frames, nor at a stop.

When memory is short, the rings give up their oldest frames, and when the thread falls behind,
frames are not encoded. Both are counted; no capture is lost, nor its own frame.
"""

import threading
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from queue import Empty, Full, Queue

from agent.domain import Capture, Clip, ClipFrame, ClipSpan, Observation, Suspect
from agent.logs import Log
from agent.ports import Clock, ImageEncoder
from agent.record.clips import RING_BYTES
from agent.record.redacted import RecentPlaces
from agent.runtime.clip_ring import ClipRing, Moment, same_size
from agent.runtime.stats import Stats

BACKLOG = 8
"""Frames that may wait for their encoding, with all their pixels."""

HELD_BYTES = 64_000_000
"""Pixels of captures that wait for what comes after them; beyond it, the oldest stops waiting."""

FULL_S = 0.05
"""How long the stage waits before it retries a full queue."""

SILENCE_S = 2.0
"""A camera that gave no frame for so long, besides the time after a capture, is not waited for."""

DROPPED = "clip_frames_dropped"
"""Counter of analysed frames that were not encoded, or given up for lack of memory."""

SHORTENED = "clips_shortened"
"""Counter of clips with less lead than `AGENT_CLIP` says, though it was analysed."""

IDLE_S = 0.2
"""How long a step waits for a frame."""

_PINNED_S = 0.5  # how old the count of bytes that only moments hold may be


class ClipStage:
    """The step of the thread between the inference and the writer, where clips are made.

    `queue` takes the captures of the inference; they leave in the same order.
    """

    def __init__(
        self,
        span: ClipSpan,
        encoder: ImageEncoder,
        queue: "Queue[Capture]",
        out: "Queue[Capture]",
        *,
        stats: Stats,
        clock: Clock,
        log: Log,
        ring_bytes: int = RING_BYTES,
        idle: float = IDLE_S,
    ) -> None:
        """`encoder` makes the small images; `out` is what the writer reads.

        `idle`: seconds that a step waits for a frame.
        """
        self._idle = idle
        self._span = span
        self._encoder = encoder
        self._places = RecentPlaces()
        self._queue = queue
        self._out = out
        self._stats = stats
        self._clock = clock
        self._log = log
        self.limit = ring_bytes
        """Bytes of encoded frames that may be in memory."""
        self.finishing = False
        """Set when no more frames and captures will come: the step ends once all are passed on."""
        self._changed = threading.Condition()
        self._analysed: deque[tuple[str, float, float, weakref.ref[Moment], Observation | None]] = (
            deque()
        )
        self._backlog = 0  # of these, those with pixels
        self._rings: dict[str, ClipRing] = {}
        self._closed: list[weakref.ref[Moment]] = []
        self._pinned = 0
        self._pinned_at = float("-inf")
        self._held: deque[Capture] = deque()

    @property
    def pending(self) -> int:
        """Captures that exist only in memory."""
        return len(self._held) + self._queue.qsize()

    @property
    def used(self) -> int:
        """Bytes of encoded frames in memory."""
        return sum(ring.bytes for ring in list(self._rings.values())) + self._pinned

    def observe(self, observation: Observation) -> Observation:
        """Take a camera's next observation, in order; return it with its surroundings.

        Never waits: a frame that comes too fast is not encoded, and counted.
        """
        frame = observation.frame
        moment = Moment(frame.at)
        made = replace(observation, surroundings=moment)
        now = self._clock.monotonic()
        with self._changed:
            is_full = self._backlog >= BACKLOG and not observation.is_still
            self._backlog += not (is_full or observation.is_still)
            self._analysed.append(
                (frame.camera, frame.at, now, weakref.ref(moment), None if is_full else made)
            )
            self._changed.notify()
        if is_full:
            self._stats.count(DROPPED)
        return made

    def step(self) -> float | None:
        """Encode what was analysed, and pass on the captures whose clip is whole."""
        for camera, at, arrived_at, moment, observation in self._taken():
            self._add(camera, at, arrived_at, moment, observation)
        now = self._clock.monotonic()
        if now - self._pinned_at >= _PINNED_S:
            self._pinned, self._pinned_at = self._pinned_bytes(), now
        self._collect()
        while self._held and self._is_ready(self._held[0]):
            try:
                self._out.put_nowait(self._with_clip(self._held[0]))
            except Full:
                return FULL_S
            self._held.popleft()
            self._collect()
        is_empty = not self._held and self._queue.empty() and not self._analysed
        return None if self.finishing and is_empty else 0.0

    def _taken(
        self,
    ) -> Iterable[tuple[str, float, float, "weakref.ref[Moment]", Observation | None]]:
        """Yield what was analysed; wait a moment if there is nothing."""
        with self._changed:
            if not self._analysed and not self.finishing:
                self._changed.wait(self._idle)
        while self._analysed:
            item = self._analysed.popleft()
            yield item
            if item[-1] is not None and not item[-1].is_still:
                with self._changed:
                    self._backlog -= 1

    def _add(
        self,
        camera: str,
        at: float,
        arrived_at: float,
        moment: "weakref.ref[Moment]",
        observation: Observation | None,
    ) -> None:
        ring = self._rings.setdefault(camera, ClipRing(self._span))
        ring.arrived_at = arrived_at
        if observation is not None and observation.is_still and at >= ring.last_at:
            # A clip has the analysed frames; this one only shows that time has passed.
            self._closed += [weakref.ref(whole) for whole in ring.advance(at)]
            return
        frame = None
        if observation is not None:
            frame = self._encoded(observation, self._places.before(observation))
        self._closed += [weakref.ref(whole) for whole in ring.add(at, frame, moment)]
        self._keep_limit()

    def _encoded(self, observation: Observation, suspects: Sequence[Suspect]) -> ClipFrame:
        image = self._encoder.encode(observation, suspects)
        return ClipFrame(observation.frame.at, image.data, image.width, image.height)

    def _keep_limit(self) -> None:
        """Give up the oldest frames of the camera that has the most, until all fit."""
        excess = self.used - self.limit
        while excess > 0:
            camera, ring = max(self._rings.items(), key=lambda each: each[1].bytes)
            if len(ring.frames) <= 1:
                return
            before = ring.bytes
            was_needed = ring.give_up_oldest()
            excess -= before - ring.bytes
            if was_needed:
                self._stats.count(DROPPED)
                self._report_short(camera, ring)

    def _report_short(self, camera: str, ring: ClipRing) -> None:
        if ring.is_short:
            return
        ring.is_short = True
        lead = ring.last_at - self._span.after - ring.frames[0].at
        self._log.warning(
            "clip shortened",
            camera=camera,
            lead_s=round(max(0.0, lead), 1),
            wanted_s=self._span.before,
            limit=self.limit,
        )

    def _pinned_bytes(self) -> int:
        """Count the frames that no ring holds any more, each once."""
        in_rings = {id(frame) for ring in self._rings.values() for frame in ring.frames}
        alive = [(each, moment) for each in self._closed if (moment := each()) is not None]
        self._closed = [each for each, _ in alive]
        clips = [moment.clip() for _, moment in alive]
        frames = {id(frame): len(frame.data) for clip in clips if clip for frame in clip.frames}
        return sum(size for name, size in frames.items() if name not in in_rings)

    def _collect(self) -> None:
        """Take captures while their pixels fit; the queue then pauses the analysis."""
        with suppress(Empty):
            while not self._is_full():
                self._held.append(self._queue.get_nowait())

    def _is_full(self) -> bool:
        return sum(each.observation.frame.pixels.nbytes for each in self._held) >= HELD_BYTES

    def _is_ready(self, capture: Capture) -> bool:
        moment = capture.observation.surroundings
        if not isinstance(moment, Moment) or moment.is_whole:
            return True
        frame = capture.observation.frame
        ring = self._rings.get(frame.camera)
        silent = self._clock.monotonic() - (ring.arrived_at if ring is not None else 0.0)
        is_late = silent > self._span.after + SILENCE_S
        return self.finishing or is_late or self._is_full()

    def _with_clip(self, capture: Capture) -> Capture:
        """Return a capture with its clip, in which its own frame is."""
        moment, at = capture.observation.surroundings, capture.observation.frame.at
        ring = self._rings.get(capture.observation.frame.camera)
        if not isinstance(moment, Moment) or ring is None:
            return capture
        if not moment.is_whole:
            ring.complete(moment)
        clip = moment.clip()
        frames = list(clip.frames) if clip is not None else []
        if at not in {frame.at for frame in frames}:
            own = self._encoded(capture.observation, capture.suspects)
            same = [frame for frame in frames if same_size(frame, own)]
            frames = sorted([*same, own], key=lambda frame: frame.at)
            dropped = clip.dropped - 1 if clip is not None else 0
            clip = Clip(tuple(frames), max(0, dropped))
        if moment.is_shortened:
            self._stats.count(SHORTENED)
        return replace(capture, clip=clip)
