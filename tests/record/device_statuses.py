"""Builders of the status of a device."""

from collections.abc import Mapping
from typing import Any

ABOUT: Mapping[str, Any] = {
    "at": "2026-05-28T09:14:07.123Z",
    "boot": "0b1e5c1e-0000-4000-8000-000000000000",
    "since_boot_s": 120.5,
    "clock_synchronized": True,
    "heartbeat_s": 900.0,
}


def status_facts(**changed: Any) -> dict[str, Any]:
    """What `status --json` prints of a device that is well, with what is `changed`."""
    facts: dict[str, Any] = {
        "spool_dir": "/var/lib/capture-agent/spool",
        "daemon": "running",
        "daemon_pid": 812,
        "version": "0.1.0",
        "device": "gate-07",
        "uptime_s": 120.0,
        "state_age_s": 0.0,
        "stopped": None,
        "exit_code": None,
        "stalled": [],
        "cameras": [camera_facts("gate")],
        "waiting": 3,
        "waiting_bytes": 900_000,
        "oldest_waiting": "2026-05-28T08:00:00+00:00",
        "stored": 10,
        "delivered": 7,
        "rejected": 0,
        "evicted_by_reason": {},
        "last_delivered": "2026-05-28T09:00:00+00:00",
        "last_error": None,
        "target": "https://example.org/captures",
        "upload": "flowing",
        "model": "nanodet.onnx",
        "model_sha256": "ab" * 32,
        "budget_per_day": 100.0,
        "credits_left": 0.5,
        "next_credit_s": 432.0,
        "disk": "ok",
        "needs": [],
    }
    return {**facts, **changed}


def camera_facts(name: str, **changed: Any) -> dict[str, Any]:
    """What `status --json` prints of a camera."""
    return {
        "name": name,
        "state": "live",
        "error": None,
        "since_s": 100.0,
        "fps": 25.0,
        "analysed_fps": 5.0,
        "still_fps": 0.0,
        "last_frame_age_s": 0.1,
        "width": 1920,
        "height": 1080,
        "quality": "clear",
        "last_capture": "2026-05-28T09:00:00+00:00",
        "last_capture_id": "0190f3c2-7a10-7000-8000-000000000001",
        **changed,
    }
