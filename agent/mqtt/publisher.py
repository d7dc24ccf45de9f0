"""Decides what the broker must be told, and remembers what it was told."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.domain import Capture, Observation, Thresholds
from agent.mqtt import discovery, messages
from agent.mqtt.topics import ONLINE, Topics
from agent.runtime.application import Application

COUNTS_S = 10.0
"""Shortest time between two messages with the counts of a camera."""

CAPTURES_MAX = 100
"""Captures that wait until the broker takes them; further ones are counted as dropped."""

KEPT = ("state", "details", "counts", "detections")
"""What is published of each camera, and kept by the broker."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for the broker."""

    topic: str
    payload: bytes
    retain: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What the settings say about what is published."""

    topics: Topics
    discovery: str | None  # Home Assistant's prefix; None: off
    thresholds: Thresholds
    has_budget: bool


class Publisher:
    """What one device publishes. The listeners may be called by any thread, the rest by one."""

    def __init__(self, plan: Plan, application: Application, *, version: str) -> None:
        self.topics = plan.topics
        self._plan = plan
        self._application = application
        self._cameras = application.cameras
        self._configs: Mapping[str, bytes] = {}
        if plan.discovery is not None:
            self._configs = discovery.configs(
                plan.discovery,
                plan.topics,
                self._cameras,
                version=version,
                has_budget=plan.has_budget,
            )
        self._lock = threading.Lock()
        self._captures: deque[dict[str, Any]] = deque()
        self._captured: Counter[str] = Counter()
        self._dropped = 0
        self._last: dict[str, Mapping[str, Any]] = {}
        self._seen: dict[str, Sequence[tuple[str, float]]] = {}
        self._told: dict[str, bytes] = {}
        self._told_at: dict[str, float] = {}
        self._waiting: dict[str, bytes] = {}  # what the broker must keep, by topic; b"": nothing
        self._listens = False

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Follow the pipeline; return the function that ends it. `wake` is called at captures."""

        def captured(capture: Capture) -> None:
            self.captured(capture)
            wake()

        ends = [
            self._application.events.captured.add(captured),
            self._application.events.analysed.add(self.analysed),
        ]

        def end() -> None:
            for each in ends:
                each()

        return end

    def captured(self, capture: Capture) -> None:
        """Keep a capture until it is told; without a connection it is only counted."""
        message = messages.capture_message(capture)
        camera = message["camera"]
        with self._lock:
            self._captured[camera] += 1
            self._last[camera] = message
            if self._listens and len(self._captures) < CAPTURES_MAX:
                self._captures.append(message)
            else:
                self._dropped += 1

    def analysed(self, observation: Observation) -> None:
        """Keep what the model found in the newest frame, and nothing of its pixels or masks."""
        self._seen[observation.frame.camera] = [
            *[(each.label, each.confidence) for each in observation.detections],
            *[(each.label, each.confidence) for each in observation.classes],
        ]

    def begin(self) -> None:
        """Forget what was told: there is a new connection, perhaps to a new broker."""
        self._told.clear()
        self._told_at.clear()
        self._waiting.clear()
        with self._lock:
            self._listens = True

    def end(self) -> None:
        """There is no connection: what happens from now on is not told later as if it were new."""
        with self._lock:
            self._listens = False
            self._dropped += len(self._captures)
            self._captures.clear()

    def announce_again(self) -> None:
        """Send the discovery messages again: Home Assistant has started."""
        for topic in self._configs:
            self._told.pop(topic, None)

    def found(self, topic: str, payload: bytes) -> None:
        """Take note of what the broker has kept; what is ours and no longer true is removed."""
        if not payload or topic in self._configs:
            return
        leaf = topic.rpartition("/")[2]
        if leaf == "config":
            is_stale = discovery.is_ours(payload)
        else:
            known = {self.topics.camera(name, leaf) for name in self._cameras}
            is_stale = leaf in KEPT and topic not in known
        if is_stale:
            self._waiting[topic] = b""

    def look(self, now: float) -> None:
        """Look for what has changed; `now` is monotonic."""
        for topic, payload in self._wanted(now):
            if self._told.get(topic) != payload:
                self._waiting[topic] = payload
            else:
                self._waiting.pop(topic, None)

    def due(self) -> Iterator[Outgoing]:
        """Yield what is to be sent. Call `told` for each that was."""
        for topic, payload in list(self._waiting.items()):
            yield Outgoing(topic, payload)
        for message in list(self._captures):
            yield Outgoing(self.topics.captures, messages.payload(message), retain=False)

    def told(self, sent: Outgoing, now: float) -> None:
        """Take note of what was sent."""
        if not sent.retain:
            with self._lock:
                self._captures.popleft()
            return
        del self._waiting[sent.topic]
        if sent.payload:
            self._told[sent.topic] = sent.payload
            self._told_at[sent.topic] = now

    def _wanted(self, now: float) -> Iterator[tuple[str, bytes]]:
        """Yield what the broker must keep, in the order in which it is sent."""
        state = self._application.live.state(interval=0.0)
        yield from self._configs.items()
        for camera in state.cameras:
            yield self.topics.camera(camera.name, "state"), camera.state.encode()
            details = messages.camera_details(camera, self._last.get(camera.name))
            yield self.topics.camera(camera.name, "details"), messages.payload(details)
            topic = self.topics.camera(camera.name, "counts")
            if now - self._told_at.get(topic, -COUNTS_S) >= COUNTS_S:
                frames = self._application.live.frames(camera.name)
                captured = self._captured[camera.name]
                counts = messages.camera_counts(camera, frames=frames, captured=captured)
                yield topic, messages.payload(counts)
            if camera.name in self._seen:
                found = messages.seen(self._seen[camera.name], self._plan.thresholds)
                yield self.topics.camera(camera.name, "detections"), messages.payload(found)
        figures = self._application.live.figures
        message = messages.device_state(state, figures, dropped=self._dropped)
        yield self.topics.state, messages.payload(message)
        yield self.topics.availability, ONLINE.encode()  # last: what is online has a state
