"""Verdicts as JSON: a line of `verdicts.jsonl`, and an entry of `verdicts` in a record.

Others write both too, so `is_verdict` checks what was read, and `line_text` writes only the fields
that are known here. Equal texts are one verdict: a line may arrive twice, and counts once.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from agent.domain import Verdict, VerdictKind
from agent.record.timestamp import timestamp

MOST_VERDICTS = 64
"""Verdicts in one record."""

LONGEST_NOTE = 1000
"""Characters of a note."""

LONGEST_BY = 200
"""Characters of the name of a person or a program."""

_LONGEST_CAMERA = 500  # characters; far more than the agent allows
_KINDS = frozenset(kind.value for kind in VerdictKind)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters but for tabs and line ends, what some programs take for a line end, and half
characters."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_FIELDS = ("id", "camera", "moment", "at", "by", "verdict", "note", "inclusion_probability", "of")
_ALWAYS = frozenset({"id", "camera", "moment", "at", "by", "verdict"})


def verdict_line(verdict: Verdict) -> dict[str, Any]:
    """Return the JSON object of one verdict; `id` is that of the capture, null if there is none."""
    line: dict[str, Any] = {
        "id": verdict.capture or None,
        "camera": verdict.camera,
        "moment": timestamp(verdict.moment),
        "at": timestamp(verdict.at),
        "by": clean_text(verdict.by, LONGEST_BY) or None,
        "verdict": verdict.verdict.value,
    }
    note = clean_text(verdict.note, LONGEST_NOTE)
    if note:
        line["note"] = note
    if verdict.inclusion_probability is not None:
        line["inclusion_probability"] = verdict.inclusion_probability
    if verdict.of:
        line["of"] = verdict.of
    return line


def clean_text(text: str, longest: int) -> str:
    """Return a text of a person as records hold it: no control characters, at most so long."""
    return _CONTROL.sub(" ", text[:longest]).strip()


def line_text(line: Mapping[str, Any]) -> str:
    """Return a checked line as JSON, its known fields in one order; equal verdicts, equal texts."""
    known = {
        name: line.get(name)
        for name in _FIELDS
        if name in _ALWAYS or line.get(name) not in {None, ""}
    }
    return json.dumps(known, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def is_verdict(value: object) -> bool:
    """Return whether a value that was read from JSON is the line of a verdict."""
    return isinstance(value, dict) and (
        (value.get("id") is None or is_capture_id(value["id"]))
        and _is_text(value.get("camera"), _LONGEST_CAMERA)
        and is_time(value.get("moment"))
        and is_time(value.get("at"))
        and (value.get("by") is None or _is_text(value["by"], LONGEST_BY))
        and isinstance(value.get("verdict"), str)
        and value["verdict"] in _KINDS
        and (value.get("note") is None or is_note(value["note"]))
        and _is_probability(value.get("inclusion_probability"))
        and (value.get("of") is None or is_capture_id(value["of"]))
    )


def are_verdicts(value: object) -> bool:
    """Return whether a value that was read from JSON is the field `verdicts` of a record."""
    return value is None or (
        isinstance(value, list) and len(value) <= MOST_VERDICTS and all(map(is_verdict, value))
    )


def is_note(value: object) -> bool:
    """Return whether a value that was read from JSON is a note."""
    return _is_text(value, LONGEST_NOTE)


def verdicts_of(record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the verdicts in a checked record; none in one of an older version."""
    return record.get("verdicts") or ()


def own_verdicts(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the verdicts in a checked record that are about its own capture."""
    return [line for line in verdicts_of(record) if line.get("id") == record["id"]]


def verdicts_on_others(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the verdicts in a checked record that only travel with its capture."""
    return [line for line in verdicts_of(record) if line.get("id") != record["id"]]


def counted(kinds: Iterable[str]) -> str:
    """Return how many verdicts there are of each kind, such as `2 wrong, 1 right`."""
    counts = Counter(kinds)
    return ", ".join(f"{counts[kind]} {kind}" for kind in VerdictKind if counts[kind])


def is_capture_id(value: object) -> bool:
    """Return whether it is a UUID in small letters."""
    try:
        return isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        return False


def is_time(value: object) -> bool:
    """Return whether it is a moment as RFC 3339 writes it, with its offset from UTC."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:  # such as the 31st of February
        return False
    return True


def _is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest and not _CONTROL.search(value)


def _is_probability(value: object) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 < value <= 1  # false for NaN, as a sender may write it
