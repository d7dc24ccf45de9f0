"""What `status` knows, as one JSON object, and whether a person is needed."""

import contextlib
import dataclasses
import errno
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import __version__
from agent.errors import TemporaryError
from agent.exchange.state import CameraState, DaemonState
from agent.factories.selection import ledger_of
from agent.ports import Clock
from agent.runtime.daemon_view import DaemonView, Presence, other_owner, own_view
from agent.selection.budget.ledger import ClockReading
from agent.settings.declarations import Settings
from agent.settings.units import show_size, show_span
from agent.spool.layout import RESERVE_BYTES
from agent.spool.status import SpoolStatus, read_status
from agent.system import SystemClock, boot_id

if TYPE_CHECKING:  # `status` does not wait for the libraries of the daemon
    from agent.runtime.live import LiveState

WELL, NEEDED, NO_DAEMON = 0, 1, 3
"""Exit codes of `status`."""

_GRACE_S = 10.0  # that a camera may take beyond its own limit
_FEW_FRAMES = 3.0
_ONE_CAPTURE = 300_000  # bytes of a large one
_REBUILDS = (
    ". If the index is damaged, the next `run`, `flush` or `export` builds it again from the "
    "captures"
)


def spool_status(settings: Settings, clock: Clock) -> SpoolStatus:
    """Read the spool of the settings; raises `TemporaryError` where it cannot be read."""
    try:
        return read_status(settings.spool_dir, now=clock.wall())
    except OSError as error:
        advice = _REBUILDS if error.errno == errno.EIO else ""
        raise TemporaryError(
            f"cannot read the spool {settings.spool_dir}: {error}{advice}"
        ) from error


def own_facts(settings: Settings, live: "LiveState", clock: Clock) -> dict[str, Any]:
    """Return what the daemon knows of itself: the same facts as in another process.

    Reads the disk. Raises `TemporaryError`.
    """
    return facts_of(spool_status(settings, clock), own_view(live.state(interval=0.0)), settings)


def facts_of(spool: SpoolStatus, view: DaemonView, settings: Settings) -> dict[str, Any]:
    """Return the facts by name, as docs/operating.md describes them."""
    state = view.state
    running = state if view.presence.is_there else None
    if running is not None:
        # The daemon may have been started with other settings than those of this terminal.
        settings = settings.model_copy(update=dataclasses.asdict(running.limits))
    facts: dict[str, Any] = {
        "spool_dir": str(settings.spool_dir),
        "daemon": view.presence.value,
        "daemon_pid": view.owner.process if view.owner and view.presence.is_there else None,
        "version": running.version if running else __version__,
        "device": running.device if running else settings.device_id,
        "uptime_s": _rounded(view.seconds_since(running.started_at if running else None)),
        "state_age_s": _rounded(view.age_s),
        "stopped": _iso(state.wall) if state and view.presence is Presence.STOPPED else None,
        "exit_code": state.exit_code if state and view.presence is Presence.STOPPED else None,
        "stalled": list(running.stalled) if running else [],
        "cameras": _cameras(view, settings),
        "waiting": spool.waiting,
        "waiting_bytes": spool.waiting_bytes,
        "facts_waiting": spool.facts_waiting,
        "in_flight": running.in_flight if running else 0,
        "oldest_waiting": _iso(spool.oldest_waiting),
        "stored": spool.stored,
        "delivered": spool.delivered,
        "rejected": spool.rejected,
        "in_rejected": spool.in_rejected,
        "damaged": spool.damaged,
        "evicted": spool.evicted,
        "evicted_by_reason": spool.evicted_by_reason,
        "last_delivered": _iso(spool.last_delivered),
        "last_error": state.last_error if state else None,
        "target": running.target if running else None,
        "upload": running.upload if running else None,
        "best_value": running.best_value if running else None,
        "clip_bytes": running.clip_bytes if running else None,
        "clip_max_bytes": running.clip_limit if running else None,
        "mqtt": running.mqtt if running else None,
        "mqtt_error": running.mqtt_error if running else None,
        "model": running.model if running else None,
        "model_sha256": running.model_sha256 if running else None,
        "model_provider": running.model_provider if running else None,
        "model_error": running.model_error if running else None,
        "feedback": _feedback(running),
        "auto": _auto(running),
        "heartbeat": _heartbeat(running),
        "budget_per_day": settings.budget_per_day,
        **_credits(spool, settings),
        **_disk(spool, settings, running),
    }
    return {**facts, "needs": needs(facts, view, settings)}


def exit_code(facts: Mapping[str, Any]) -> int:
    """Return 0 if all is well, 1 if a person is needed, 3 if no daemon runs."""
    if not Presence(facts["daemon"]).is_there:
        return NO_DAEMON
    return NEEDED if facts["needs"] else WELL


def needs(facts: Mapping[str, Any], view: DaemonView, settings: Settings) -> list[str]:
    """Return what a person must look at, one line each."""
    found = [_daemon_need(facts, view)] if _daemon_need(facts, view) else []
    if facts["stalled"]:
        found.append(f"no progress in {', '.join(facts['stalled'])}")
    for camera in facts["cameras"]:
        reason = _camera_need(camera, facts, settings)
        if reason:
            found.append(f"camera {camera['name']}: {reason}")
    if facts["model_error"]:
        found.append(f"the known-good model runs: {facts['model_error']}")
    if facts["feedback"] is not None and facts["feedback"]["error"]:
        found.append(f"the feedback file is not in use: {facts['feedback']['error']}")
    if facts["upload"] == "blocked":
        found.append(f"nothing can be delivered: {facts['last_error']}")
    disk = _disk_need(facts)
    if disk:
        found.append(disk)
    if facts["in_rejected"]:
        found.append(
            f"the endpoint refused {facts['in_rejected']} captures: capture-agent rejected list"
        )
    return found


def _disk_need(facts: Mapping[str, Any]) -> str:
    if facts["disk"] == "refused":
        return f"the disk refuses writes: {facts['disk_error']}"
    if facts["disk"] != "full":
        return ""
    free, least = show_size(facts["disk_free_bytes"]), facts["min_free_bytes"]
    if facts["disk_free_files"] == 0:
        return (
            f"the file system has no room for another file (inodes), though {free} are free: "
            "delete files that nobody needs"
        )
    if least < RESERVE_BYTES:
        return f"the disk is full: {free} free, the spool needs {show_size(RESERVE_BYTES)} to go on"
    return (
        f"the disk is full: {free} free, {show_size(least)} must stay free (AGENT_SPOOL_MIN_FREE)"
    )


def _daemon_need(facts: Mapping[str, Any], view: DaemonView) -> str:
    if view.presence is Presence.SILENT:
        age = facts["state_age_s"]
        how_old = (
            "it has published no state" if age is None else f"its state is {show_span(age)} old"
        )
        return f"the daemon does not answer: {how_old}"
    if view.presence.is_there:
        return ""
    if view.owner is not None:
        return f"the daemon does not run; {other_owner(view.owner)} uses the spool"
    if view.presence is Presence.KILLED:
        return "the daemon does not run: it was killed or crashed"
    if facts["exit_code"]:
        return f"the daemon does not run: it ended with the exit code {facts['exit_code']}"
    return "the daemon does not run"


def _camera_need(
    camera: Mapping[str, Any], facts: Mapping[str, Any], settings: Settings
) -> str | None:
    """Return why a camera needs a person, None if it does not."""
    if facts["daemon"] not in {Presence.RUNNING, Presence.SILENT}:
        return None
    state, since = camera["state"], camera["since_s"] or 0.0
    limit = settings.camera_stall + _GRACE_S
    if settings.fps:
        limit = max(limit, _FEW_FRAMES / settings.fps + _GRACE_S)
    if state == "lost":
        return f"lost for {show_span(since)}"
    if state == "failed":
        return "the recording cannot be read"
    if state == "opening" and since > limit:
        return f"no frame since it was opened {show_span(since)} ago"
    return _live_need(camera, limit) if state == "live" else None


def _live_need(camera: Mapping[str, Any], limit: float) -> str | None:
    age = camera["last_frame_age_s"]
    if age is not None and age > limit:
        return f"no frame for {show_span(age)}"
    if camera["error"]:
        return f"its whole image is hidden: {camera['error']}"
    if camera["quality"] in {"frozen", "covered"}:
        return f"the image is {camera['quality']}"
    return None


def _cameras(view: DaemonView, settings: Settings) -> list[dict[str, Any]]:
    state = view.state if view.presence.is_there else None
    if state is not None and state.cameras:
        return [_camera(camera, view) for camera in state.cameras]
    absent = "starting" if view.presence is Presence.STARTING else "off"
    return [_camera(CameraState(each.name, absent), view) for each in settings.cameras]


def _camera(camera: CameraState, view: DaemonView) -> dict[str, Any]:
    return {
        "name": camera.name,
        "state": camera.state,
        "error": camera.error,
        "since_s": _rounded(view.seconds_since(camera.since_at)),
        "fps": camera.fps,
        "analysed_fps": camera.analysed_fps,
        "still_fps": camera.still_fps,
        "last_frame_age_s": _rounded(view.seconds_since(camera.last_frame_at)),
        "width": camera.width,
        "height": camera.height,
        "quality": camera.quality,
        "last_capture": _iso(camera.last_capture_time),
        "last_capture_id": camera.last_capture,
    }


def _auto(state: DaemonState | None) -> dict[str, Any] | None:
    if state is None or state.auto is None:
        return None
    return dataclasses.asdict(state.auto)


def _heartbeat(state: DaemonState | None) -> dict[str, Any] | None:
    if state is None or state.heartbeat is None:
        return None
    known = state.heartbeat
    return {
        "every_s": known.every_s,
        "last": _iso(known.sent),
        "error": known.error,
        "refused": known.is_refused,
    }


def stopped_facts(facts: Mapping[str, Any], state: DaemonState) -> dict[str, Any]:
    """Return the last facts of a daemon that is about to end, as `own_facts` returned them.

    What it knew of its cameras, model and endpoint stays, which no later `status` knows.
    """
    code = state.exit_code or 0
    ended = {
        "daemon": Presence.STOPPED.value,
        "daemon_pid": None,
        "stopped": _iso(state.wall),
        "exit_code": code,
    }
    view = DaemonView(Presence.STOPPED, None, state)
    others = [need for need in facts["needs"] if not need.startswith("the daemon")]
    return {**facts, **ended, "needs": [_daemon_need(ended, view), *others]}


def _feedback(state: DaemonState | None) -> dict[str, Any] | None:
    if state is None or state.feedback is None:
        return None
    return dataclasses.asdict(state.feedback)


def _disk(spool: SpoolStatus, settings: Settings, state: DaemonState | None) -> dict[str, Any]:
    """Return the facts of the disk as it is now, whatever the daemon knows of it."""
    system = _file_system(settings.spool_dir)
    free = None if system is None else system.free_bytes
    refusal = state.disk_error if state else None
    if state is None and system is not None and system.is_read_only:
        refusal = "it is read-only; a memory card becomes so when it is dying: save the captures "
        refusal += "with `capture-agent export DIR`, then replace it"
    most, least = int(settings.spool_max), max(int(settings.spool_min_free), RESERVE_BYTES)
    room = most - spool.occupied
    condition = "spool full" if room <= 0 else "ok"
    if system is not None and free is not None:
        room = min(room, free - least)
        # A daemon that found the disk full says so until clearly more is free.
        is_short = state is not None and state.is_disk_short and free - least <= 2 * RESERVE_BYTES
        no_room = free - least < _ONE_CAPTURE or system.free_files == 0
        condition = "full" if is_short or no_room else condition
    if refusal is not None:
        condition = "refused"
    rate = spool.recent_bytes_per_hour
    hours = round(max(0, room) / rate, 2) if rate > 0 else None
    return {
        "disk": condition,
        "disk_error": refusal,
        "disk_free_bytes": free,
        "disk_total_bytes": None if system is None else system.total_bytes,
        "disk_free_files": None if system is None else system.free_files,
        "min_free_bytes": int(settings.spool_min_free),
        "occupied_bytes": spool.occupied,
        "max_bytes": most,
        "hours_until_full": 0.0 if room <= 0 or condition == "full" else hours,
    }


@dataclasses.dataclass(frozen=True, slots=True)
class FileSystem:
    """What `statvfs` tells of the file system of the spool."""

    free_bytes: int
    total_bytes: int
    free_files: int | None  # how many more files it may have; None: it has no limit
    is_read_only: bool


def _file_system(path: Path) -> FileSystem | None:
    """Return what is known of the file system of a folder, or of its first parent."""
    for folder in (path, *path.parents):
        with contextlib.suppress(OSError):
            found = os.statvfs(folder)
            return FileSystem(
                free_bytes=found.f_bavail * found.f_frsize,
                total_bytes=found.f_blocks * found.f_frsize,
                free_files=found.f_favail if found.f_files else None,
                is_read_only=bool(found.f_flag & os.ST_RDONLY),
            )
    return None


def _credits(spool: SpoolStatus, settings: Settings) -> dict[str, float | None]:
    """Credits that have accrued, and when one may be spent; -1 and None without a budget."""
    ledger = ledger_of(settings, spool.ledger)
    if ledger is None:
        return {"credits_left": -1, "next_credit_s": None}
    clock = SystemClock()
    ledger.accrue(ClockReading(clock.monotonic(), clock.wall(), boot_id()))
    wait = ledger.seconds_until_credit()
    return {"credits_left": round(ledger.left, 2), "next_credit_s": round(wait, 1)}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _iso(wall: float | None) -> str | None:
    return None if wall is None else datetime.fromtimestamp(wall, UTC).isoformat(timespec="seconds")
