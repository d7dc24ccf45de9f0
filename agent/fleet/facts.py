"""The fleet view as one JSON object, as docs/fleet.md describes it."""

from collections.abc import Mapping
from typing import Any

from agent.fleet.devices import Camera, Device
from agent.fleet.fleet import Fleet
from agent.printable import printable
from agent.record.timestamp import timestamp

SCHEMA = 1


def facts_of(fleet: Fleet) -> dict[str, Any]:
    """Return all that the view shows. Names stay; new ones may come."""
    totals = fleet.totals
    return {
        "schema": SCHEMA,
        "at": timestamp(fleet.made_at),
        "totals": {
            "devices": totals.devices,
            "need_somebody": totals.need_somebody,
            "by_condition": {str(name): count for name, count in totals.by_condition.items()},
            "waiting": totals.waiting,
            "delivered": totals.delivered,
            "labels_per_day": totals.labels_per_day,
            "unlimited": totals.unlimited,
        },
        "usual": {
            "version": fleet.usual.version,
            "model": fleet.usual.model,
            "model_sha256": fleet.usual.model_sha256,
        },
        "notes": list(fleet.notes),
        "problems": [
            {"name": printable(each.name), "why": each.why, "is_heartbeat": each.is_heartbeat}
            for each in fleet.problems
        ],
        "devices": [_device(each) for each in fleet.devices],
    }


def _device(device: Device) -> Mapping[str, Any]:
    return {
        "device": device.name,
        "condition": str(device.condition),
        "needs_somebody": device.condition.needs_somebody,
        "sentence": device.sentence,
        "since_s": _rounded(device.since_s),
        "last_seen": _time(device.seen_at),
        "last_seen_s": _rounded(device.seen_s),
        "heartbeat_s": device.heartbeat_s,
        "clock_off_s": _rounded(device.clock_off_s),
        "version": device.version,
        "is_other_version": device.is_other_version,
        "model": device.model,
        "model_sha256": device.model_sha256,
        "is_other_model": device.is_other_model,
        "cameras": [_camera(each) for each in device.cameras],
        "waiting": device.waiting,
        "waiting_bytes": device.waiting_bytes,
        "oldest_waiting": _time(device.oldest_waiting),
        "oldest_waiting_s": _rounded(device.oldest_waiting_s),
        "delivered": device.delivered,
        "last_delivered": _time(device.last_delivered),
        "credits_left": device.credits_left,
        "next_credit_s": _rounded(device.next_credit_s),
        "budget_per_day": device.budget_per_day,
        "upload": device.upload,
        "disk": device.disk,
        "last_error": device.last_error,
        "needs": [
            {
                "condition": str(each.condition),
                "what": each.what,
                "fix": each.fix or None,
                "since_s": _rounded(each.since_s),
            }
            for each in device.needs
        ],
        "marks": list(device.marks),
        "received": device.received,
    }


def _camera(camera: Camera) -> Mapping[str, Any]:
    return {
        "name": camera.name,
        "state": camera.state,
        "condition": camera.words,
        "error": camera.error,
        "is_well": camera.is_well,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _time(wall: float | None) -> str | None:
    return None if wall is None else timestamp(wall)
