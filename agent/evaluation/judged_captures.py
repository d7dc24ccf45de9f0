"""Reads the captures of datasets that people have judged, for what is learnt from them."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.dataset.captures import read_captures
from agent.dataset.records import require_none_skipped
from agent.dataset.reviews import Review, standing_reviews
from agent.dataset.verdicts import read_verdicts
from agent.domain import VerdictKind
from agent.errors import ConfigurationError
from agent.evaluation.truth import FrameTruth, truth_of_review
from agent.printable import printable
from agent.record.synthetic import is_synthetic


@dataclass(frozen=True, slots=True)
class JudgedCapture:
    """A capture that a person has judged."""

    record: Mapping[str, Any]
    truth: FrameTruth
    verdict: VerdictKind
    source: int = 0  # number of its dataset: tracks of two recordings may have the same numbers

    @property
    def id(self) -> str:
        """The id of the capture."""
        return str(self.record["id"])


@dataclass(slots=True)
class Judged:
    """What people have judged in some datasets."""

    captures: list[JudgedCapture] = field(default_factory=list)  # each id once
    seen: int = 0  # captures in the datasets
    left_out: Counter[str] = field(default_factory=Counter)  # reviewed captures, by reason
    skipped: list[str] = field(default_factory=list)  # records that are left out, with the reason
    problems: list[str] = field(default_factory=list)
    """Lines of `verdicts.jsonl` that are left out, with the reason."""


def read_judged(directories: Sequence[Path]) -> Judged:
    """Return the reviewed captures of datasets; of one in several the newest review counts.

    Raises `ConfigurationError` for a folder without captures.
    """
    found = Judged()
    newest: dict[str, tuple[datetime, JudgedCapture | str]] = {}
    ids: set[str] = set()
    for number, directory in enumerate(directories):
        captures = read_captures(directory, skipped=found.skipped)
        if not captures:
            require_none_skipped(found.skipped)
            if not directory.is_dir():
                raise ConfigurationError(
                    f"cannot learn from {printable(directory)}: there is no such folder"
                )
            raise ConfigurationError(
                f"cannot learn from {printable(directory)}: there are no captures in it; give the "
                "folder that holds images/ and records/"
            )
        ids |= captures.keys()
        verdicts = read_verdicts(directory)
        found.problems += [f"{printable(directory)}: {each}" for each in verdicts.problems]
        for name, review in standing_reviews(verdicts.lines).items():
            if name in captures:
                at = datetime.fromisoformat(review.at)
                if name not in newest or at > newest[name][0]:
                    newest[name] = at, _judged(captures[name].record, review, number)
    found.seen = len(ids)
    for _, each in newest.values():
        if isinstance(each, str):
            found.left_out[each] += 1
        else:
            found.captures.append(each)
    return found


def _judged(record: Mapping[str, Any], review: Review, source: int) -> JudgedCapture | str:
    """Return a capture with its review, or why nothing can be learnt from it."""
    if not review.is_usable:
        return "the image cannot be judged"
    if is_synthetic(record):
        return "the image is synthetic"
    if not _is_whole(record):
        return "its record lacks device, camera, model, time or thresholds"
    truth = truth_of_review(record, review)
    if truth is None:
        return "the image cannot be judged"
    return JudgedCapture(record, truth, review.verdict, source)


def _is_whole(record: Mapping[str, Any]) -> bool:
    """Whether a record has what suspects are grouped and compared by."""
    model, thresholds = record.get("model"), record.get("thresholds")
    if not isinstance(model, dict) or not isinstance(thresholds, dict):
        return False
    labels = thresholds.get("labels")
    numbers = [thresholds.get("default"), *(labels.values() if isinstance(labels, dict) else [])]
    texts = [record.get(name) for name in ("device", "camera", "captured_at")]
    texts += [model.get("name"), model.get("sha256")]
    return (
        isinstance(labels, dict)
        and all(isinstance(each, str) for each in texts)
        and all(map(_is_share, numbers))
        and _is_number(record.get("monotonic_ns"))
        and _is_moment(record["captured_at"])
    )


def _is_number(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < 2**63 and math.isfinite(value)  # type: ignore[arg-type]


def _is_share(value: object) -> bool:
    return _is_number(value) and 0 <= value <= 1  # type: ignore[operator]


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
