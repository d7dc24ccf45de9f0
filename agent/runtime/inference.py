"""Runs the model on whichever camera's frame is next, and the rules in each camera's own order."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import Full, Queue

from agent.domain import Capture, Observation
from agent.logs import Log
from agent.ports import Clock, Detector
from agent.runtime.mailbox import Mailbox
from agent.runtime.stats import Stats
from agent.selection.selector import Selector

TAKE_TIMEOUT_S = 0.5
FULL_S = 0.05
"""How long a worker waits for room in the queue before it looks again."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A capture on its way to the disk, with the name it will always have."""

    id: str
    capture: Capture


class Line:
    """Puts one camera's observations back in order, whichever worker finished first."""

    def __init__(self, selector: Selector, accept: Callable[[Capture], None]) -> None:
        """`accept` is called for each capture, in order, by one thread at a time."""
        self._selector = selector
        self._accept = accept
        self._lock = threading.Lock()
        self._early: dict[int, Observation] = {}
        self._next = 0

    def finish(self, order: int, observation: Observation) -> None:
        """Hand in the observation of the `order`-th frame taken from this camera."""
        with self._lock:
            self._early[order] = observation
            while self._next in self._early:
                for capture in self._selector.observe(self._early.pop(self._next)):
                    self._accept(capture)
                self._next += 1


class Inference:
    """The step of all inference workers, which share it.

    A full queue stops the analysis, never a step: the watchdog must not end a process for a disk
    that refuses, because the captures that wait for it exist only in memory.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        detector: Detector,
        selectors: Mapping[str, Selector],
        queue: "Queue[Chosen]",
        *,
        new_id: Callable[[float], str],
        stats: Stats,
        clock: Clock,
        log: Log,
    ) -> None:
        self._mailbox = mailbox
        self._detector = detector
        self._lines = {name: Line(selector, self._accept) for name, selector in selectors.items()}
        self._queue = queue
        self._new_id = new_id
        self._stats = stats
        self._clock = clock
        self._log = log
        self._forwarding = threading.Lock()
        self._chosen: deque[Chosen] = deque()  # not yet in the queue, in order

    @property
    def pending(self) -> int:
        """Captures that have not found room in the queue."""
        return len(self._chosen)

    def step(self) -> float | None:
        """Analyse one frame; done when the mailbox is closed and empty, and all is in the queue."""
        if not self._forward():
            return FULL_S
        ticket = self._mailbox.take(TAKE_TIMEOUT_S)
        if ticket is None:
            return None if self._mailbox.drained else 0.0
        began = self._clock.monotonic()
        answer = self._detector.detect(ticket.frame.pixels)
        seconds = self._clock.monotonic() - began
        self._stats.inferred(seconds)
        observation = Observation(
            ticket.frame,
            answer.detections,
            seconds,
            classes=answer.classes,
            invalid=answer.invalid,
            model=answer.model,
        )
        self._lines[ticket.frame.camera].finish(ticket.order, observation)
        return 0.0

    def _accept(self, capture: Capture) -> None:
        frame = capture.observation.frame
        chosen = Chosen(self._new_id(frame.captured_at), capture)
        for hit in capture.rules:
            self._stats.count(f"captured/{hit.name}")
        self._stats.count("captured")
        self._log.info(
            "frame captured",
            capture=chosen.id,
            camera=frame.camera,
            lane=capture.lane.value,
            rules=",".join(hit.name for hit in capture.rules),
            value=round(capture.value, 3),
        )
        self._chosen.append(chosen)

    def _forward(self) -> bool:
        """Move what was chosen to the queue, in order; false when it is full."""
        with self._forwarding:
            while self._chosen:
                try:
                    self._queue.put_nowait(self._chosen[0])
                except Full:
                    return False
                self._chosen.popleft()
        return True
