"""Makes the feedback file from reviewed captures: what devices should do otherwise from now on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agent.domain import Lane, Thresholds
from agent.errors import ConfigurationError
from agent.evaluation.class_feedback import class_feedback
from agent.evaluation.judged_captures import Judged, JudgedCapture
from agent.evaluation.suspect_evidence import Evidence, evidence_of, in_failures
from agent.evaluation.suspect_factors import suspect_factors
from agent.selection.feedback import SAME_THRESHOLD, Feedback


@dataclass(frozen=True, slots=True)
class Learnt:
    """A feedback file, and what went into it."""

    feedback: Feedback
    reviewed: int  # captures with a review, of all models
    seen: int  # captures in the datasets
    random: int  # of the reviewed captures of this model, those drawn at random
    suspects: int  # whose outcome is known
    left_out: Counter[str] = field(default_factory=Counter)  # captures and suspects, by reason


def learn(judged: Judged, *, made_at: str, agent: str) -> Learnt:
    """Make the feedback of the newest model among the reviewed captures.

    Args:
        judged: The captures with their reviews.
        made_at: RFC 3339, UTC.
        agent: The version of this program.

    Raises:
        ConfigurationError: Nothing was reviewed, so that there is nothing to learn.
    """
    left_out = Counter(judged.left_out)
    if not judged.captures:
        why = "".join(f"; of {number} {reason}" for reason, number in left_out.items())
        raise ConfigurationError(
            f"cannot learn: none of the {judged.seen} captures has a review that can be used"
            f"{why}. Review them with `capture-agent review DIR`, or bring reviews in with "
            "`capture-agent dataset import`"
        )
    newest = max(judged.captures, key=_time)
    model = newest.record["model"]
    captures = [
        each for each in judged.captures if each.record["model"]["sha256"] == model["sha256"]
    ]
    others = len(judged.captures) - len(captures)
    if others:
        left_out["it is of another model than the newest capture"] += others
    thresholds = _thresholds(newest)
    evidence = _at_thresholds(captures, thresholds, left_out)
    feedback = Feedback(
        made_at,
        agent,
        str(model["name"]),
        str(model["sha256"]),
        len(captures),
        tuple(suspect_factors(in_failures(evidence))),
        class_feedback(captures, thresholds),
        thresholds,
    )
    return Learnt(
        feedback,
        len(judged.captures) + judged.left_out.total(),
        judged.seen,
        sum(each.record["lane"] == Lane.RANDOM for each in captures),
        len(evidence),
        left_out,
    )


def _at_thresholds(
    captures: Sequence[JudgedCapture], thresholds: Thresholds, left_out: Counter[str]
) -> list[Evidence]:
    """Return the evidence of captures, without those labels that had another threshold then.

    What was doubtful above one threshold may be doubtful below another.
    """
    found = []
    for each in evidence_of(captures):
        reviewed = each.threshold
        if abs(reviewed - thresholds.of(each.label)) > SAME_THRESHOLD:
            left_out["a suspect's label had another threshold then"] += 1
        else:
            found.append(each)
    return found


def _thresholds(capture: JudgedCapture) -> Thresholds:
    stated = capture.record["thresholds"]
    return Thresholds(float(stated["default"]), dict(stated["labels"]))


def _time(capture: JudgedCapture) -> tuple[datetime, str]:
    return datetime.fromisoformat(capture.record["captured_at"]), capture.id
