"""The heartbeats of the settings: what they say, and to whom."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from agent.errors import TargetUnavailable, TemporaryError
from agent.factories.status_facts import own_facts, stopped_facts
from agent.ports import TakesStatus
from agent.record.device_status import encoded_status, shown_device
from agent.record.timestamp import timestamp
from agent.runtime.device_heartbeat import DeviceHeartbeat, HeartbeatPlan
from agent.runtime.supervisor import SideWorker
from agent.system import boot_id, clock_synchronized, full_jitter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from agent.logs import Log
    from agent.ports import Clock, UploadTarget
    from agent.runtime.live import LiveState
    from agent.settings.declarations import Settings
    from agent.spool.spool import Spool


def heartbeat_workers(
    settings: Settings,
    target: UploadTarget | None,
    spool: Spool,
    live: LiveState,
    *,
    clock: Clock,
    log: Log,
) -> tuple[SideWorker, ...]:
    """Return the worker that sends heartbeats, if any are wanted and the target takes them."""
    if settings.heartbeat is None or not isinstance(target, TakesStatus):
        return ()
    heartbeat = DeviceHeartbeat(
        HeartbeatPlan(target, target.name, shown_device(settings.device_id), settings.heartbeat),
        partial(_status, settings, live, clock),
        is_sending=lambda: spool.in_flight() > 0,
        jitter=full_jitter,
        clock=clock,
        log=log,
    )
    live.heartbeat = lambda: heartbeat.state
    return (SideWorker("heartbeat", heartbeat.step, heartbeat.close),)


def status_bytes(facts: Mapping[str, Any], interval: float, clock: Clock) -> bytes:
    """Return facts as a heartbeat sends them now. `interval`: seconds until the next one."""
    wall = clock.wall()
    about = {
        "at": timestamp(wall),
        "boot": boot_id(),
        "since_boot_s": round(clock.monotonic(), 3),
        "clock_synchronized": clock_synchronized(wall),
        "heartbeat_s": interval,
    }
    return encoded_status(facts, about)


def _status(settings: Settings, live: LiveState, clock: Clock, is_last: bool) -> bytes:  # noqa: FBT001
    try:
        facts = own_facts(settings, live, clock)
    except TemporaryError as error:
        raise TargetUnavailable(f"cannot tell the status of this device: {error}") from error
    if is_last:
        facts = stopped_facts(facts, live.state(interval=0.0))
    return status_bytes(facts, settings.heartbeat or 0.0, clock)
