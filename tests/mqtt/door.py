"""The doors of a daemon whose pipeline is the test, and its connection to a broker."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from agent.domain import Thresholds
from agent.errors import RefusalKind, RequestRefused
from agent.exchange.state import CameraState, DaemonState, Limits, Phase
from agent.mqtt.address import parse_mqtt
from agent.mqtt.connection import Broker, BrokerThread, client_id
from agent.mqtt.publisher import Plan, Publisher
from agent.mqtt.tls import tls_context
from agent.mqtt.topics import Topics
from agent.runtime.application import Application
from agent.runtime.listeners import PipelineEvents
from agent.runtime.live import BrokerCondition, LiveState
from agent.system import SystemClock
from tests.end_to_end.command import until
from tests.fakes.log import Recorder

STATE = DaemonState(
    process=1,
    process_start=1,
    boot="boot",
    phase=Phase.RUNNING,
    at=1000.0,
    wall=1_780_000_000.0,
    started_at=900.0,
    interval=1.0,
    version="1.2.3",
    device="gate-07",
    limits=Limits(100.0, 10**9, 0, 20.0, 5.0),
    cameras=(CameraState("gate", "live", fps=5.0, quality="clear", width=640, height=360),),
    model="nanodet",
    model_provider="CPUExecutionProvider",
    upload="flowing",
    target="https://example.org/captures",
)
FIGURES: Mapping[str, float | None] = {"waiting": 3, "delivered": 41, "credits_left": 2.04}
THRESHOLDS = Thresholds(0.5)


class StateOfTest:
    """What the daemon says of itself, as the test sets it."""

    def __init__(self) -> None:
        self.now = STATE
        self.figures = FIGURES
        self.broker: BrokerCondition | None = None
        self.frame_count = 100

    def state(self, *, interval: float) -> DaemonState:
        return self.now

    def frames(self, camera: str) -> int:
        return self.frame_count

    def set_cameras(self, *cameras: CameraState) -> None:
        self.now = replace(self.now, cameras=cameras)


class AskedCaptures:
    """Keeps what was asked; refuses a camera named `blind`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | float | None, str]] = []

    def request(self, camera: str, at: str | float | None = None, *, note: str = "") -> str:
        if camera == "blind":
            raise RequestRefused(RefusalKind.NOT_NOW, "cannot capture blind: it gives no frames")
        self.asked.append((camera, at, note))
        return f"id-{len(self.asked)}"

    def state(self, capture_id: str) -> Mapping[str, Any]:
        raise RequestRefused(RefusalKind.UNKNOWN, f"there is no capture {capture_id}")

    def latest(self) -> Sequence[Mapping[str, Any]]:
        return ()


def application_of(live: StateOfTest, captures: AskedCaptures, *cameras: str) -> Application:
    return Application(
        cameras=cameras,
        live=cast("LiveState", live),
        events=PipelineEvents(),
        clock=SystemClock(),
        captures=captures,
    )


class Door:
    """A connection to a real broker in its own thread; waits are short."""

    def __init__(
        self,
        url: str,
        log: Recorder,
        *,
        device: str = "gate-07",
        cameras: tuple[str, ...] = ("gate",),
        purpose: str = "",
    ) -> None:
        address = parse_mqtt(url)
        self.live, self.captures = StateOfTest(), AskedCaptures()
        self.live.set_cameras(*(CameraState(name, "live", fps=5.0) for name in cameras))
        self.application = application_of(self.live, self.captures, *cameras)
        self.topics = Topics(address.prefix, device)
        plan = Plan(self.topics, address.discovery, THRESHOLDS, has_budget=True)
        self.publisher = Publisher(plan, self.application, version="1.2.3")
        self.thread = BrokerThread(
            Broker(address, client_id(device, purpose), tls_context(address)),
            self.publisher,
            self.application,
            jitter=lambda bound: 0.0,
            log=log.log,
        )
        self.thread.step()

    @property
    def is_connected(self) -> bool:
        return self.live.broker is not None and self.live.broker.is_connected

    @property
    def error(self) -> str:
        return (self.live.broker and self.live.broker.error) or ""

    @property
    def is_running(self) -> bool:
        return any(
            each.name == "mqtt connection" and each.is_alive() for each in threading.enumerate()
        )

    def fails(self) -> None:
        """Wait until the first try has failed."""
        until(lambda: self.error)

    def stop(self) -> None:
        self.thread.close()
