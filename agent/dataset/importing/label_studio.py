"""What a Label Studio project says of captures: its JSON export, full or `JSON-MIN`.

A task that a person submitted is one that somebody looked at, also where nothing was changed. The
newest annotation of a task counts. One that was skipped says nothing, and neither does a
prediction: nobody looked. Annotations that the project made of all its predictions at once have
their prediction as parent and took no time: nobody looked at those either.

JSON-MIN has a row for each annotation, in which the fields of the task and the names of the
labelling interface lie side by side.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.dataset.annotations.label_studio_export import capture_of
from agent.dataset.annotations.label_studio_shapes import NO_OBJECT, boxes_of
from agent.dataset.annotations.source import ReviewError
from agent.dataset.importing.said import Export, Said, classes_of, verdict_of, verdict_on
from agent.dataset.records import Records
from agent.printable import printable
from agent.record.summary import flat

TOOL = "label-studio"
_MIN_FIELDS = frozenset({"annotation_id", "annotator", "lead_time"})
_NO_CHOICE = frozenset({"id", "created_at", "updated_at", "capture_id", "verdict_by", "note"})
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Annotation:
    """One annotation of a task, in the form of the full export."""

    result: Sequence[Any]
    at: datetime | None
    by: str
    is_looked_at: bool


def is_label_studio_min(content: Any) -> bool:
    """Whether a JSON file is Label Studio's export `JSON-MIN`."""
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(row, dict) and row.keys() >= _MIN_FIELDS for row in content)
    )


def read_label_studio(file: Path, content: Any, records: Records) -> Export:
    """Return what the full JSON export says; raises `ReviewError` for what is not understood."""
    annotated: dict[str, list[_Annotation]] = {}
    seen: set[str] = set()
    skipped: set[str] = set()
    shown: set[str] = set()
    foreign = 0
    try:
        for task in content:
            name = capture_of(task, records)
            if name is None:
                foreign += 1
                continue
            seen.add(name)
            shown |= set(_predicted(task))
            for each in task["annotations"]:
                if each.get("was_cancelled") or each.get("skipped"):
                    skipped.add(name)
                else:
                    annotated.setdefault(name, []).append(_annotation(each, task))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(file, error) from error
    return _export(file, records, annotated, seen, skipped, shown, foreign)


def read_label_studio_min(file: Path, content: Any, records: Records) -> Export:
    """Return what `JSON-MIN` says; raises `ReviewError` for what is not understood."""
    annotated: dict[str, list[_Annotation]] = {}
    seen: set[str] = set()
    foreign = 0
    try:
        for row in content:
            name = capture_of({"data": row}, records)
            if name is None:
                foreign += 1
                continue
            seen.add(name)
            if row["annotation_id"] is not None:
                result = list(_regions(row, records[name]))
                about = {**row, "completed_by": row["annotator"], "result": result}
                annotated.setdefault(name, []).append(_annotation(about, {}))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(file, error) from error
    return _export(file, records, annotated, seen, set(), set(), foreign)


def _export(
    file: Path,
    records: Records,
    annotated: Mapping[str, Sequence[_Annotation]],
    seen: set[str],
    skipped: set[str],
    shown: set[str],
    foreign: int,
) -> Export:
    said: dict[str, Said] = {}
    has_objects = any(
        region["type"] not in NO_OBJECT
        for each in annotated.values()
        for annotation in each
        for region in annotation.result
    )
    for name, annotations in annotated.items():
        newest = max(annotations, key=lambda each: each.at or _NEVER)
        try:
            said[name] = _said(newest, records[name], has_objects=has_objects or bool(shown))
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise _unreadable(file, error, name) from error
    labels = {box.label for each in said.values() for box in each.boxes or ()}
    return Export(
        TOOL,
        said,
        unannotated=frozenset(seen - said.keys() - skipped),
        skipped=frozenset(skipped - said.keys()),
        foreign=foreign,
        labels=frozenset(shown | labels) if shown else None,
    )


def _annotation(each: Mapping[str, Any], task: Mapping[str, Any]) -> _Annotation:
    result = each["result"]
    if not isinstance(result, list) or not all(isinstance(one, dict) for one in result):
        raise TypeError("the `result` of an annotation is no list of regions")
    is_copied = each.get("parent_prediction") is not None and not each.get("lead_time")
    at = each.get("updated_at") or each.get("created_at") or task.get("updated_at")
    return _Annotation(result, _time(at), _user(each.get("completed_by")), not is_copied)


def _said(annotation: _Annotation, record: Mapping[str, Any], *, has_objects: bool) -> Said:
    """Return what an annotation says: choices are verdicts, or classes of a classifier's image."""
    words = [word for region in annotation.result for word in _choices(region)]
    verdicts = [verdict for word in words if (verdict := verdict_on(word, record))]
    if len(set(verdicts)) > 1:
        raise ValueError(f"one annotation chooses {' and '.join(sorted(set(verdicts)))}")
    boxes = list(boxes_of(annotation.result, record))
    classes = tuple(word for word in words if verdict_on(word, record) is None)
    is_classified = "classes" in record
    # Without a region, a verdict stands alone: the project may have no boxes to show.
    says_objects = not is_classified and (bool(boxes) or not verdicts)
    if says_objects and not boxes and annotation.result and not has_objects:
        raise ValueError(
            "its choices are no verdicts (right, wrong, missing, unusable), and no task has a box"
        )
    return Said(
        boxes=boxes if says_objects else None,
        labels=classes if is_classified and (classes or not verdicts) else None,
        verdict=verdicts[0] if verdicts else None,
        is_looked_at=annotation.is_looked_at,
        by=annotation.by,
        at=annotation.at.timestamp() if annotation.at else None,
    )


def _choices(region: Mapping[str, Any]) -> list[str]:
    if region["type"] != "choices":
        return []
    return [str(word) for word in region["value"]["choices"]]


def _predicted(task: Mapping[str, Any]) -> Iterator[str]:
    """Yield the labels of the objects that the model's predictions show in a task."""
    for prediction in task.get("predictions") or ():
        for region in prediction.get("result", ()) if isinstance(prediction, dict) else ():
            labels = region["value"].get(region["type"]) if region.get("value") else None
            if region["type"] not in NO_OBJECT and isinstance(labels, list):
                yield from map(str, labels)


def _regions(row: Mapping[str, Any], record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what a row of JSON-MIN says in the form of the full export."""
    facts = flat(record)
    for name, value in row.items():
        if isinstance(value, str):
            is_fact = name in _NO_CHOICE or facts.get(name) == value
            if not is_fact and (verdict_of(value) or value in classes_of(record)):
                yield {"type": "choices", "value": {"choices": [value]}}
            continue
        for each in value if isinstance(value, list) else ():
            kind = _kind(each)
            if kind is not None:
                more = {key: each[key] for key in ("id", "parentID") if each.get(key) is not None}
                yield {"type": kind, "value": each, **more}


def _kind(value: object) -> str | None:
    """Return the type of a region, which is the key of its labels."""
    if not isinstance(value, dict):
        return None
    return next((key for key in value if key.endswith("labels") or key == "choices"), None)


def _time(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None


def _user(who: object) -> str:
    """Return the user of an annotation, which is a number or an object with an e-mail address."""
    if isinstance(who, dict):
        names = " ".join(str(who[key]) for key in ("first_name", "last_name") if who.get(key))
        email = who.get("email") or who.get("username")
        return str(email or names or "")
    if isinstance(who, int) and not isinstance(who, bool):
        return f"{TOOL} user {who}"
    return who if isinstance(who, str) and who not in {"{}", "None"} else ""


def _unreadable(file: Path, error: Exception, name: str = "") -> ReviewError:
    why = error if type(error) is ValueError else repr(error)
    where = f", capture {name}" if name else ""
    return ReviewError(
        f"cannot read {printable(file)} as an export of Label Studio{where}: {printable(why)}"
    )
