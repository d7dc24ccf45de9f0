"""Whether auto labels keep their promise, by the audited ones that people reviewed.

A share of the captures of the lane `auto` is sent for review by the hash of their ids, whatever
they show. So they are a random sample of the auto labels, and of nothing else: no figure of the
model comes from them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.domain import Lane
from agent.evaluation.box_matching import match_boxes
from agent.evaluation.intervals import Estimate, Term, ratio
from agent.evaluation.truth import FrameTruth, reported_boxes
from agent.printable import printable
from agent.record.audit import AUDIT_ONE_IN, is_audited

PROMISE = 0.98
"""What a record without `auto.precision` promised: the default of `AGENT_AUTO_PRECISION`."""


class Promise(StrEnum):
    """What the audit says of a promised precision."""

    KEPT = "kept"  # the whole interval reaches it
    OPEN = "open"  # the interval contains it: too few audits
    BROKEN = "broken"  # the whole interval is below it


@dataclass(frozen=True, slots=True)
class OfAuditedLabel:
    """The auto labels of one class."""

    label: str
    precision: Estimate
    promise: Promise


@dataclass(frozen=True, slots=True)
class Audit:
    """What people found in the auto labels of a dataset."""

    captures: int  # of the lane `auto`
    audits: int  # of them, for review
    reviewed: int  # of the audits, without those that cannot be judged
    promised: float  # the highest precision that any of the reviewed ones was labelled under
    right_frames: Estimate | None  # share of frames in which nothing was wrong or missing
    labels: tuple[OfAuditedLabel, ...]
    unknown: int  # frames with a failure of which nobody said where it is

    @property
    def broken(self) -> frozenset[str]:
        """The labels that must not be trusted any more."""
        return frozenset(each.label for each in self.labels if each.promise is Promise.BROKEN)


def audit(
    records: Mapping[str, Mapping[str, Any]], truth: Mapping[str, FrameTruth]
) -> Audit | None:
    """Return what reviews say of the auto labels among checked records; None if there are none.

    Reviewed auto labels that are no audits do not count: somebody chose to look at them. A failing
    frame without corrected boxes counts as one wrong box of each of its labels, the worst case.
    """
    auto = [name for name, record in records.items() if record["lane"] == Lane.AUTO]
    if not auto:
        return None
    audits = [name for name in auto if is_audited(name)]
    reviewed = [name for name in audits if name in truth]
    promised = max((_promise(records[name]) for name in reviewed), default=PROMISE)
    terms: dict[str, list[Term]] = {}
    for name in reviewed:
        for label, (right, cases) in _outcomes(records[name], truth[name]).items():
            terms.setdefault(label, []).append(Term(1.0, right, cases))
    frames = [Term(1.0, float(not truth[name].has_failure), 1.0) for name in reviewed]
    return Audit(
        len(auto),
        len(audits),
        len(reviewed),
        promised,
        ratio(frames),
        tuple(_of_labels(terms, promised)),
        sum(_is_unknown(truth[name]) for name in reviewed),
    )


def audit_warnings(found: Audit) -> list[str]:
    """Return what a person must know of the auto labels, and what to do."""
    said = [
        f"auto labels of {printable(each.label)} break their promise: {each.precision.value:.1%} "
        f"of {each.precision.cases:g} audited boxes are right, at most {each.precision.high:.1%}, "
        f"and {found.promised:g} was promised. The next feedback file does not trust it; remove "
        "its auto labels from the training set, or review them"
        for each in found.labels
        if each.promise is Promise.BROKEN
    ]
    waiting = found.audits - found.reviewed
    if waiting:
        are, them = ("is", "it") if waiting == 1 else ("are", "them")
        said.append(
            f"{waiting} of {found.audits} auto labels for audit {are} not reviewed: review {them}, "
            "because nothing else shows whether the model is trusted too much"
        )
    return said


def audit_facts(found: Audit | None) -> dict[str, Any] | None:
    """Return an audit for JSON."""
    if found is None:
        return None
    return {
        "captures": found.captures,
        "audits": found.audits,
        "one_in": AUDIT_ONE_IN,
        "reviewed": found.reviewed,
        "promised": found.promised,
        "right_frames": _facts(found.right_frames),
        "unknown": found.unknown,
        "labels": {
            each.label: {"precision": _facts(each.precision), "promise": each.promise.value}
            for each in found.labels
        },
    }


def _facts(each: Estimate | None) -> dict[str, float] | None:
    if each is None:
        return None
    return {"value": each.value, "low": each.low, "high": each.high, "cases": each.cases}


def _of_labels(terms: Mapping[str, list[Term]], promised: float) -> Iterator[OfAuditedLabel]:
    for label in sorted(terms):
        precision = ratio(terms[label])
        if precision is not None:
            if precision.low >= promised:
                promise = Promise.KEPT
            else:
                promise = Promise.BROKEN if precision.high < promised else Promise.OPEN
            yield OfAuditedLabel(label, precision, promise)


def _outcomes(record: Mapping[str, Any], truth: FrameTruth) -> dict[str, tuple[float, float]]:
    """Return the right and all objects of each label that the record reports."""
    found: dict[str, tuple[float, float]] = {}
    if "classes" in record:
        for each in record["classes"][:1]:
            is_right = each["label"] in truth.classes if truth.classes else not truth.has_failure
            found[each["label"]] = float(is_right), 1.0
        return found
    boxes = reported_boxes(record, truth.objects or ())
    wrong = frozenset[int]()
    if truth.objects is not None and not truth.is_confirmed:
        wrong = match_boxes(boxes, truth.objects).wrong
    for place, box in enumerate(boxes):
        right, cases = found.get(box.label, (0.0, 0.0))
        found[box.label] = right + (place not in wrong), cases + 1
    if _is_unknown(truth):
        found = {label: (right - 1, cases) for label, (right, cases) in found.items()}
    return found


def _is_unknown(truth: FrameTruth) -> bool:
    return truth.has_failure and truth.objects is None and truth.classes is None


def _promise(record: Mapping[str, Any]) -> float:
    stated = record.get("auto")
    promised = stated.get("precision") if isinstance(stated, Mapping) else None
    if isinstance(promised, bool) or not isinstance(promised, int | float):
        return PROMISE
    return float(promised) if 0 < promised <= 1 else PROMISE
