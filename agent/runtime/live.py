"""The daemon's state as `status` shows it, collected without waiting for the disk."""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from agent.exchange.state import CameraState, DaemonState, HeartbeatState, Limits, Phase
from agent.ports import Clock
from agent.printable import printable
from agent.runtime.auto_labels import AutoReport
from agent.runtime.feedback import FeedbackReload, feedback_state
from agent.runtime.inference import Inference
from agent.runtime.mailbox import FrameCounts, Mailbox
from agent.runtime.model import CurrentModel
from agent.runtime.preroll import ClipStage
from agent.runtime.reader import Reader
from agent.runtime.shown_error import shown_error
from agent.runtime.uploader import Uploader
from agent.runtime.writer import Writer
from agent.spool.spool import Spool

RATE_S = 20.0
"""Span over which frame rates are measured."""


@dataclass(frozen=True, slots=True)
class Process:
    """What never changes while the daemon runs."""

    id: int
    start: int  # clock ticks since the boot
    boot: str
    version: str
    device: str
    started_at: float  # seconds of the monotonic clock
    target: str | None  # the endpoint without secrets
    limits: Limits

    def state(self, phase: Phase, clock: Clock, *, interval: float) -> DaemonState:
        """Return the state of a daemon of which nothing else is known."""
        return DaemonState(
            process=self.id,
            process_start=self.start,
            boot=self.boot,
            phase=phase,
            at=clock.monotonic(),
            wall=clock.wall(),
            started_at=self.started_at,
            interval=interval,
            version=self.version,
            device=self.device,
            limits=self.limits,
            target=self.target,
        )


@dataclass(frozen=True, slots=True)
class BrokerCondition:
    """Whether there is a connection to the MQTT broker."""

    is_connected: bool
    error: str | None = None


@dataclass(frozen=True, slots=True)
class FrameRate:
    """Frames per second of one camera."""

    offered: float
    analysed: float
    still: float = 0.0  # on which the model did not run, because nothing moved


class FrameRates:
    """Frames per second of each camera over the last `RATE_S`."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Mapping[str, FrameCounts], Mapping[str, int]]] = deque()

    def measure(
        self,
        now: float,
        counts: Mapping[str, FrameCounts],
        still: Mapping[str, int] = MappingProxyType({}),
    ) -> dict[str, FrameRate]:
        """Take a sample and return the rates since the oldest one within the span.

        `still`: frames of each camera on which the model did not run; none by default.
        """
        still = {name: still.get(name, 0) for name in counts}
        self._samples.append((now, counts, still))
        while now - self._samples[0][0] > RATE_S and now - self._samples[1][0] >= RATE_S:
            self._samples.popleft()
        began, before, still_before = self._samples[0]
        seconds = now - began
        if seconds <= 0:
            return dict.fromkeys(counts, FrameRate(0.0, 0.0))
        return {
            name: FrameRate(
                (count.offered - before[name].offered) / seconds,
                (count.taken - before[name].taken - still[name] + still_before[name]) / seconds,
                (still[name] - still_before[name]) / seconds,
            )
            for name, count in counts.items()
        }


class LiveState:
    """Collects the state of the daemon.

    `refresh` may wait for the spool and is called by the housekeeping; `state` waits for nothing
    but the locks of the pipeline, so that a disk that hangs does not hide the cameras.
    """

    def __init__(
        self,
        process: Process,
        *,
        readers: Sequence[Reader],
        mailbox: Mailbox,
        inference: Inference,
        writer: Writer,
        spool: Spool,
        uploader: Uploader | None,
        model: CurrentModel | None,
        clock: Clock,
        clips: ClipStage | None = None,
    ) -> None:
        self._process = process
        self._clips = clips
        self._readers = readers
        self._mailbox = mailbox
        self._inference = inference
        self._writer = writer
        self._spool = spool
        self._uploader = uploader
        self._model = model
        self._clock = clock
        self._rates = FrameRates()
        self._lock = threading.Lock()  # two threads ask for the state
        self.phase = Phase.STARTING
        self.stalled: tuple[str, ...] = ()
        """Names of workers without progress."""
        self.end: tuple[int, str] | None = None
        """Exit code and reason of a stop."""
        self.figures: Mapping[str, float | None] = MappingProxyType({})
        """What the spool counts, as it was a moment ago; empty at the start."""
        self.broker: BrokerCondition | None = None
        """None without AGENT_MQTT_URL."""
        self.heartbeat: Callable[[], HeartbeatState] | None = None
        """Tells of the heartbeats; None where none are sent."""
        self.feedback: FeedbackReload | None = None
        """None without AGENT_FEEDBACK."""
        self._upload: str | None = None
        self._last_error: str | None = None
        self._disk_error: str | None = None
        self._in_flight = 0
        self._best_value: float | None = None
        self.auto: AutoReport | None = None
        """None without AGENT_AUTO_PER_DAY."""
        self._order_figures: Mapping[str, float] = MappingProxyType({})

    def refresh(self) -> None:
        """Read what the spool and the uploader know."""
        figures = self._spool.report()
        self._best_value = figures.get("best_value")
        self._order_figures = figures
        counts = self._spool.counts()
        self.figures = {
            "waiting": self._spool.waiting(),
            "occupied_bytes": self._spool.occupied(),
            "stored": counts.get("stored", 0),
            "delivered": counts.get("delivered", 0),
            "rejected": counts.get("rejected", 0),
            "credits_left": figures.get("credits_left"),
            "auto_sent_today": figures.get("auto_sent_today"),
        }
        self._in_flight = self._spool.in_flight()
        refusals = [self._writer.refusal]
        if self._uploader is not None:
            self._upload = self._uploader.condition
            self._last_error = shown_error(self._uploader.last_error)
            refusals.append(self._uploader.disk_error)
        self._disk_error = shown_error(next(filter(None, refusals), None))

    def state(self, *, interval: float) -> DaemonState:
        """Return the state now; the next one is due in `interval` seconds."""
        with self._lock:
            now = self._clock.monotonic()
            still = {each.camera: self._inference.still(each.camera) for each in self._readers}
            rates = self._rates.measure(now, self._mailbox.camera_counts(), still)
        state = self._process.state(self.phase, self._clock, interval=interval)
        state = replace(
            state,
            cameras=tuple(self._camera(reader, rates[reader.camera]) for reader in self._readers),
            stalled=self.stalled,
            upload=self._upload,
            last_error=self._last_error,
            disk_error=self._disk_error,
            is_disk_short=self._spool.is_disk_short,
            in_flight=self._in_flight,
            best_value=self._best_value,
        )
        if self._clips is not None:
            state = replace(state, clip_bytes=self._clips.used, clip_limit=self._clips.limit)
        if self.feedback is not None:
            state = replace(state, feedback=feedback_state(self.feedback))
        if self.auto is not None:
            state = replace(state, auto=self.auto.state(self._order_figures))
        if self.heartbeat is not None:
            state = replace(state, heartbeat=self.heartbeat())
        broker = self.broker
        if broker is not None:
            condition = "connected" if broker.is_connected else "disconnected"
            state = replace(state, mqtt=condition, mqtt_error=shown_error(broker.error))
        if self.end is not None:
            state = replace(state, exit_code=self.end[0], stop_reason=self.end[1])
        if self._model is None:
            return state
        info = self._model.info
        return replace(
            state,
            model=printable(info.name),
            model_sha256=info.sha256,
            model_provider=info.provider,
            model_error=shown_error(self._model.fallback_reason),
        )

    def frames(self, camera: str) -> int:
        """Return how many frames of a camera were offered for analysis since the start."""
        return self._mailbox.camera_counts()[camera].offered

    def still(self, camera: str) -> int:
        """Return on how many frames of a camera the model did not run: nothing moved."""
        return self._inference.still(camera)

    def _camera(self, reader: Reader, rate: FrameRate) -> CameraState:
        report, name = reader.report, reader.camera
        quality = self._inference.quality(name)
        capture = self._inference.last_capture(name)
        return CameraState(
            name,
            report.condition,
            error=shown_error(report.error or reader.hidden),
            since_at=report.since,
            last_frame_at=reader.last_frame_at,
            fps=round(rate.offered, 2),
            analysed_fps=max(0.0, round(rate.analysed, 2)),
            still_fps=round(rate.still, 2),
            width=report.width,
            height=report.height,
            quality=None if quality is None else quality.value,
            last_capture=None if capture is None else capture[0],
            last_capture_time=None if capture is None else capture[1],
        )
