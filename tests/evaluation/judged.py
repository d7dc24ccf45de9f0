"""Reviewed captures with suspects, as the feedback command reads them."""

from typing import Any

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.domain import Box, VerdictKind
from agent.evaluation.judged_captures import JudgedCapture
from agent.evaluation.truth import FrameTruth, truth_of_boxes
from tests.fakes.captures import capture_id
from tests.fakes.feedback import MODEL

PLACE = [10.0, 10.0, 50.0, 50.0]
ELSEWHERE = [200.0, 100.0, 260.0, 160.0]


def suspect(
    rule: str = "low_confidence",
    p: float = 0.25,
    *,
    box: list[float] | None = PLACE,
    label: str = "car",
    track: int | None = None,
    prior: float | None = None,
) -> dict[str, Any]:
    made = {"rule": rule, "label": label, "track": track, "box": box, "p": p}
    return made if prior is None else {**made, "prior": prior}


def detected(confidence: float, box: list[float] = PLACE, label: str = "car") -> dict[str, Any]:
    return {"label": label, "class_id": 0, "confidence": confidence, "box": box}


def record(
    number: int,
    *suspects: dict[str, Any],
    detections: tuple[dict[str, Any], ...] = (),
    camera: str = "gate",
    at: float | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a record; by default captures are an hour apart."""
    seconds = 3600.0 * number if at is None else at
    return {
        "id": capture_id(number),
        "schema": 2,
        "device": "gate-7",
        "camera": camera,
        "captured_at": f"2026-07-{1 + number // 24:02d}T{number % 24:02d}:00:00.000Z",
        "boot_id": "boot",
        "monotonic_ns": int(seconds * 1e9),
        "image": {"width": 640, "height": 480},
        "model": {"name": MODEL.name, "sha256": MODEL.sha256, "task": "detect"},
        "thresholds": {"default": 0.5, "labels": {}, "floor": 0.05},
        "detections": list(detections),
        "lane": "score",
        "rules": [],
        "suspects": list(suspects),
        "value": 0.3,
        **more,
    }


def judged(made: dict[str, Any], *objects: list[float], label: str = "car") -> JudgedCapture:
    """Return a capture of which a person drew these objects."""
    boxes = [AnnotatedBox(label, Box(*each)) for each in objects]
    truth = truth_of_boxes(made, boxes)
    verdict = VerdictKind.WRONG if truth.has_failure else VerdictKind.RIGHT
    return JudgedCapture(made, truth, verdict)


def called(made: dict[str, Any], verdict: VerdictKind) -> JudgedCapture:
    """Return a capture of which a person said only that it has a failure."""
    return JudgedCapture(made, FrameTruth(has_failure=True), verdict)
