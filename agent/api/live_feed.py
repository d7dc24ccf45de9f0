"""What the live page shows beside the images: once a second, for all viewers together."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

from agent.api.live_page import page_files
from agent.errors import AgentError
from agent.exchange.state import CameraState
from agent.record.timestamp import timestamp
from agent.runtime.application import Application
from agent.selection.rule_words import rule_words
from agent.web.client_queue import RETRY, ClientQueue
from agent.web.recently import Recently
from agent.web.streams import event

PERIOD_S = 1.0

STATUS_FACTS = (
    *("needs", "waiting", "waiting_bytes", "oldest_waiting", "delivered", "last_delivered"),
    *("in_rejected", "evicted", "credits_left", "budget_per_day", "occupied_bytes", "max_bytes"),
    *("disk", "disk_free_bytes", "auto"),
)
"""Of `status --json`, what the page shows."""

STATUS_S = 2.0
"""How old that may be."""

_DISK_S = 0.5
_CAPTURES = 10
_QUEUED = 2  # an older one is worth nothing


class LiveFeed:
    """Collects the facts while there is a viewer, and never otherwise.

    What the disk tells comes later where the disk is slow, and never while it hangs; the rest does
    not wait for it.
    """

    def __init__(
        self,
        facts: Callable[[], Mapping[str, Any]],
        status: Recently[Mapping[str, Any]] | None = None,
        *,
        period: float = PERIOD_S,
    ) -> None:
        """`facts` waits for nothing; `status` gives those of `STATUS_FACTS`."""
        self._facts = facts
        self._status = status
        self._known: Mapping[str, Any] = {}
        self._period = period
        self._viewers: list[ClientQueue] = []
        self._task: asyncio.Task[None] | None = None

    async def events(self) -> AsyncGenerator[str, None]:
        """Yield the events of a new viewer."""
        viewer = ClientQueue(_QUEUED)
        self._viewers.append(viewer)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield RETRY
            while True:
                yield await viewer.get()
        finally:
            self._viewers.remove(viewer)

    async def _run(self) -> None:
        while self._viewers:
            text = event({**await self._from_disk(), **self._facts()})
            for viewer in self._viewers:
                viewer.put(text)
            await asyncio.sleep(self._period)

    async def _from_disk(self) -> Mapping[str, Any]:
        """Return what the disk tells, or told."""
        if self._status is not None:
            with contextlib.suppress(TimeoutError, AgentError):
                status = await asyncio.wait_for(self._status.get(), _DISK_S)
                self._known = {name: status[name] for name in STATUS_FACTS}
        return self._known


def live_facts(application: Application) -> dict[str, Any]:
    """Return what the page shows, as JSON takes it; ages are in seconds."""
    state = application.live.state(interval=0.0)
    captures: Sequence[Mapping[str, Any]] = ()
    if application.captures is not None:
        captures = application.captures.latest()[:_CAPTURES]
    return {
        "page": page_files().tag,
        "affirms": application.affirms,
        "version": state.version,
        "device": state.device,
        "run": f"{state.process}-{state.process_start}",
        "phase": state.phase,
        "wall": timestamp(state.wall),
        "uptime_s": round(state.at - state.started_at, 1),
        "cameras": [_camera(camera, state.at) for camera in state.cameras],
        "model": state.model,
        "model_provider": state.model_provider,
        "model_error": state.model_error,
        "target": state.target,
        "upload": state.upload,
        "last_error": state.last_error,
        "captures": [_capture(each) for each in captures],
    }


def _camera(camera: CameraState, now: float) -> dict[str, Any]:
    return {
        "name": camera.name,
        "state": camera.state,
        "error": camera.error,
        "since_s": _age(camera.since_at, now),
        "fps": camera.fps,
        "analysed_fps": camera.analysed_fps,
        "last_frame_age_s": _age(camera.last_frame_at, now),
        "width": camera.width,
        "height": camera.height,
        "quality": camera.quality,
    }


def _capture(capture: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "camera", "captured_at", "lane", "value", "state", "reason", "note")
    facts = {name: capture[name] for name in names if name in capture}
    facts["verdicts"] = [
        {"verdict": each["verdict"], "by": each["by"]} for each in capture.get("verdicts", ())
    ]
    rules = [rule["name"] for rule in capture.get("rules", ())]  # the highest score first
    return {**facts, "why": rule_words(rules[0]) if rules else "", "also": rules[1:]}


def _age(at: float | None, now: float) -> float | None:
    return None if at is None else round(max(0.0, now - at), 1)
