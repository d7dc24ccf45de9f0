"""Takes the reviews that a page sends: each is checked, and each gets its own response."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.dataset.reviews import Line, check_review, review_line, undo_line
from agent.domain import VerdictKind
from agent.errors import DamagedDataset, RefusalKind, RequestRefused
from agent.ports import Clock
from agent.printable import printable
from agent.record.timestamp import seconds_of
from agent.record.verdicts import LONGEST_BY, LONGEST_NOTE, clean_text, is_capture_id, is_time
from agent.review.desk import ReviewDesk
from agent.review.shown import shown_review

LINES_MAX = 50
"""Reviews in one call."""

AHEAD_S = 300.0
"""How far the time of a review may be in the future: the newest one counts, so a wrong clock must
not make a review that nobody can correct."""


def take(
    desk: ReviewDesk, given: Sequence[object], clock: Clock, *, default_by: str = ""
) -> dict[str, Any]:
    """Add what is valid, durably, and say of each what became of it, in the same order.

    Sending the same again adds nothing, so a page may repeat what it got no response to. Raises
    `RequestRefused` if the disk refuses: nothing of it can be relied on then.
    """
    if len(given) > LINES_MAX:
        raise RequestRefused(RefusalKind.INVALID, f"reviews: at most {LINES_MAX} at once")
    before = {}
    results: list[dict[str, Any]] = []
    lines: list[Line] = []
    for each in given:
        try:
            line = _line(desk, each, clock, default_by)
        except (ValueError, RequestRefused) as error:
            results.append({"error": printable(error, 500)})
            continue
        before[line["id"]] = desk.review(line["id"])
        lines.append(line)
        results.append({"id": line["id"]})
    warning = _add(desk, lines)
    for result in results:
        if "id" in result:
            result["review"] = shown_review(desk.review(result["id"]))
            result["before"] = shown_review(before[result["id"]])
    return {"results": results, "warning": warning}


def _add(desk: ReviewDesk, lines: Sequence[Line]) -> str:
    """Add checked lines; return what is wrong with the labels. Raises `RequestRefused`."""
    if not lines:
        return ""
    try:
        desk.add(lines)
    except DamagedDataset as error:
        return printable(error, 500)
    except ValueError as error:  # a label that cannot be written; the review itself is added
        return f"the verdict is stored, its labels are not: {printable(error, 300)}"
    except OSError as error:
        raise RequestRefused(
            RefusalKind.NOT_NOW,
            f"cannot store the verdicts: {printable(error.strerror or error)}",
        ) from error
    return ""


def _line(desk: ReviewDesk, given: object, clock: Clock, default_by: str) -> Line:
    """Return the line of a review or an undo. Raises `ValueError`, `RequestRefused`."""
    if not isinstance(given, Mapping):
        raise ValueError("cannot take the review: it is not an object")  # noqa: TRY004
    capture = given.get("id")
    if not is_capture_id(capture):
        raise ValueError("cannot take the review: its `id` is no id of a capture")
    assert isinstance(capture, str)  # noqa: S101 (it was checked)
    desk.files_of(capture)
    by = _text(given, "by", LONGEST_BY) or default_by
    if not by:
        raise ValueError("cannot take the review: it lacks `by`, the name of the reviewer")
    verdict = given.get("verdict")
    if not isinstance(verdict, str) or verdict not in list(VerdictKind):
        raise ValueError(f"cannot take the review: its `verdict` is none of {_kinds()}")
    at = _time(given, "at", clock)
    if given.get("undo") is not None:
        undone = {"id": capture, "by": by, "verdict": verdict, "at": given["undo"]}
        if not is_time(undone["at"]):
            raise ValueError("cannot take the undo: its `undo` is not the time of a review")
        return undo_line(undone, at=at)
    line = review_line(
        capture,
        VerdictKind(verdict),
        at=at,
        by=by,
        boxes=_list(given, "boxes"),
        labels=_list(given, "labels"),
        note=_text(given, "note", LONGEST_NOTE),
    )
    check_review(line)
    return line


def _kinds() -> str:
    return ", ".join(kind for kind in VerdictKind if kind != "unobjected")


def _time(given: Mapping[str, Any], name: str, clock: Clock) -> float:
    if not is_time(given.get(name)):
        raise ValueError(f"cannot take the review: its `{name}` is no time of RFC 3339")
    at = seconds_of(given[name])
    if at > clock.wall() + AHEAD_S:
        ahead = datetime.fromisoformat(given[name])
        raise ValueError(f"cannot take the review: its time {ahead} is in the future")
    return at


def _text(given: Mapping[str, Any], name: str, longest: int) -> str:
    value = given.get(name) or ""
    if not isinstance(value, str):
        raise ValueError(f"cannot take the review: its `{name}` is no text")  # noqa: TRY004
    return clean_text(value, longest)


def _list(given: Mapping[str, Any], name: str) -> list[Any] | None:
    value = given.get(name)
    if value is not None and not isinstance(value, list):
        raise ValueError(f"cannot take the review: its `{name}` is no list")
    return value
