"""The one door for predictions that an application sends: JSON in, a `Prediction` out.

What comes out is as a model of the agent would have given it: finite numbers, boxes inside the
image, confidences from the floor to 1, the highest first, a label and a class id for each.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from agent.camera.push.shapes import (
    Outline,
    around,
    box,
    check_touches,
    corners,
    keypoints,
    polygon,
)
from agent.camera.push.values import (
    InvalidValue,
    confidence,
    known_fields,
    mapping,
    natural,
    parse_json,
    sequence,
    text,
)
from agent.domain import ClassScore, Detection, ModelInfo, Prediction, Task

LONGEST = 1_000_000
"""Bytes of the predictions of one frame."""

MOST_DETECTIONS = 300
"""Detections of one frame at or above the floor: as many as the agent's own model gives."""

TOP_CLASSES = 5
"""Classes of one frame that are kept: as many as the agent keeps of its own model."""

PROVIDER = "application"
"""`ModelInfo.provider` of a model that an application runs."""

_MOST_SENT = 5000  # detections or classes in one document
_MOST_LABELS = 30_000
_LAST_CLASS = 2**31 - 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHAPES: Mapping[str, Task] = {
    "polygon": Task.SEGMENT,
    "keypoints": Task.POSE,
    "corners": Task.OBB,
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What the predictions of a camera must fit."""

    task: Task
    floor: float  # detections of a lower confidence are discarded
    labels: tuple[str, ...] = ()  # of the agent's own model, by class id; empty if it is not loaded
    redact: tuple[str, ...] = ()  # labels of AGENT_REDACT


def parse_predictions(document: bytes, expected: Expected, size: tuple[int, int]) -> Prediction:
    """Return the predictions for an image of this width and height.

    Raises `InvalidValue`, which names the field, the value and the fix.
    """
    whole = parse_json(document, longest=LONGEST)
    known_fields(whole, "", ("model", "detections", "classes"))
    if "model" not in whole:
        raise InvalidValue('the field model is missing; write "model": {"name": "..."}')
    given = "classes" if expected.task is Task.CLASSIFY else "detections"
    other = "detections" if expected.task is Task.CLASSIFY else "classes"
    if other in whole:
        raise InvalidValue(
            f"the field {other} does not fit: the task of this camera is {expected.task}, whose "
            f"predictions are {given}; for another task write push:?task=TASK in AGENT_CAMERAS"
        )
    if given not in whole:
        raise InvalidValue(f"the field {given} is missing; write an empty list for nothing found")
    names = _Names(whole["model"], expected)
    items = sequence(whole[given], given, most=_MOST_SENT)
    if expected.task is Task.CLASSIFY:
        if not items:
            raise InvalidValue("classes is empty: write at least the best class")
        scores = [_score(item, f"classes[{n}]", names) for n, item in enumerate(items)]
        _check_once(scores)
        best = sorted(scores, key=attrgetter("confidence"), reverse=True)[:TOP_CLASSES]
        return Prediction(names.model(), classes=tuple(best))
    found = [
        _detection(item, f"detections[{n}]", names, expected, size) for n, item in enumerate(items)
    ]
    kept = [each for each in found if each.confidence >= expected.floor]
    if len(kept) > MOST_DETECTIONS:
        raise InvalidValue(
            f"detections has {len(kept)} items at or above AGENT_FLOOR={expected.floor:g}; at "
            f"most {MOST_DETECTIONS} are accepted: send the most confident ones"
        )
    kept.sort(key=attrgetter("confidence"), reverse=True)
    return Prediction(names.model(_keypoint_count(found)), detections=tuple(kept))


class _Names:
    """The model as the application describes it, and the class ids of its labels."""

    def __init__(self, value: object, expected: Expected) -> None:
        about = mapping(value, "model")
        known_fields(about, "model", ("name", "sha256", "labels"))
        self._name = text(about.get("name"), "model.name")
        self._task = expected.task
        self._labels: tuple[str, ...] = ()
        if "labels" in about:
            self._labels = _labels(about["labels"])
        self._ids = {label: n for n, label in enumerate(self._labels or expected.labels)}
        self._sha256 = self._digest(about.get("sha256"))
        missing = [label for label in expected.redact if label not in self._labels]
        if missing:
            raise InvalidValue(
                f"model.labels does not list {printable_list(missing)} of AGENT_REDACT, so nobody "
                "knows whether the application's model finds what must be hidden; list all labels "
                "of the model, or unset AGENT_REDACT"
            )

    def class_id(self, item: dict[str, Any], where: str) -> int:
        """Return the class id of a detection or class: as given, else by its label."""
        label = item["label"]
        known = self._ids.get(label)
        if "class_id" not in item:
            if known is None:
                raise InvalidValue(
                    f"{where}.label {label!r} has no class id: write class_id, or list all labels "
                    "of the model in model.labels"
                )
            return known
        given = natural(item["class_id"], f"{where}.class_id", most=_LAST_CLASS)
        if self._labels and given != known:
            raise InvalidValue(
                f"{where}.class_id {given} is not that of the label {label!r} in model.labels"
            )
        return given

    def model(self, keypoint_count: int = 0) -> ModelInfo:
        """Return the model."""
        return ModelInfo(
            self._name, self._sha256, self._task, PROVIDER, self._labels, keypoint_count
        )

    def _digest(self, given: object) -> str:
        """Return the stated hash, or one of what is said about the model."""
        if given is None:
            said = json.dumps([self._name, self._task, self._labels])
            return hashlib.sha256(said.encode()).hexdigest()
        digest = text(given, "model.sha256").lower()
        if _SHA256.fullmatch(digest) is None:
            raise InvalidValue("model.sha256 must be 64 hexadecimal digits")
        return digest


def printable_list(labels: Sequence[str]) -> str:
    """Return a few labels as a message shows them."""
    shown = ", ".join(map(repr, labels[:3]))
    return shown if len(labels) <= 3 else f"{shown} and others"  # noqa: PLR2004 (as many are shown)


def _labels(value: object) -> tuple[str, ...]:
    given = sequence(value, "model.labels", least=1, most=_MOST_LABELS)
    labels = tuple(text(label, f"model.labels[{n}]") for n, label in enumerate(given))
    if len(set(labels)) < len(labels):
        [(twice, _)] = Counter(labels).most_common(1)
        raise InvalidValue(f"model.labels has {twice!r} twice")
    return labels


def _check_once(scores: Sequence[ClassScore]) -> None:
    counts = Counter(score.label for score in scores)
    [(label, count)] = counts.most_common(1)
    if count > 1:
        raise InvalidValue(f"classes has {label!r} {count} times: write each label once")


def _score(value: object, where: str, names: _Names) -> ClassScore:
    item = _named(value, where, ("label", "class_id", "confidence"))
    return ClassScore(
        item["label"],
        names.class_id(item, where),
        confidence(item.get("confidence"), f"{where}.confidence"),
    )


def _detection(
    value: object, where: str, names: _Names, expected: Expected, size: tuple[int, int]
) -> Detection:
    item = _named(value, where, ("label", "class_id", "confidence", "box", *_SHAPES))
    for shape, task in _SHAPES.items():
        if shape in item and task is not expected.task:
            raise InvalidValue(
                f"{where}.{shape} does not fit: the task of this camera is {expected.task}; for "
                f"{shape} write push:?task={task} in AGENT_CAMERAS"
            )
    outline = polygon(item["polygon"], f"{where}.polygon", size) if "polygon" in item else ()
    rotated = corners(item["corners"], f"{where}.corners", size) if "corners" in item else ()
    if "box" in item:
        upright = box(item["box"], f"{where}.box", size)
        check_touches(outline or rotated, upright, where)
    elif outline or rotated:
        upright = around(outline or rotated, where, size)
    else:
        raise InvalidValue(f"{where}.box is missing; write [x_min, y_min, x_max, y_max] in pixels")
    return Detection(
        item["label"],
        names.class_id(item, where),
        confidence(item.get("confidence"), f"{where}.confidence"),
        upright,
        mask=Outline(outline) if outline else None,
        keypoints=(
            keypoints(item["keypoints"], f"{where}.keypoints", size) if "keypoints" in item else ()
        ),
        corners=rotated,
    )


def _named(value: object, where: str, allowed: Sequence[str]) -> dict[str, Any]:
    item = mapping(value, where)
    known_fields(item, where, allowed)
    text(item.get("label"), f"{where}.label")
    return item


def _keypoint_count(found: Sequence[Detection]) -> int:
    """Return the keypoints of each object; they must be as many for all."""
    counts = {len(each.keypoints) for each in found if each.keypoints}
    if len(counts) > 1:
        shown = ", ".join(map(str, sorted(counts)))
        raise InvalidValue(f"the objects have different numbers of keypoints: {shown}")
    return max(counts, default=0)
