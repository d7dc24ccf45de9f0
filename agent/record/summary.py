"""Extracts from a record what endpoints with their own format accept: boxes, class, flat fields."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.domain import Polygon, VerdictKind
from agent.record.audit import auto_mark
from agent.record.shapes import Keypoints, corners_of, keypoints_of, polygon_of
from agent.record.verdicts import own_verdicts

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_POSITIVE_MIN, _POSITIVE_MAX = 1e-9, 1e15


class Annotate(StrEnum):
    """Which of the model's boxes or classes arrive with an image, for an annotator to correct."""

    THRESHOLD = "threshold"
    """Those at or above the threshold, the default: most others are wrong, and the annotator must
    find and delete each wrong box."""

    FLOOR = "floor"
    """All boxes in the record; for a classifier the best class, at any confidence."""

    OFF = "off"
    """None: only the image."""


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """One detection, clipped to the image, in pixels of the image; never empty."""

    label: str
    class_id: int
    confidence: float  # 0 to 1
    x_min: float
    y_min: float
    x_max: float
    y_max: float
    polygon: Polygon = ()  # of a mask, within the image; empty without a valid one
    keypoints: Keypoints = ()  # of a pose, within the image
    corners: Polygon = ()  # the four of a rotated box, clockwise; may lie outside of the image

    @property
    def sides(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        return self.x_min, self.y_min, self.x_max, self.y_max

    @property
    def rectangle(self) -> Polygon:
        """The four corners of the upright box, clockwise from the top left."""
        left, top, right, bottom = self.sides
        return ((left, top), (right, top), (right, bottom), (left, bottom))

    @property
    def outline(self) -> Polygon:
        """The object's polygon; without one, the corners of its box."""
        return self.polygon or self.rectangle


@dataclass(frozen=True, slots=True)
class LabelledClass:
    """A classifier's class of the whole image."""

    label: str
    confidence: float  # 0 to 1


@dataclass(frozen=True, slots=True)
class Labels:
    """The boxes of one image."""

    width: int  # of the image, in pixels
    height: int
    boxes: tuple[LabelledBox, ...]


def confident(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the detections at or above their label's threshold, in the record's order.

    Raises `ValueError` for any violation of the schema.
    """
    thresholds = record.get("thresholds", {})
    detections = record.get("detections", [])
    if not isinstance(thresholds, dict) or not isinstance(detections, list):
        raise ValueError("`thresholds` must be an object and `detections` a list")  # noqa: TRY004
    by_label = thresholds.get("labels", {})
    if not isinstance(by_label, dict):
        raise ValueError("`thresholds.labels` must be an object")  # noqa: TRY004
    chosen: list[Mapping[str, Any]] = []
    for detection in detections:
        if not isinstance(detection, dict) or not isinstance(detection.get("label"), str):
            raise ValueError("each of `detections` must have a `label`")  # noqa: TRY004
        limit = _number(by_label.get(detection["label"], thresholds.get("default", 0.0)))
        if _number(detection.get("confidence")) >= limit:
            chosen.append(detection)
    return chosen


def sides(detection: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a box in pixels; raise `ValueError` if invalid."""
    box = detection.get("box")
    if not isinstance(box, list) or len(box) != 4:  # noqa: PLR2004
        raise ValueError("each `box` must be a list of four numbers")
    x_min, y_min, x_max, y_max = (_number(side) for side in box)
    return x_min, y_min, x_max, y_max


def labels_of(record: Mapping[str, Any], which: Annotate) -> Labels | None:
    """Return the boxes to send with an image; None when there are none.

    Raises `ValueError` for a violation of the schema.
    """
    if which is Annotate.OFF:
        return None
    is_limited = which is Annotate.THRESHOLD or auto_mark(record) is not None
    detections = confident(record if is_limited else _unlimited(record))
    image = record.get("image", {})
    width, height = image.get("width"), image.get("height")
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0):
        raise ValueError("`image.width` and `image.height` must be positive")
    found = (labelled_box(detection, width, height) for detection in detections)
    boxes = tuple(box for box in found if box is not None)
    return Labels(width, height, boxes) if boxes else None


def labelled_box(detection: Mapping[str, Any], width: int, height: int) -> LabelledBox | None:
    """Return a detection within an image of `width` x `height` pixels; None if it is outside.

    A polygon, keypoints or corners that are not valid are left out: the box remains. Raises
    `ValueError` for a box that is not four finite numbers.
    """
    x_min, y_min, x_max, y_max = sides(detection)
    x_min, x_max = (min(max(x, 0.0), float(width)) for x in (x_min, x_max))
    y_min, y_max = (min(max(y, 0.0), float(height)) for y in (y_min, y_max))
    if x_max <= x_min or y_max <= y_min:
        return None
    class_id = detection.get("class_id")
    return LabelledBox(
        detection["label"],
        class_id if isinstance(class_id, int) else 0,
        _number(detection.get("confidence")),
        x_min,
        y_min,
        x_max,
        y_max,
        polygon_of(detection, width, height),
        keypoints_of(detection, width, height),
        corners_of(detection, width, height),
    )


def class_of(record: Mapping[str, Any], which: Annotate) -> LabelledClass | None:
    """Return the class of the whole image to send; None when there is none.

    Raises `ValueError` for a violation of the schema.
    """
    if which is Annotate.OFF or "classes" not in record:
        return None
    classes = record["classes"]
    if not isinstance(classes, list):
        raise ValueError("`classes` must be a list")  # noqa: TRY004
    is_limited = which is Annotate.THRESHOLD or auto_mark(record) is not None
    unlimited = record.get("thresholds", {}) if is_limited else {}
    best = confident({"thresholds": unlimited, "detections": classes[:1]})
    if not best:
        return None
    return LabelledClass(best[0]["label"], float(best[0]["confidence"]))


def positive_number(value: object, name: str) -> float:
    """Return a number above 0 of a record; raise `ValueError` for anything else.

    Numbers whose square overflows, or is 0, are refused too: estimates square them.
    """
    try:
        number = _number(value)
    except ValueError:
        number = 0.0
    if not _POSITIVE_MIN <= number <= _POSITIVE_MAX:
        raise ValueError(
            f"`{name}` must be a number above 0, from {_POSITIVE_MIN:g} to {_POSITIVE_MAX:g}"
        )
    return number


def capture_day(record: Mapping[str, Any]) -> str:
    """Return the UTC day of the capture as `yyyy-mm-dd`; `undated` when the record has none."""
    day = str(record.get("captured_at", ""))[:10]
    return day if _DAY.fullmatch(day) else "undated"


def rule_names(record: Mapping[str, Any]) -> list[str]:
    """Return the names of the rules that chose the frame."""
    rules = record.get("rules")
    if not isinstance(rules, list):
        return []
    return [str(rule["name"]) for rule in rules if isinstance(rule, dict) and "name" in rule]


def flat(record: Mapping[str, Any]) -> dict[str, str | int | float]:
    """Return the fields for sorting and filtering captures, as plain values; omit absent ones.

    `sampling_weight` is needed to estimate totals of the stream from its random sample. `verdict`
    are the kinds of verdict on this capture; `unobjected` is no review, and was sampled with
    `inclusion_probability`. `auto` marks labels that nobody has looked at, and those of them that
    are for review.
    """
    verdicts = own_verdicts(record)
    said = {name: _joined(verdicts, name) for name in ("verdict", "by", "note")}
    facts = {
        "id": record.get("id"),
        "device": record.get("device"),
        "camera": record.get("camera"),
        "captured_at": record.get("captured_at"),
        "lane": record.get("lane"),
        "auto": auto_mark(record),
        "value": record.get("value"),
        "rules": ", ".join(rule_names(record)) or None,
        "verdict": said["verdict"],
        "verdict_by": said["by"],
        "note": record.get("note") or said["note"],
        "inclusion_probability": next(
            (one["inclusion_probability"] for one in verdicts if "inclusion_probability" in one),
            None,
        ),
        "sampling_weight": _inner(record, "sampling", "weight"),
        "model": _inner(record, "model", "name"),
        "sha256": _inner(record, "image", "sha256"),
    }
    return {name: value for name, value in facts.items() if isinstance(value, str | int | float)}


def verdict_tags(record: Mapping[str, Any]) -> list[str]:
    """Return a tag for each kind of verdict on a capture; `unobjected` is no review."""
    kinds = dict.fromkeys(line["verdict"] for line in own_verdicts(record))
    return [kind if kind == VerdictKind.UNOBJECTED else f"verdict-{kind}" for kind in kinds]


def _joined(verdicts: Sequence[Mapping[str, Any]], name: str) -> str | None:
    said = dict.fromkeys(str(line[name]) for line in verdicts if line.get(name))
    return "; ".join(said) or None


def _inner(record: Mapping[str, Any], name: str, key: str) -> object:
    inner = record.get(name)
    return inner.get(key) if isinstance(inner, dict) else None


def _unlimited(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"detections": record.get("detections", [])}


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # an integer of more than 308 digits
            number = math.inf
        if math.isfinite(number):
            return number
    raise ValueError("thresholds, confidences and boxes must be finite numbers")
