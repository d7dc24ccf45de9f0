"""The capture record, schema version 2: made once, stored with the image, sent unchanged."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.domain import (
    AutoLabel,
    Box,
    Capture,
    ClassScore,
    Clip,
    Detection,
    EncodedImage,
    HiddenPart,
    Keypoint,
    ModelInfo,
    Observation,
    Polygon,
    Sampling,
    Suspect,
    Task,
    Thresholds,
)
from agent.record.rounding import rounded
from agent.record.timestamp import timestamp
from agent.record.verdicts import LONGEST_NOTE, clean_text, verdict_line

SCHEMA = 2

_LABELS_MAX = 8000  # characters; COCO's 80 labels have 600


@dataclass(frozen=True, slots=True)
class RecordMaker:
    """Makes records; holds the fields that all records of this process share."""

    device: str
    boot_id: str
    model: ModelInfo
    thresholds: Thresholds
    agent_version: str

    def make(
        self, capture_id: str, capture: Capture, image: EncodedImage, *, clock_synchronized: bool
    ) -> dict[str, Any]:
        """Return the record without its `sequence`, which the spool adds.

        Boxes are in pixels of the stored image, clipped to it.
        """
        frame = capture.observation.frame
        model = capture.observation.model or self.model
        scale = _scale(capture.observation, image)
        return {
            "schema": SCHEMA,
            "id": capture_id,
            "device": self.device,
            "camera": frame.camera,
            "captured_at": timestamp(frame.captured_at),
            "clock_synchronized": clock_synchronized,
            "boot_id": self.boot_id,
            "monotonic_ns": frame.monotonic_ns,
            "source_frame": frame.source_frame,
            "image": image_facts(image),
            "model": {
                "name": model.name,
                "sha256": model.sha256,
                "task": model.task,
                "provider": model.provider,
                **_labels(model),
                **({"keypoints": model.keypoint_count} if model.keypoint_count else {}),
            },
            "thresholds": {
                "default": self.thresholds.default,
                "labels": dict(self.thresholds.labels),
                "floor": self.thresholds.floor,
            },
            **model_output(capture.observation, model.task, image),
            "lane": capture.lane.value,
            "rules": [{"name": hit.name, "score": round(hit.score, 4)} for hit in capture.rules],
            "suspects": _suspects(capture.suspects, scale, image),
            "value": round(capture.expected_failures, 4),
            "feedback": capture.feedback,
            "masks": [_hidden(part, scale, image) for part in image.hidden],
            "clip": _clip(capture.clip, frame.at),
            "sampling": _sampling(capture.sampling),
            "note": clean_text(capture.note, LONGEST_NOTE) or None,
            **({} if capture.auto is None else {"auto": _auto(capture.auto, capture.value)}),
            "verdicts": [] if capture.verdict is None else [verdict_line(capture.verdict)],
            "agent": {"name": "edge-capture-agent", "version": self.agent_version},
        }


def _auto(label: AutoLabel, new_objects: float) -> dict[str, Any]:
    """Return why the model's own labels may be trusted, and what is new in the frame."""
    return {
        "audit": label.is_audited,
        "precision": label.precision,
        "lowest_confidence": round(label.lowest, 4),
        "new_objects": round(new_objects, 2),
        "classes": [
            {
                "label": each.label,
                "confidence": round(each.confidence, 4),
                "precision_low": round(each.precision_low, 4),
            }
            for each in label.classes
        ],
    }


def _labels(model: ModelInfo) -> dict[str, Any]:
    """Return the labels of a detector by class id, so that each dataset numbers them alike.

    A classifier's images are sorted by name, and a very long list would be a large part of each
    record.
    """
    if model.task is Task.CLASSIFY or sum(map(len, model.labels)) > _LABELS_MAX:
        return {}
    return {"labels": list(model.labels)}


def image_facts(image: EncodedImage) -> dict[str, Any]:
    """Return what a record says of its image."""
    return {
        "width": image.width,
        "height": image.height,
        "media_type": image.media_type,
        "bytes": len(image.data),
        "sha256": image.sha256 or hashlib.sha256(image.data).hexdigest(),
        "encoded_by": image.encoded_by,
    }


def model_output(
    observation: Observation, task: Task, image: EncodedImage, *, shapes: bool = True
) -> dict[str, Any]:
    """Return `classes` of a classifier and `detections` of a detector: never both.

    Without `shapes` no outline of a mask is computed: it takes most of the time.
    """
    if task is Task.CLASSIFY:
        return {"classes": [_class(score) for score in observation.classes]}
    scale = _scale(observation, image)
    detections = observation.detections
    confidences = rounded(np.array([each.confidence for each in detections]), 4).tolist()
    boxes = _boxes([each.box for each in detections], scale, image)
    made: list[dict[str, Any]] = [
        {"label": each.label, "class_id": each.class_id, "confidence": confidence, "box": box}
        for each, confidence, box in zip(detections, confidences, boxes, strict=True)
    ]
    for each, facts in zip(detections, made, strict=True):
        if each.mask is not None or each.keypoints or each.corners:
            facts.update(_shape(each, scale, image, shapes=shapes))
    return {"detections": made}


def _class(score: ClassScore) -> dict[str, Any]:
    return {
        "label": score.label,
        "class_id": score.class_id,
        "confidence": round(score.confidence, 4),
    }


def _shape(
    detection: Detection, scale: tuple[float, float], image: EncodedImage, *, shapes: bool
) -> dict[str, Any]:
    """Return what a detection has beside its box."""
    made: dict[str, Any] = {}
    polygon = detection.mask.polygon() if shapes and detection.mask is not None else ()
    if polygon:
        made["polygon"] = _polygon(polygon, scale, image)
    if detection.keypoints:
        made["keypoints"] = [_keypoint(point, scale, image) for point in detection.keypoints]
    if detection.corners:
        made["corners"] = [
            [round(x * scale[0], 2), round(y * scale[1], 2)] for x, y in detection.corners
        ]
    return made


def _polygon(
    polygon: Polygon, scale: tuple[float, float], image: EncodedImage
) -> list[list[float]]:
    """Return corners in pixels of the stored image, clipped to it."""
    across, down = scale
    return [
        [_clipped(x * across, image.width), _clipped(y * down, image.height)] for x, y in polygon
    ]


def _keypoint(point: Keypoint, scale: tuple[float, float], image: EncodedImage) -> list[float]:
    """Return x, y and confidence."""
    across, down = scale
    return [
        _clipped(point.x * across, image.width),
        _clipped(point.y * down, image.height),
        round(point.confidence, 4),
    ]


def _hidden(part: HiddenPart, scale: tuple[float, float], image: EncodedImage) -> dict[str, Any]:
    if part.box is not None:
        return {"label": part.label, "box": _boxes([part.box], scale, image)[0]}
    return {"polygon": _polygon(part.polygon, scale, image)}


def _suspects(
    suspects: Sequence[Suspect], scale: tuple[float, float], image: EncodedImage
) -> list[dict[str, Any]]:
    boxes = iter(_boxes([each.box for each in suspects if each.box is not None], scale, image))
    return [
        {
            "rule": each.rule,
            "label": each.label,
            "track": each.track,
            "box": next(boxes) if each.box is not None else None,
            "p": round(each.p, 4),
            **({"prior": round(each.prior, 4)} if each.prior is not None else {}),
        }
        for each in suspects
    ]


def _scale(observation: Observation, image: EncodedImage) -> tuple[float, float]:
    """Return stored pixels per pixel of the frame, across and down; rounding makes them differ."""
    height, width = observation.frame.pixels.shape[:2]
    return image.width / width, image.height / height


def _boxes(
    boxes: Sequence[Box], scale: tuple[float, float], image: EncodedImage
) -> list[list[float]]:
    """Return boxes in pixels of the stored image, clipped to it."""
    if not boxes:
        return []
    corners = [(each.x_min, each.y_min, each.x_max, each.y_max) for each in boxes]
    sides = np.array(corners, np.float64)
    sides *= scale * 2
    limits = (image.width, image.height) * 2
    if (sides < 0).any() or (sides > limits).any():  # few reach over the edge
        np.clip(sides, 0, limits, out=sides)
    found: list[list[float]] = rounded(sides, 2).tolist()
    return found


def _clipped(position: float, size: int) -> float:
    return round(min(max(position, 0.0), float(size)), 2)


def _clip(clip: Clip | None, at: float) -> dict[str, Any] | None:
    """Describe a clip of which the capture was at `at`, on the clock of its frames."""
    if clip is None:
        return None
    first, last = clip.frames[0], clip.frames[-1]
    data = clip.data
    return {
        "media_type": "image/jpeg",
        "width": first.width,
        "height": first.height,
        "lead": round(max(0.0, at - first.at), 3),
        "tail": round(max(0.0, last.at - at), 3),
        "dropped": clip.dropped,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "frames": [
            {"at": round(frame.at - at, 3), "bytes": len(frame.data)} for frame in clip.frames
        ],
    }


def _sampling(sampling: Sampling | None) -> dict[str, Any] | None:
    if sampling is None:
        return None
    return {
        "slot_start": timestamp(sampling.slot_start),
        "slot_seconds": sampling.slot_seconds,
        "weight": sampling.weight,
    }
