"""What the `captures.jsonl` of an export says of its images: where and why they were captured."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.dataset.annotations.source import ReviewError, text_of
from agent.dataset.health.subject import HealthImage, ProblemKind, Subject
from agent.dataset.moments import Moment
from agent.record.timestamp import seconds_of

FILE = "captures.jsonl"


def add_manifest(subject: Subject) -> None:
    """Add what the manifest of an export says to the images of `subject`, if it has one."""
    path = subject.directory / FILE
    if not path.is_file():
        return
    try:
        text = text_of(path)
    except ReviewError as error:
        subject.add_problem(ProblemKind.BAD_FILE, path, error)
        return
    facts = {str(each["id"]): each for each in _lines(subject, path, text)}
    subject.images = [_with_facts(each, facts.get(each.path.stem)) for each in subject.images]


def _lines(subject: Subject, path: Path, text: str) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            facts = json.loads(line)
        except (ValueError, RecursionError):
            facts = None
        if isinstance(facts, dict) and isinstance(facts.get("id"), str):
            yield facts
        elif line.strip():
            subject.add_problem(ProblemKind.BAD_FILE, path, f"line {number} is no capture")


def _with_facts(image: HealthImage, facts: Mapping[str, Any] | None) -> HealthImage:
    if facts is None:
        return image
    return replace(
        image,
        split=image.split or _text(facts, "split"),
        origin=_text(facts, "origin"),
        review=_text(facts, "verdict"),
        lane=_text(facts, "lane"),
        moment=Moment(_text(facts, "device"), _text(facts, "camera"), wall=_wall(facts)),
    )


def _text(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name)
    return value if isinstance(value, str) else ""


def _wall(facts: Mapping[str, Any]) -> float | None:
    try:
        return seconds_of(_text(facts, "captured_at"))
    except (ValueError, OverflowError):
        return None
