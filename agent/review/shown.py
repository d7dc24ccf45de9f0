"""What the page shows of one capture, as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.dataset.captures import DatasetCapture
from agent.dataset.reviews import Line, Review, standing_lines
from agent.domain import Task
from agent.record.audit import AUTO_AUDIT, auto_mark
from agent.record.shapes import COCO_SKELETON, keypoint_count, task_of
from agent.record.summary import labelled_box
from agent.record.verdicts import own_verdicts
from agent.review.entries import (
    LABEL_MAX,
    Entry,
    finite,
    is_shown,
    number_in,
    objects_in,
    text_in,
)
from agent.selection.rule_words import rule_words

DETECTIONS_MAX = 1000
"""Detections of one capture that are shown; crowds have some hundred."""

SUSPECTS_MAX = 12
"""Suspects that are shown, those with the highest `p`."""

_SUSPECT_MIN = 0.05  # `p` of a suspect that is shown
_LINES_MAX = 50
_COCO_KEYPOINTS = 17
_SHAPES = ("polygon", "keypoints", "corners")
_LANES = {
    "random": "Drawn at random: its review measures the model",
    "interval": "Captured at fixed intervals",
    "score": "The model is probably wrong here",
    "requested": "Somebody asked for it",
    "verdict": "A person gave a verdict at the device",
    "auto": "Labelled by the model, which is trusted here",
}

_AUDIT = "Audit: the model labelled it; your review tells whether it is trusted too much"


def row(entry: Entry, review: Review | None) -> dict[str, Any]:
    """Return what a list shows of a capture."""
    return {
        "id": entry.id,
        "camera": entry.camera,
        "captured_at": entry.captured_at,
        "lane": entry.lane,
        "value": round(entry.value, 3),
        "why": rule_words(entry.rules[0]) if entry.rules else "",
        "verdict": review.verdict if review else None,
        "by": review.by if review else "",
        "at": review.at if review else "",
    }


def whole(
    capture: DatasetCapture, entry: Entry, review: Review | None, lines: Sequence[Line]
) -> dict[str, Any]:
    """Return all that is shown of a capture; `lines`: all of `verdicts.jsonl` about it."""
    record = capture.record
    width, height = record["image"]["width"], record["image"]["height"]
    is_classified = "classes" in record
    keypoints = keypoint_count(record) if task_of(record) is Task.POSE else 0
    return {
        **row(entry, review),
        "device": entry.device,
        "width": width,
        "height": height,
        "task": "classify" if is_classified else task_of(record).value,
        "lane_words": _AUDIT if auto_mark(record) == AUTO_AUDIT else _LANES.get(entry.lane, ""),
        "rules": [_rule(each) for each in objects_in(record, "rules")],
        "suspects": _suspects(record),
        "detections": _detections(record, width, height),
        "classes": _classes(record),
        "skeleton": COCO_SKELETON if keypoints == _COCO_KEYPOINTS else (),
        "note": text_in(record, "note"),
        "model": text_in(_inner(record, "model"), "name"),
        "said": _said(record, lines),
        "review": shown_review(review),
        "history": _history(lines),
    }


def shown_review(review: Review | None) -> dict[str, Any] | None:
    """Return the standing review of a capture."""
    if review is None:
        return None
    return {
        "verdict": review.verdict,
        "by": review.by,
        "at": review.at,
        "boxes": None if review.boxes is None else [_given(each) for each in review.boxes],
        "labels": review.labels,
        "note": review.note,
    }


def _inner(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    name = text_in(rule, "name", LABEL_MAX)
    return {"name": name, "words": rule_words(name), "score": round(number_in(rule, "score"), 3)}


def _suspects(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the suspects with the highest `p`, one for each place."""
    found: dict[object, dict[str, Any]] = {}
    for each in sorted(objects_in(record, "suspects"), key=lambda one: -number_in(one, "p")):
        box = _box(each.get("box"))
        p = number_in(each, "p")
        if p < _SUSPECT_MIN or len(found) >= SUSPECTS_MAX:
            break
        name = text_in(each, "rule", LABEL_MAX)
        place = tuple(box) if box else (name, each.get("label"))
        label = text_in(each, "label", LABEL_MAX)
        made = {"rule": name, "words": rule_words(name), "label": label, "box": box, "p": p}
        found.setdefault(str(place), made)
    return list(found.values())


def _detections(record: Mapping[str, Any], width: int, height: int) -> list[dict[str, Any]]:
    shown = []
    for each in objects_in(record, "detections")[:DETECTIONS_MAX]:
        box = _box(each.get("box"))
        if box is None:
            continue
        made: dict[str, Any] = {
            "label": text_in(each, "label", LABEL_MAX),
            "confidence": round(number_in(each, "confidence"), 4),
            "box": box,
            "sure": is_shown(each, record),
        }
        number = each.get("class_id")
        if isinstance(number, int) and not isinstance(number, bool):
            made["class_id"] = number
        drawn = labelled_box(each, width, height)
        for name in _SHAPES:  # as they are, if they can be drawn
            if drawn is not None and getattr(drawn, name):
                made[name] = each[name]
        shown.append(made)
    return shown


def _classes(record: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    if "classes" not in record:
        return None
    return [
        {
            "label": text_in(each, "label", LABEL_MAX),
            "confidence": round(number_in(each, "confidence"), 4),
            "sure": is_shown(each, record),
        }
        for each in objects_in(record, "classes")[:DETECTIONS_MAX]
    ]


def _box(value: object) -> list[float] | None:
    """Return four finite numbers as `[x_min, y_min, x_max, y_max]`; None for anything else."""
    if not isinstance(value, list | tuple) or len(value) != 4:  # noqa: PLR2004
        return None
    numbers = [finite(each) for each in value]
    return None if None in numbers else [round(each, 2) for each in numbers if each is not None]


def _given(box: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object of a review as it was given: without the confidence of a detection."""
    return {name: value for name, value in box.items() if name != "confidence"}


def _said(record: Mapping[str, Any], lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Return what people at the device said; the record has it too, if no line does."""
    facts = [line for line in lines if "camera" in line] or own_verdicts(record)
    return [_line(each) for each in facts[-_LINES_MAX:]]


def _history(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Return the reviews that were not withdrawn, the newest last."""
    left = [line for line in lines if "camera" not in line and "undo" not in line]
    standing: list[Line] = []
    while found := standing_lines([*left, *(line for line in lines if "undo" in line)]):
        [newest] = found.values()
        standing.append(newest)
        left = [line for line in left if line is not newest]
        if len(standing) >= _LINES_MAX:
            break
    return [_line(each) for each in reversed(standing)]


def _line(line: Line) -> dict[str, Any]:
    return {
        "verdict": text_in(line, "verdict"),
        "by": text_in(line, "by"),
        "at": text_in(line, "at"),
        "note": text_in(line, "note"),
        "corrected": line.get("boxes") is not None or line.get("labels") is not None,
    }
