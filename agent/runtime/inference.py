"""Runs the model on the next frame of any camera, and the rules in each camera's frame order."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from queue import Full, Queue

from agent.domain import Capture, Grey, Observation, Pixels
from agent.logs import Log
from agent.ports import Clock, Detector
from agent.progress import doing
from agent.runtime.failed_runs import FailedRuns
from agent.runtime.followed import CaptureState
from agent.runtime.listeners import PipelineEvents
from agent.runtime.mailbox import Mailbox, Ticket
from agent.runtime.motion import StillFrames
from agent.runtime.preroll import ClipStage
from agent.runtime.stats import Stats
from agent.selection.auto_label import AutoLabels
from agent.selection.device import Selection
from agent.selection.feedback import Feedback
from agent.selection.image_quality import ImageQuality
from agent.selection.selector import FrameEvaluation

TAKE_TIMEOUT_S = 0.5
FULL_S = 0.05
"""How long a worker waits before it retries a full queue."""


class FrameReorderer:
    """Restores the frame order of one camera's observations: workers finish in any order."""

    def __init__(self, accept: Callable[[Observation], None]) -> None:
        """`accept` is called for each observation, in order; it must be called under a lock."""
        self._accept = accept
        self._early: dict[int, Observation] = {}
        self.next = 0
        """The frame that is accepted next; later ones wait for it."""

    def finish(self, order: int, observation: Observation) -> None:
        """Hand in the observation of the `order`-th frame taken from this camera.

        It is dropped if `skip_missing` has skipped that frame.
        """
        if order < self.next:
            return
        self._early[order] = observation
        while self.next in self._early:
            self._accept(self._early.pop(self.next))
            self.next += 1

    def skip_missing(self) -> None:
        """Accept all frames that wait, without the missing ones before them."""
        while self._early:
            self.next = min(self._early)
            self.finish(self.next, self._early[self.next])


class Inference:
    """The step that all inference workers share.

    A full queue pauses the analysis but never blocks a step: the watchdog must not kill the process
    because the disk refuses writes, since the queued captures exist only in memory.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        detector: Detector,
        selection: Selection,
        queue: "Queue[Capture]",
        *,
        shrink: Callable[[Pixels], Grey],
        still: StillFrames | None = None,
        stats: Stats,
        clock: Clock,
        log: Log,
        clips: ClipStage | None = None,
    ) -> None:
        self._mailbox = mailbox
        self.events = PipelineEvents()
        """What others can listen to; who makes the selection tells `evaluated`."""
        self._clips = clips
        self._detector = detector
        self._selection = selection
        self._reorderers = {name: FrameReorderer(self._select) for name in selection.selectors}
        self._queue = queue
        self._shrink = shrink
        self._still = still  # None: the model runs on every frame
        self._stats = stats
        self._clock = clock
        self._log = log
        self._failed_runs = FailedRuns(clock=clock, log=log)
        self._selecting = threading.Lock()  # cameras share a pool, and frames must stay in order
        self._arrived: deque[tuple[Ticket, Observation]] = deque()  # not evaluated yet
        self._counting = threading.Lock()
        self._in_progress = 0  # workers between taking a frame and handing in its observation
        self._qualities = dict.fromkeys(selection.selectors, ImageQuality.CLEAR)
        self._slow: set[str] = set()
        self._newest: dict[str, tuple[Observation, float]] = {}  # by camera, with its time
        self._last_captures: dict[str, tuple[str, float]] = {}  # by camera: id, wall time
        self._forwarding = threading.Lock()
        self._chosen: deque[Capture] = deque()  # not yet in the queue, in order

    @property
    def pending(self) -> int:
        """Captures that are not yet in the queue because it is full."""
        return len(self._chosen)

    def step(self) -> float | None:
        """Analyse one frame; None when the mailbox is closed and empty and all is queued."""
        if not self._forward():
            return FULL_S
        with self._counting:
            self._in_progress += 1
        try:
            ticket = self._mailbox.take(TAKE_TIMEOUT_S)
            if ticket is not None:
                self._analyse(ticket)
                return 0.0
        finally:
            with self._counting:
                self._in_progress -= 1
        return self._end() if self._mailbox.drained else 0.0

    def request(self, ids: Mapping[str, str] | None = None) -> None:
        """Capture the next frame of each camera, or of those in `ids`, under the id given there."""
        with self._selecting:
            self._selection.request(ids)
        self._evaluate_arrived()

    @property
    def auto(self) -> AutoLabels | None:
        """The auto labels of the selection; None where the model labels nothing."""
        return self._selection.auto

    def use_feedback(self, feedback: Feedback) -> None:
        """Take up what reviews said, from the next frame on."""
        with self._selecting:
            self._selection.use(feedback)
        self._evaluate_arrived()

    def capture(self, capture: Capture, evaluation: FrameEvaluation | None, *, at: float) -> None:
        """Capture an earlier frame that somebody asked for; see `Selector.asked_for`."""
        with self._selecting:
            now = self._clock.monotonic()
            self._accept(self._selection.asked_for(capture, evaluation, at=at, now=now))
        self._evaluate_arrived()
        self._forward()

    def newest(self, camera: str) -> tuple[Observation, float] | None:
        """Return the newest analysed frame of a camera, and the monotonic time of its analysis.

        None before the first.
        """
        return self._newest.get(camera)

    def quality(self, camera: str) -> ImageQuality | None:
        """Return the image quality that has lasted; None before the first frame."""
        return self._qualities[camera] if camera in self._newest else None

    def last_capture(self, camera: str) -> tuple[str, float] | None:
        """Return id and wall time of a camera's latest capture; None before the first."""
        return self._last_captures.get(camera)

    def still(self, camera: str) -> int:
        """Return on how many frames of a camera the model did not run: nothing moved."""
        return 0 if self._still is None else self._still.skipped(camera)

    def memory(self) -> dict[str, str]:
        """Return the state of the selection that should survive a restart, by name."""
        with self._selecting:
            memory = self._selection.memory()
        self._evaluate_arrived()
        return memory

    def abandon_runs(self) -> bool:
        """Evaluate all other frames without those whose runs hang, at a stop.

        Returns:
            Whether their captures are in the queue; if not, call it again when there is room.
        """
        with self._selecting:
            self._evaluate_all()
            if not self._in_progress:
                return self._forward()
            for reorderer in self._reorderers.values():
                reorderer.skip_missing()
            for capture in self._selection.finish(self._clock.monotonic()):
                self._accept(capture)
        self._evaluate_arrived()
        return self._forward()

    def _analyse(self, ticket: Ticket) -> None:
        pixels = ticket.frame.pixels
        grey = self._shrink(pixels)
        if self._still is not None and self._still.skips(ticket, grey):
            self._stats.count("still")
            self._hand_in(ticket, Observation(ticket.frame, (), grey=grey, is_still=True))
            return
        began = self._clock.monotonic()
        prediction = ticket.frame.prediction
        if prediction is None:
            with doing(f"runs the model on a frame of {ticket.frame.camera}"):
                prediction = self._detector.detect(pixels)
        self._stats.inferred(self._clock.monotonic() - began)
        self._failed_runs.note(ticket.frame.camera, prediction)
        self._hand_in(ticket, Observation.of(ticket.frame, prediction, grey))

    def _hand_in(self, ticket: Ticket, observation: Observation) -> None:
        self._arrived.append((ticket, observation))
        self._evaluate_arrived()

    def _evaluate_arrived(self) -> None:
        """Evaluate what workers have handed in, unless another thread does it already.

        No worker waits for the lock: who holds it looks again after its release, and so evaluates
        what came meanwhile.
        """
        while self._arrived and self._selecting.acquire(blocking=False):
            try:
                self._evaluate_all()
            finally:
                self._selecting.release()

    def _evaluate_all(self) -> None:
        """Evaluate what workers have handed in; the caller holds the lock."""
        while self._arrived:
            ticket, observation = self._arrived.popleft()
            reorderer = self._reorderers[ticket.frame.camera]
            reorderer.finish(ticket.order, observation)
            self._mailbox.finished(ticket.frame.camera, reorderer.next)

    def _end(self) -> float | None:
        """After the last frame, the last worker evaluates frames that waited for later ones."""
        with self._selecting:
            self._evaluate_all()
            if self._in_progress == 0:
                for capture in self._selection.finish(self._clock.monotonic()):
                    self._accept(capture)
        return None if self._forward() else FULL_S

    def _select(self, observation: Observation) -> None:
        if self._still is not None:
            observation = self._still.completed(observation)
        if self._clips is not None:
            observation = self._clips.observe(observation)
        self._newest[observation.frame.camera] = observation, self._clock.monotonic()
        self.events.analysed.tell(observation)  # before the rules have judged it
        for capture in self._selection.observe(observation, self._clock.monotonic()):
            self._accept(capture)
        self._log_changes(observation.frame.camera)

    def _log_changes(self, camera: str) -> None:
        """Log changes of a camera's image quality and frame rate, once each."""
        selector = self._selection.selectors[camera]
        quality = selector.quality_monitor.lasting
        if quality is not self._qualities[camera]:
            self._qualities[camera] = quality
            if quality is ImageQuality.CLEAR:
                self._log.warning("image recovered", camera=camera)
            else:
                self._log.warning("image degraded", camera=camera, quality=quality.value)
        if selector.context_builder.is_slow != (camera in self._slow):
            self._slow ^= {camera}
            if camera in self._slow:
                self._log.info("temporal rules disabled", camera=camera)
            else:
                self._log.info("temporal rules enabled", camera=camera)

    def _accept(self, capture: Capture) -> None:
        for hit in capture.rules:
            self._stats.count(f"captured/{hit.name}")
        self._stats.count("captured")
        frame = capture.observation.frame
        self._last_captures[frame.camera] = capture.id, frame.captured_at
        self._stats.followed.became(capture.id, CaptureState.CAPTURED)
        self._log.info(
            "frame captured",
            capture=capture.id,
            camera=frame.camera,
            lane=capture.lane.value,
            rules=",".join(hit.name for hit in capture.rules),
            value=round(capture.expected_failures, 3),
        )
        self.events.captured.tell(capture)
        self._chosen.append(capture)

    def _forward(self) -> bool:
        """Move selected captures to the queue, in order; false when it is full."""
        with self._forwarding:
            while self._chosen:
                try:
                    self._queue.put_nowait(self._chosen[0])
                except Full:
                    return False
                self._chosen.popleft()
        return True
