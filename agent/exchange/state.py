"""The state that a daemon publishes: what is true now, and the process of which it is true.

Times ending in `_at` are seconds of the monotonic clock of the boot that `boot` names, so that a
step of the wall clock makes nothing old or young.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

from agent.exchange.folder import read_file

STATE_FILE = "state.json"
STATE_BYTES = 1_000_000
"""Largest state that is read: a camera takes some 400 bytes."""

SCHEMA = 1


class Phase(StrEnum):
    """What the daemon does."""

    STARTING = "starting"  # loads the model
    RUNNING = "running"
    STOPPING = "stopping"  # writes what is in memory
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class CameraState:
    """One camera as the daemon knows it."""

    name: str
    state: str  # a value of `runtime.reader.CameraCondition`
    error: str | None = None  # why it gives no frames, or why its whole image is hidden
    since_at: float | None = None  # when `state` began
    last_frame_at: float | None = None
    fps: float = 0.0  # frames offered for analysis per second, over the last seconds
    analysed_fps: float = 0.0
    still_fps: float = 0.0  # frames per second that were not analysed, because nothing moved
    width: int | None = None  # pixels of the last frame
    height: int | None = None
    quality: str | None = None  # image quality that has lasted; None before the first frame
    last_capture: str | None = None  # id
    last_capture_time: float | None = None  # seconds since 1970 UTC


@dataclass(frozen=True, slots=True)
class FeedbackState:
    """The feedback file of `AGENT_FEEDBACK`."""

    sha256: str | None = None  # of the one in use; None: the rules' own priors hold
    made_at: str | None = None
    captures: int | None = None  # reviewed ones that it was made from
    changes: str = ""  # the strongest, separated by semicolons
    thresholds: str = ""  # proposed, as AGENT_THRESHOLDS takes them; empty if there are none
    error: str | None = None  # why the file is not in use


@dataclass(frozen=True, slots=True)
class AutoState:
    """What the model labels itself, by `AGENT_AUTO_PER_DAY`."""

    per_day: float
    sent_today: int | None = None  # None before the first look
    waiting: int | None = None
    trusted: str = ""  # classes, each with the confidence from which on; empty if none is
    missing: str = ""  # what the others lack, separated by semicolons
    left_out: str = ""  # the most frequent reasons why frames were not labelled, with counts


@dataclass(frozen=True, slots=True)
class HeartbeatState:
    """The heartbeats of `AGENT_HEARTBEAT`."""

    every_s: float
    sent: float | None = None  # when the endpoint took the latest one, seconds since 1970 UTC
    error: str | None = None  # why the latest one failed; None after a success
    is_refused: bool = False  # the endpoint has no place for them


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings of the daemon without which its figures cannot be understood."""

    budget_per_day: float  # captures; 0: no limit
    spool_max: int  # bytes
    spool_min_free: int  # bytes
    camera_stall: float  # seconds
    fps: float  # of each camera; 0: as many as arrive


@dataclass(frozen=True, slots=True)
class DaemonState:
    """The daemon at one moment."""

    process: int
    process_start: int  # clock ticks since the boot, as /proc/PID/stat says
    boot: str
    phase: str
    at: float  # when this was written
    wall: float  # the same moment in seconds since 1970 UTC
    started_at: float
    interval: float  # seconds until the next state is due; 0 when none follows
    version: str
    device: str
    limits: Limits
    cameras: tuple[CameraState, ...] = ()
    stalled: tuple[str, ...] = ()  # workers without progress
    model: str | None = None  # name
    model_sha256: str | None = None
    model_provider: str | None = None
    model_error: str | None = None  # why the known-good model runs instead of the configured one
    feedback: FeedbackState | None = None  # None without AGENT_FEEDBACK
    auto: AutoState | None = None  # None without AGENT_AUTO_PER_DAY
    heartbeat: HeartbeatState | None = None  # None where none are sent
    target: str | None = None  # the endpoint without secrets; None: captures stay on disk
    upload: str | None = None  # condition of the uploads
    last_error: str | None = None  # of the latest delivery; None after a success
    disk_error: str | None = None  # why the disk refuses writes
    is_disk_short: bool = False  # the latest captures were stored only in place of others
    in_flight: int = 0  # captures that are being sent
    clip_bytes: int | None = None  # of encoded frames in memory; None without clips
    clip_limit: int | None = None  # of these, in bytes
    best_value: float | None = None  # expected new failures of the best that waits for a credit
    mqtt: str | None = None  # `connected` or `disconnected`; None without AGENT_MQTT_URL
    mqtt_error: str | None = None  # why it is disconnected
    exit_code: int | None = None  # of a daemon that stopped
    stop_reason: str | None = None


def encoded(state: DaemonState) -> bytes:
    """Return the state as ASCII: no text in it depends on an encoding."""
    return json.dumps({"schema": SCHEMA, **dataclasses.asdict(state)}).encode("ascii")


def read_state(folder: Path) -> DaemonState | None:
    """Return the state in an opened exchange folder; None if there is none that can be read."""
    try:
        return decoded(read_file(folder / STATE_FILE, STATE_BYTES))
    except (OSError, ValueError, RecursionError):
        return None


def decoded(data: bytes) -> DaemonState:
    """Parse what `encoded` wrote; raises `ValueError` or `RecursionError` for anything else."""
    raw = json.loads(data, parse_constant=_refuse_number)
    if not isinstance(raw, dict) or raw.pop("schema", None) != SCHEMA:
        raise ValueError("not a state of this version")
    cameras = raw.pop("cameras", None)
    stalled = raw.pop("stalled", None)
    if not isinstance(cameras, list) or not isinstance(stalled, list):
        raise ValueError("cameras and stalled must be lists")  # noqa: TRY004 (one error for all)
    raw["cameras"] = tuple(_made(CameraState, camera) for camera in cameras)
    raw["limits"] = _made(Limits, raw.pop("limits", None))
    if raw.get("feedback") is not None:
        raw["feedback"] = _made(FeedbackState, raw["feedback"])
    if raw.get("auto") is not None:
        raw["auto"] = _made(AutoState, raw["auto"])
    if raw.get("heartbeat") is not None:
        raw["heartbeat"] = _made(HeartbeatState, raw["heartbeat"])
    raw["stalled"] = tuple(str(name) for name in stalled)
    return _made(DaemonState, raw)


def _refuse_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


_Made = TypeVar("_Made", AutoState, CameraState, DaemonState, FeedbackState, HeartbeatState, Limits)


def _made(kind: type[_Made], raw: Any) -> _Made:
    """Return `raw` as a dataclass whose fields have the declared types."""
    if not isinstance(raw, Mapping):
        raise ValueError(f"{kind.__name__} must be an object")  # noqa: TRY004 (one error for all)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if field.name not in raw:
            raise ValueError(f"{field.name} is missing")
        value = raw[field.name]
        allowed = get_args(field.type) or (field.type,)
        if float in allowed and type(value) is int:
            value = float(value)
        if type(value) not in allowed and not isinstance(value, tuple | Limits | FeedbackState):
            raise ValueError(f"{field.name} has the wrong type")
        values[field.name] = value
    return kind(**values)
