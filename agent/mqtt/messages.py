"""What is published: payloads from the state of the daemon, pure."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from agent.domain import Capture, Thresholds
from agent.exchange.state import CameraState, DaemonState
from agent.printable import printable
from agent.record.timestamp import timestamp

LABELS_MAX = 50
"""Different labels of one frame that are counted, the most frequent first."""

RULES_MAX = 20
"""Rules of a capture that are named, the highest score first."""


def payload(value: Mapping[str, Any]) -> bytes:
    """Return a JSON object as ASCII, always the same for the same facts."""
    return json.dumps(value, allow_nan=False).encode("ascii")


def device_state(
    state: DaemonState, figures: Mapping[str, float | None], *, dropped: int
) -> dict[str, Any]:
    """Return the message on `state`.

    Args:
        state: Of the daemon.
        figures: What the spool counts, as `LiveState.figures`.
        dropped: Captures since the start that were not told: without a connection, or because the
            broker took too few.
    """
    credits_left = figures.get("credits_left")
    auto = figures.get("auto_sent_today")
    return {
        "phase": state.phase,
        "waiting": figures.get("waiting"),
        "delivered": figures.get("delivered"),
        "credits_left": None if credits_left is None else round(credits_left, 1),
        **({} if auto is None else {"auto_sent_today": int(auto)}),
        "target": state.target,
        "upload": state.upload,
        "last_error": state.last_error,
        "disk": _disk(state),
        "problem": problem(state),
        "model": state.model,
        "model_provider": state.model_provider,
        "version": state.version,
        "captures_dropped": dropped,
    }


def problem(state: DaemonState) -> str | None:
    """Return what a person must look at, in one line; None if all is well."""
    found = [
        f"camera {camera.name} is {camera.state}"
        for camera in state.cameras
        if camera.state in {"lost", "failed"}
    ]
    if state.stalled:
        found.append(f"no progress in {', '.join(state.stalled)}")
    if state.model_error:
        found.append("the known-good model runs")
    if state.upload == "blocked":
        found.append("nothing can be delivered")
    if state.disk_error:
        found.append("the disk refuses writes")
    return "; ".join(found) or None


def camera_details(camera: CameraState, capture: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the message on `details` of a camera; `capture` is its last one as it was told."""
    last = camera.last_capture_time
    return {
        "error": camera.error,
        "width": camera.width,
        "height": camera.height,
        "quality": camera.quality,
        "last_capture": camera.last_capture,
        "last_capture_at": None if last is None else timestamp(last),
        "last_capture_lane": None if capture is None else capture["lane"],
        "last_capture_rules": [] if capture is None else [one["name"] for one in capture["rules"]],
    }


def camera_counts(camera: CameraState, *, frames: int, captured: int) -> dict[str, Any]:
    """Return the message on `counts` of a camera: since the start of the daemon."""
    return {
        "frames": frames,
        "captured": captured,
        "fps": round(camera.fps, 1),
        "analysed_fps": round(camera.analysed_fps, 1),
    }


def seen(scores: Iterable[tuple[str, float]], thresholds: Thresholds) -> dict[str, Any]:
    """Return the message on `detections` of a camera: what the user's application acts on.

    `scores`: the label and confidence of each detection or class.
    """
    counts = Counter(printable(label) for label, score in scores if score >= thresholds.of(label))
    return {"total": counts.total(), "labels": dict(sorted(counts.most_common(LABELS_MAX)))}


def capture_message(capture: Capture) -> dict[str, Any]:
    """Return the message on `captures`."""
    frame = capture.observation.frame
    return {
        "id": capture.id,
        "camera": frame.camera,
        "captured_at": timestamp(frame.captured_at),
        "lane": capture.lane.value,
        "rules": [
            {"name": rule.name, "score": round(rule.score, 3)} for rule in capture.rules[:RULES_MAX]
        ],
        "value": round(capture.expected_failures, 3),
        "note": printable(capture.note) if capture.note else None,
    }


def refusal(topic: str, text: str, error: str, *, at: str) -> dict[str, Any]:
    """Return the message on `errors`: the command as it came, and why it was refused."""
    return {"error": error, "topic": topic, "payload": printable(text), "at": at}


def _disk(state: DaemonState) -> str:
    if state.disk_error:
        return "refused"
    return "full" if state.is_disk_short else "ok"
