"""Simulated fleets: what many devices would send as their heartbeats, the same in each run."""

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from agent.fleet.devices import Heartbeat, Reports
from agent.record.device_status import SCHEMA, checked_status
from agent.record.timestamp import timestamp
from tests.fakes.clock import WALL
from tests.record.device_statuses import ABOUT, camera_facts, status_facts

MODEL = "yolo11n-yard"
MODEL_SHA256 = "4f7c1b0e" * 8
OLD_MODEL_SHA256 = "09ad51c3" * 8
VERSION = "0.1.0"
HOUR, DAY = 3600.0, 86_400.0
BUDGET = 0.5  # captures a day


def status_fields(device: str = "gate-01", at: float = WALL, **changes: Any) -> dict[str, Any]:
    """Return the status of a device that is well, as it is sent at `at`, with `changes`."""
    facts = status_facts(
        device=device,
        version=VERSION,
        cameras=[camera_facts("door")],
        oldest_waiting=timestamp(at - HOUR),
        last_delivered=timestamp(at - 600),
        model=MODEL,
        model_sha256=MODEL_SHA256,
        budget_per_day=BUDGET,
        credits_left=0.2,
    )
    return {"schema": SCHEMA, **ABOUT, "at": timestamp(at), **facts, **changes}


def lost_camera(name: str = "door", **changes: Any) -> dict[str, Any]:
    """Return a camera that has been lost for two hours, with `changes`."""
    lost = {"state": "lost", "since_s": 2 * HOUR, "fps": 0.0, "error": "connection refused"}
    return camera_facts(name, **{**lost, **changes})


def heartbeat(fields: Mapping[str, Any], received_at: float = WALL) -> Heartbeat:
    """Return a heartbeat as it is read from where it is kept."""
    status = checked_status(json.dumps(fields).encode())
    return Heartbeat(status["device"], received_at, status, is_newer=status["schema"] > SCHEMA)


def simulated_heartbeats(count: int, now: float = WALL) -> Iterator[tuple[dict[str, Any], float]]:
    """Yield the status of each of `count` devices, and when it was received; about 2 % have needs.

    The device `number` has the same condition in each run.
    """
    chance = random.Random(16)
    for number in range(count):
        name = f"{('gate', 'yard', 'dock', 'lane', 'mast')[number % 5]}-{number:04}"
        received = now - chance.uniform(5, 890)
        changes: dict[str, Any] = {
            "waiting": chance.randrange(12),
            "delivered": chance.randrange(200, 4000),
            "credits_left": round(chance.uniform(0, 0.9), 2),
            "cameras": [
                camera_facts(view, fps=round(chance.uniform(4, 6), 1))
                for view in ("door", "ramp", "gate", "roof")[: 1 + chance.randrange(3)]
            ],
        }
        kind = number % 499
        changes |= _differences(kind, received)
        changes["next_credit_s"] = (1 - changes["credits_left"]) * DAY / BUDGET
        if kind in {3, 55}:
            received -= chance.uniform(1 * HOUR, 9 * DAY)
        at = received - (3.2 * HOUR if kind == 77 else 0.4)
        fields = status_fields(name, at, **changes)
        yield fields, received


def _differences(kind: int, received: float) -> dict[str, Any]:
    """Return what is different on a device of this kind."""
    refused = "401 Unauthorized: the token is missing or wrong"
    unplugged = "cannot open camera rtsp://10.0.0.12/main: no answer. Check its power and cable"
    late = "cannot reach captures.example: timed out"
    of_kind: dict[int, dict[str, Any]] = {
        3: {"cameras": [lost_camera(), camera_facts("ramp", fps=5.0)], "waiting": 412},
        12: {"upload": "blocked", "last_error": refused, "waiting": 96},
        20: {"disk": "refused", "disk_error": "Input/output error", "waiting": 31},
        31: {
            "cameras": [
                lost_camera("ramp", since_s=26 * HOUR, error=unplugged),
                camera_facts("door", fps=5.0),
            ]
        },
        44: {
            "waiting": 230,
            "oldest_waiting": timestamp(received - 3.1 * DAY),
            "credits_left": 1.0,
            "upload": "delayed",
            "last_error": late,
        },
        60: {
            "cameras": [camera_facts("door", quality="covered")],
            "needs": ["camera door: the image is covered"],
        },
        71: {"needs": ["the endpoint refused 4 captures: capture-agent rejected list"]},
        90: {"daemon": "stopping"},
        101: {"version": "0.0.9"},
        120: {"model": "yolo11n-old", "model_sha256": OLD_MODEL_SHA256},
    }
    return of_kind.get(kind, {})


def simulated_reports(count: int, now: float = WALL) -> Reports:
    """Return what is known of a simulated fleet; one device more never sent a heartbeat."""
    return Reports(
        tuple(heartbeat(fields, received) for fields, received in simulated_heartbeats(count, now)),
        {"mast-old": now - 9 * DAY},
    )
