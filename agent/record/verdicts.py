"""Verdicts as JSON: a line of `verdicts.jsonl`, and an entry of `verdicts` in a record."""

from typing import Any

from agent.domain import Verdict
from agent.record.timestamp import timestamp


def verdict_line(verdict: Verdict) -> dict[str, Any]:
    """Return the JSON object of one verdict; `id` is that of the capture, null if there is none."""
    line: dict[str, Any] = {
        "id": verdict.capture or None,
        "camera": verdict.camera,
        "moment": timestamp(verdict.moment),
        "at": timestamp(verdict.at),
        "by": verdict.by or None,
        "verdict": verdict.verdict.value,
    }
    if verdict.note:
        line["note"] = verdict.note
    if verdict.inclusion_probability is not None:
        line["inclusion_probability"] = verdict.inclusion_probability
    return line
