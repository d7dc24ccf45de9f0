"""What reviews say of lanes and rules: how often their captures and suspects were failures.

Captures of most lanes were chosen because of what the model said of them. So nothing here is a
figure of the model: it says what the credits were spent on. Captures count alike, whatever
their weight.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.evaluation.intervals import Estimate, Term, ratio, weighted_ratio
from agent.evaluation.suspect_outcomes import SuspectOutcome, suspect_outcomes
from agent.evaluation.truth import FrameTruth
from agent.selection.feedback import Side


@dataclass(frozen=True, slots=True)
class OfLane:
    """The captures of one lane."""

    lane: str
    captures: int
    reviewed: int
    failures: Estimate | None  # share of the reviewed captures that had one
    precision: Estimate | None  # share of the reported boxes that are right


@dataclass(frozen=True, slots=True)
class OfRule:
    """The captures and suspects of one rule, on one side of the threshold or on all."""

    rule: str
    side: Side | None  # None: all sides
    captures: int  # reviewed, with such a suspect
    failing: Estimate | None  # share of these that had a failure anywhere
    suspects: int
    failures: Estimate | None  # share of the suspects that were one
    unknown: int  # suspects of failing frames of which nobody said where the failure is
    expected: float  # sum of their p: how many should have been failures


def by_lane(
    records: Mapping[str, Mapping[str, Any]], truth: Mapping[str, FrameTruth]
) -> list[OfLane]:
    """Return the outcome of each lane that has captures, in the order of their number."""
    counts = Counter(str(record["lane"]) for record in records.values())
    found = []
    for lane, captures in counts.most_common():
        own = [name for name in truth if records[name]["lane"] == lane]
        said = [truth[name] for name in own]
        failing = [Term(1.0, float(each.has_failure), 1.0) for each in said]
        found.append(
            OfLane(
                lane,
                captures,
                len(own),
                ratio(failing),
                ratio([Term(1.0, each.right, each.right + each.wrong) for each in said]),
            )
        )
    return found


def by_rule(
    records: Mapping[str, Mapping[str, Any]], truth: Mapping[str, FrameTruth]
) -> list[OfRule]:
    """Return the outcome of each rule with suspects, followed by those of each of its sides."""
    outcomes = {name: suspect_outcomes(records[name], each) for name, each in truth.items()}
    groups: dict[tuple[str, Side | None], dict[str, list[SuspectOutcome]]] = {}
    for name, of_frame in outcomes.items():
        for each in of_frame:
            for side in (None, each.side):
                groups.setdefault((each.rule, side), {}).setdefault(name, []).append(each)
    return [
        _of_rule(rule, side, own, truth)
        for (rule, side), own in sorted(groups.items(), key=lambda item: _order(*item[0]))
    ]


def _order(rule: str, side: Side | None) -> tuple[str, str]:
    return rule, "" if side is None else side.value


def _of_rule(
    rule: str,
    side: Side | None,
    own: Mapping[str, Sequence[SuspectOutcome]],
    truth: Mapping[str, FrameTruth],
) -> OfRule:
    known = [
        [each for each in outcomes if each.is_failure is not None] for outcomes in own.values()
    ]
    failures = np.array([sum(bool(each.is_failure) for each in of) for of in known], np.float64)
    cases = np.array([len(of) for of in known], np.float64)
    everything = [each for outcomes in own.values() for each in outcomes]
    return OfRule(
        rule,
        side,
        len(own),
        ratio([Term(1.0, float(truth[name].has_failure), 1.0) for name in own]),
        len(everything),
        weighted_ratio(np.ones(len(known)), failures, cases),
        sum(each.is_failure is None for each in everything),
        float(sum(each.p for each in everything)),
    )
