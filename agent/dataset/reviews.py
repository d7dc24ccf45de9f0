"""Reviews: what people at the desk said of captures, as lines of `verdicts.jsonl`.

    {"id": CAPTURE, "at": TIME, "by": NAME, "verdict": "wrong", "boxes": [...]}

- `boxes` is the complete list of the objects in the image after the correction, each with `label`
  and `box` in pixels of the stored image, and as far as it has them `class_id`, `polygon`,
  `keypoints`, `corners` and `iscrowd`, in the form of a record's `detections`.
- `labels` is the complete list of the image's true classes, for classifiers.
- Others may write `boxes` as lists of four numbers, and their labels in the same order in `labels`.
- An undo is a line too: it repeats `id`, `by` and `verdict` of the line that it withdraws, and
  `undo` is that line's `at`; `true` withdraws the newest line before it of the same person.

The newest line of a capture that is not undone is its standing review. Lines that devices brought
have `camera` and `moment`: what people said unasked is a fact to show, and no review, because
whether they spoke depends on what they saw.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from agent.domain import Lane, VerdictKind
from agent.record.summary import Annotate, class_of, confident, sides
from agent.record.synthetic import is_synthetic
from agent.record.timestamp import timestamp
from agent.record.verdicts import LONGEST_BY, LONGEST_NOTE, clean_text, is_capture_id, is_time

MOST_BOXES = 3000
"""Objects of one image in a review."""

MOST_LABELS = 100
"""True classes of one image in a review."""

LONGEST_LABEL = 200  # characters
NO_TIME = "its `at` is no time with its offset from UTC, such as 2026-01-31T12:00:00Z"
"""What is wrong with a line whose time cannot be used."""

REVIEW_KINDS = (
    VerdictKind.RIGHT,
    VerdictKind.WRONG,
    VerdictKind.MISSING,
    VerdictKind.UNUSABLE,
)
"""What a review can say; `unobjected` is no review."""

Line = Mapping[str, Any]
_FIELDS = ("id", "at", "by", "verdict", "boxes", "labels", "note", "undo")
_SHAPES = ("polygon", "keypoints", "corners")


class LabelOrigin(StrEnum):
    """Where the labels of a capture come from."""

    REVIEWED = "reviewed"
    """A person looked, and the model was right."""

    CORRECTED = "corrected"
    """A person gave the objects."""

    MODEL = "model"
    """Nobody looked: they are the model's own."""

    AUTO = "auto"
    """Nobody looked: the lane `auto` trusts the model here."""

    SYNTHETIC = "synthetic"
    """The image is a variant of another one, and so are its labels."""


@dataclass(frozen=True, slots=True)
class Review:
    """What a person said of one capture."""

    id: str
    at: str  # RFC 3339
    by: str
    verdict: VerdictKind
    boxes: tuple[Line, ...] | None = None  # all objects of the image; None = they were not given
    labels: tuple[str, ...] | None = None  # all classes of the image; None = they were not given
    note: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether the image can be judged."""
        return self.verdict is not VerdictKind.UNUSABLE

    @property
    def is_right(self) -> bool:
        """Whether the model's output had no failure."""
        return self.verdict is VerdictKind.RIGHT


@dataclass(frozen=True, slots=True)
class Objects:
    """What is in the image of a capture, as far as it is known."""

    origin: LabelOrigin
    objects: tuple[Line, ...] | None  # in the form of `detections`; None = not known
    classes: tuple[str, ...] | None = None  # of a classifier's capture; None = not known

    @property
    def is_known(self) -> bool:
        """Whether there is something to write as labels."""
        return self.objects is not None or self.classes is not None


def review_line(
    capture: str,
    verdict: VerdictKind,
    *,
    at: float,
    by: str,
    boxes: Sequence[Line] | None = None,
    labels: Sequence[str] | None = None,
    note: str = "",
) -> dict[str, Any]:
    """Return the line of a review; `at` is in seconds since 1970 UTC.

    Raises `ValueError` for boxes or labels that are not valid.
    """
    line: dict[str, Any] = {
        "id": capture,
        "at": timestamp(at),
        "by": clean_text(by, LONGEST_BY),
        "verdict": verdict.value,
    }
    if boxes is not None:
        line["boxes"] = [_box(each) for each in boxes]
    if labels is not None:
        line["labels"] = list(labels)
    if cleaned := clean_text(note, LONGEST_NOTE):
        line["note"] = cleaned
    check_review(line)
    return line


def undo_line(undone: Line, *, at: float) -> dict[str, Any]:
    """Return the line that withdraws another one; `at` is in seconds since 1970 UTC."""
    return {
        "id": undone["id"],
        "at": timestamp(at),
        "by": undone.get("by"),
        "verdict": undone["verdict"],
        "undo": undone["at"],
    }


def review_text(line: Line) -> str:
    """Return a checked line as JSON, its known fields in one order; equal reviews, equal texts."""
    known = {name: line[name] for name in _FIELDS if line.get(name) is not None}
    return json.dumps(known, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def is_review(line: Line) -> bool:
    """Return whether a line of `verdicts.jsonl` was written by a review, or undoes one."""
    return line.get("id") is not None and "camera" not in line and "moment" not in line


def check_review(line: Line) -> None:
    """Raise `ValueError`, with the reason, for a line that is not a valid review or undo."""
    if not is_capture_id(line.get("id")):
        raise ValueError("its `id` is no id of a capture")
    if not is_time(line.get("at")):
        raise ValueError(NO_TIME)
    if not isinstance(line.get("by"), str | None):
        raise ValueError("its `by` is no text")  # noqa: TRY004
    if "undo" in line:
        if line["undo"] is not True and not is_time(line["undo"]):
            raise ValueError("its `undo` is neither the time of another line nor true")
        return
    if line.get("verdict") not in REVIEW_KINDS:
        raise ValueError(f"its `verdict` is none of {', '.join(REVIEW_KINDS)}")
    if line.get("labels") is not None:
        _check_labels(line["labels"], MOST_LABELS if line.get("boxes") is None else MOST_BOXES)
    if line.get("boxes") is not None:
        given_objects(line)


def standing_lines(lines: Iterable[Line]) -> dict[str, Line]:
    """Return the line of the standing review of each capture, by id.

    Lines that are no valid reviews are left out.
    """
    given: dict[tuple[object, object], list[tuple[datetime, int, Line]]] = {}
    undos: list[tuple[datetime, int, Line]] = []
    for place, line in enumerate(lines):
        if not is_review(line):
            continue
        try:
            check_review(line)
        except ValueError:
            continue
        each = _moment(line["at"]), place, line
        if "undo" in line:
            undos.append(each)
        else:
            given.setdefault((line["id"], line.get("by")), []).append(each)
    for at, place, undo in sorted(undos, key=_order):
        own = given.get((undo["id"], undo.get("by")), [])
        if undo["undo"] is True:
            earlier = [each for each in own if _order(each) < (at, place)]
            withdrawn = sorted(earlier, key=_order)[-1:]
        else:
            withdrawn = [each for each in own if each[0] == _moment(undo["undo"])]
        for each in withdrawn:
            own.remove(each)
    standing = sorted((each for own in given.values() for each in own), key=_order)
    return {line["id"]: line for _, _, line in standing}


def _order(each: tuple[datetime, int, Line]) -> tuple[datetime, int]:
    return each[:2]


def standing_reviews(lines: Iterable[Line]) -> dict[str, Review]:
    """Return the standing review of each capture, by id; lines that are no reviews are left out."""
    return {name: review_of(line) for name, line in standing_lines(lines).items()}


def review_of(line: Line) -> Review:
    """Return a checked line of a review that is no undo."""
    boxes, labels = line.get("boxes"), line.get("labels")
    return Review(
        line["id"],
        line["at"],
        line.get("by") or "",
        VerdictKind(line["verdict"]),
        None
        if boxes is None
        else tuple({**each, "confidence": 1.0} for each in given_objects(line)),
        None if labels is None or boxes is not None else tuple(labels),
        line["note"] if isinstance(line.get("note"), str) else "",
    )


def given_objects(line: Line) -> list[dict[str, Any]]:
    """Return the `boxes` of a line as objects, whichever form they have in it.

    Raises `ValueError` if they are not valid.
    """
    boxes, labels = line["boxes"], line.get("labels")
    if not isinstance(boxes, list) or len(boxes) > MOST_BOXES:
        raise ValueError(f"its `boxes` are no list of at most {MOST_BOXES} objects")
    if not any(isinstance(each, list) for each in boxes):
        return [_box(each) for each in boxes]
    if not isinstance(labels, list) or len(labels) != len(boxes):
        raise ValueError("its `labels` must have one label for each of `boxes`")
    return [_box({"label": a, "box": b}) for a, b in zip(labels, boxes, strict=True)]


def objects_of(record: Line, review: Review | None = None) -> Objects:
    """Return what is in the image of a checked record, by its standing review if it has one.

    Without a review it is what the model reported at or above its thresholds. Raises `ValueError`
    for a record that is not valid.
    """
    if review is None:
        return _reported(record, _unseen_origin(record))
    if not review.is_usable:
        return Objects(LabelOrigin.REVIEWED, None)
    given = review.labels if "classes" in record else review.boxes
    if given is None:
        right = _reported(record, LabelOrigin.REVIEWED)
        return right if review.is_right else Objects(LabelOrigin.REVIEWED, None)
    origin = LabelOrigin.REVIEWED if review.is_right else LabelOrigin.CORRECTED
    if "classes" in record:
        return Objects(origin, None, review.labels)
    return Objects(origin, review.boxes)


def _reported(record: Line, origin: LabelOrigin) -> Objects:
    """Return what the model reported at or above its thresholds."""
    if "classes" in record:
        best = class_of(record, Annotate.THRESHOLD)
        return Objects(origin, None, () if best is None else (best.label,))
    return Objects(origin, tuple(confident(record)))


def _unseen_origin(record: Line) -> LabelOrigin:
    """Return the origin of labels that nobody has looked at."""
    if is_synthetic(record):
        return LabelOrigin.SYNTHETIC
    return LabelOrigin.AUTO if record.get("lane") == Lane.AUTO else LabelOrigin.MODEL


def _box(value: object) -> dict[str, Any]:
    """Return an object of a review in the form of `detections`; raise `ValueError` if invalid."""
    if not isinstance(value, Mapping):
        raise ValueError("each of its `boxes` must be an object")  # noqa: TRY004
    _check_label(value.get("label"))
    left, top, right, bottom = sides(value)
    if right <= left or bottom <= top:
        raise ValueError("each `box` must have its `x_max` right of `x_min`, its `y_max` below")
    made: dict[str, Any] = {"label": value["label"]}
    number = value.get("class_id")
    if isinstance(number, int) and not isinstance(number, bool) and number >= 0:
        made["class_id"] = number
    made |= {"box": [left, top, right, bottom]}
    made |= {name: value[name] for name in _SHAPES if value.get(name)}
    if value.get("iscrowd"):
        made["iscrowd"] = True
    return made


def _check_labels(labels: object, most: int) -> None:
    if not isinstance(labels, list) or len(labels) > most:
        raise ValueError(f"its `labels` are no list of at most {most} classes")
    for label in labels:
        _check_label(label)


def _check_label(label: object) -> None:
    if not isinstance(label, str) or not label.strip() or len(label) > LONGEST_LABEL:
        raise ValueError(f"each label must be a text of 1 to {LONGEST_LABEL} characters")
    if clean_text(label, LONGEST_LABEL) != label.strip() or not {"\n", "\t"}.isdisjoint(label):
        raise ValueError("a label must not have control characters")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
