"""What reviewed captures say of suspects: whether each was a failure that nothing else showed.

Credits buy distinct failures, so a suspect is judged by those: a failure that n reviewed captures
show counts 1/n for each of them (its Shapley value in a game whose gain is the number of distinct
failures). A miss that lasts for many captures would be found by any of them, so that its suspect
gains little; one that a single capture shows was found by its suspect alone. `in_failures` scales
these shares, so that the value of a frame stays a number of failures: captures that follow each
other closely must not teach that nothing is worth a credit.

Where a person said only that the frame is wrong, or that something is missing, there is one failure
among its suspects of that side. It is shared out by their `p`: each was it with the probability
p / (1 - product of (1 - p)), at least one of independent suspects being a failure. To leave such
frames out would count what was right and not what was wrong.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agent.domain import Box, VerdictKind
from agent.evaluation.box_matching import MATCH_IOU, box_iou
from agent.evaluation.judged_captures import JudgedCapture
from agent.evaluation.suspect_outcomes import SuspectOutcome, failed_places, suspect_outcomes
from agent.selection.feedback import Side

SAME_FAILURE_S = 10.0
"""Captures of one camera that are further apart do not show the same failure by its place."""

SAME_TRACK_S = 600.0
"""A track that was shown again after a longer time counts as another object."""

_SAME_PLACE_IOU = 0.3  # of a false box and the one before it, as objects move between captures


@dataclass(frozen=True, slots=True)
class Evidence:
    """One suspect whose outcome is known."""

    rule: str
    side: Side
    label: str
    camera: str
    prior: float  # its `p` by the rule alone, 0 to 1
    failure: float  # 0 for none, 1 for one that no other capture shows
    threshold: float = 0.5  # of its label when it was captured
    error: float = 0.0  # 1 if it was a failure, also one that others show; less where it may be one


@dataclass(slots=True)
class _Failure:
    """Something wrong in one capture."""

    side: Side
    box: Box
    track: int | None = None
    chain: int = -1  # of the same failure in several captures


@dataclass(frozen=True, slots=True)
class _Shown:
    """A capture with what is wrong in it."""

    capture: JudgedCapture
    outcomes: Sequence[SuspectOutcome]
    failures: Sequence[_Failure]


def evidence_of(captures: Sequence[JudgedCapture]) -> list[Evidence]:
    """Return what each suspect of these captures turned out to be, in the order of time."""
    by_camera: dict[tuple[object, ...], list[_Shown]] = defaultdict(list)
    for capture in sorted(captures, key=lambda each: _order(each.record)):
        record = capture.record
        key = capture.source, record["device"], record["camera"], str(record.get("boot_id"))
        by_camera[key].append(_shown(capture))
    found: list[Evidence] = []
    for shown in by_camera.values():
        counts = _chain(shown)
        for each in shown:
            found += _of_capture(each, counts)
    return found


def in_failures(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Scale the shares so that their sum is the number of suspects that were failures."""
    shares = math.fsum(each.failure for each in evidence)
    scale = math.fsum(each.error for each in evidence) / shares if shares else 1.0
    return [replace(each, failure=each.failure * scale) for each in evidence]


def _of_capture(shown: _Shown, counts: Mapping[int, int]) -> Iterator[Evidence]:
    """Yield the suspects of a capture; `counts` has the captures that show each failure."""
    camera = str(shown.capture.record["camera"])
    explained: set[int] = set()
    placed: list[tuple[SuspectOutcome, float]] = []
    frames: list[SuspectOutcome] = []
    unknown: list[SuspectOutcome] = []
    for outcome in shown.outcomes:
        if outcome.is_failure is None:
            unknown.append(outcome)
        elif outcome.box is None:
            frames.append(outcome)
        elif not outcome.is_failure:
            placed.append((outcome, 0.0))
        else:
            failure = _failure_at(outcome, shown.failures)
            explained.add(-1 if failure is None else failure.chain)
            placed.append((outcome, 1.0 if failure is None else 1 / counts[failure.chain]))
    truth = shown.capture.truth
    if truth.has_failure and truth.objects is None and "detections" in shown.capture.record:
        placed += _shared_out([*unknown, *frames], shown.capture.verdict)
    else:
        rest = [1 / counts[each.chain] for each in shown.failures if each.chain not in explained]
        placed += [(each, _of_frame(shown, each, rest)) for each in frames]
    thresholds = shown.capture.record["thresholds"]
    for outcome, share in placed:
        yield Evidence(
            outcome.rule,
            outcome.side,
            outcome.label,
            camera,
            outcome.prior,
            share,
            thresholds["labels"].get(outcome.label, thresholds["default"]),
            share if truth.objects is None else float(share > 0),
        )


def _of_frame(shown: _Shown, outcome: SuspectOutcome, rest: Sequence[float]) -> float:
    """Return what a suspect of the whole frame was, besides what others pointed at.

    In a busy scene each frame has some failure; that alone makes no such suspect right.
    """
    if shown.capture.truth.objects is None:  # a class, or a verdict alone
        return float(bool(outcome.is_failure))
    return max(rest, default=0.0)


def _shared_out(
    suspects: Sequence[SuspectOutcome], verdict: VerdictKind
) -> list[tuple[SuspectOutcome, float]]:
    """Share the one failure of a frame out over the suspects of its side.

    Of the others nothing is known: they count as their rule expected.
    """
    side = Side.ABOVE if verdict is VerdictKind.WRONG else Side.BELOW
    fitting = [each for each in suspects if each.side in {side, Side.FRAME}]
    any_of_them = 1 - math.prod(1 - each.prior for each in fitting)
    found = []
    for each in suspects:
        is_fitting = each.side in {side, Side.FRAME}
        share = each.prior / any_of_them if is_fitting and any_of_them > 0 else each.prior
        found.append((each, min(1.0, share)))
    return found


def _shown(capture: JudgedCapture) -> _Shown:
    outcomes = suspect_outcomes(capture.record, capture.truth)
    failures = [_Failure(side, box) for box, side in failed_places(capture.record, capture.truth)]
    for outcome in outcomes:
        if outcome.is_failure and outcome.track is not None and outcome.box is not None:
            failure = _failure_at(outcome, failures)
            if failure is not None:
                failure.track = outcome.track
    return _Shown(capture, outcomes, failures)


def _failure_at(outcome: SuspectOutcome, failures: Sequence[_Failure]) -> _Failure | None:
    """Return the failure that a suspect points at: the one of its side that it covers best."""
    box = outcome.box
    if box is None:
        return None
    found = [
        (box_iou(each.box, box), number)
        for number, each in enumerate(failures)
        if each.side is outcome.side
    ]
    overlap, number = max(found, default=(0.0, -1))
    return failures[number] if overlap >= MATCH_IOU else None


def _chain(captures: Sequence[_Shown]) -> dict[int, int]:
    """Join the same failure of several captures of one camera; return how many show each."""
    counts: dict[int, int] = {}
    latest: list[tuple[float, _Failure]] = []  # of each chain
    tracks: dict[tuple[Side, int], tuple[float, _Failure]] = {}
    for shown in captures:
        now = _moment(shown.capture.record)
        latest = [each for each in latest if now - each[0] <= SAME_FAILURE_S]
        here: set[int] = set()
        for failure in shown.failures:
            failure.chain = _chain_of(failure, now, latest, tracks)
            if failure.chain < 0 or failure.chain in here:
                failure.chain = len(counts)
            here.add(failure.chain)
            counts[failure.chain] = counts.get(failure.chain, 0) + 1
        latest = [each for each in latest if each[1].chain not in here]
        for failure in shown.failures:
            latest.append((now, failure))
            if failure.track is not None:
                tracks[failure.side, failure.track] = now, failure
    return counts


def _chain_of(
    failure: _Failure,
    now: float,
    latest: Sequence[tuple[float, _Failure]],
    tracks: Mapping[tuple[Side, int], tuple[float, _Failure]],
) -> int:
    """Return the chain of the same failure in an earlier capture; -1 if there is none."""
    if failure.track is not None:
        at, known = tracks.get((failure.side, failure.track), (-math.inf, failure))
        if now - at <= SAME_TRACK_S:
            return known.chain
    found = [
        (box_iou(each.box, failure.box), each.chain)
        for _, each in latest
        if each.side is failure.side
    ]
    overlap, chain = max(found, default=(0.0, -1))
    return chain if overlap >= _SAME_PLACE_IOU else -1


def _moment(record: Mapping[str, Any]) -> float:
    """Return when a capture was made, in seconds of the clock of its boot."""
    return float(record.get("monotonic_ns") or 0) / 1e9


def _order(record: Mapping[str, Any]) -> tuple[float, float]:
    try:
        wall = datetime.fromisoformat(record["captured_at"]).timestamp()
    except (ValueError, OverflowError):
        wall = 0.0
    return _moment(record), wall
