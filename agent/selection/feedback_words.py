"""Says in words what a feedback file changes."""

import math
from collections.abc import Sequence

from agent.printable import printable
from agent.selection.feedback import ClassFeedback, Feedback, SuspectFactor

SHOWN_CHANGES = 3
_SAME = 0.05  # a factor that differs from 1 by less changes nothing that anybody sees


def strongest_changes(feedback: Feedback, most: int = SHOWN_CHANGES) -> list[str]:
    """Return the changes that move most, such as `flicker below on gate: x0.2 after 41 reviews`.

    A change is strong by its factor and by the number of reviews together.
    """
    changed = [each for each in feedback.suspects if abs(each.factor - 1) >= _SAME]
    changed.sort(key=lambda each: -strength(each))
    return [change_words(each) for each in changed[:most]]


def strength(each: SuspectFactor) -> float:
    """Return how much a group moved, by its factor and the number of its reviews."""
    return abs(math.log(max(each.factor, 1e-3))) * math.sqrt(each.reviewed)


def change_words(each: SuspectFactor) -> str:
    """Return one factor in words."""
    return f"{group_words(each)}: x{each.factor:.2g} after {review_words(each.reviewed)}"


def group_words(each: SuspectFactor) -> str:
    """Return whose factor it is: rule, side, label and camera."""
    label = f" of {printable(each.label)}" if each.label is not None else ""
    camera = f" on {printable(each.camera)}" if each.camera is not None else ""
    side = "" if each.side == "frame" else f" {each.side}"
    return f"{printable(each.rule)}{side}{label}{camera}"


def review_words(reviewed: float) -> str:
    """Return a number of reviewed suspects in words; it can be a fraction."""
    number = f"{reviewed:.0f}"
    return f"{number} review{'' if number == '1' else 's'}"


def proposed_thresholds(feedback: Feedback) -> str:
    """Return `label=number` pairs of the best F1, as `AGENT_THRESHOLDS` takes them; may be empty.

    Only those that differ from the thresholds of the reviewed captures.
    """
    found = [
        f"{_quoted(each.label)}={each.best_threshold:.2g}"
        for each in feedback.classes
        if each.best_threshold is not None and _differs(feedback, each, each.best_threshold)
    ]
    return " ".join(found)


def _differs(feedback: Feedback, each: ClassFeedback, best: float) -> bool:
    now = feedback.thresholds
    return now is None or abs(now.of(each.label) - best) >= _SAME


def _quoted(label: str) -> str:
    label = printable(label)
    return f"'{label}'" if " " in label else label


def summary_words(feedback: Feedback, changes: Sequence[str]) -> str:
    """Return what a feedback file is, in one line."""
    said = "; ".join(changes) or "no factor differs from 1 yet"
    reviews = f"{feedback.captures} reviewed capture{'' if feedback.captures == 1 else 's'}"
    return f"{feedback.sha256[:12]}, made {feedback.made_at}, from {reviews}: {said}"
