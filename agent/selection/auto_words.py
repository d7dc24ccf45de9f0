"""Says in words which classes the model may label itself, and what is missing for the others."""

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist

from agent.domain import ModelInfo
from agent.printable import printable
from agent.selection.auto_gate import trust_in
from agent.selection.feedback import ClassFeedback, Feedback, Trust

NEEDS_FEEDBACK = (
    "auto labels need AGENT_FEEDBACK: review random captures, and make the file with "
    "`capture-agent feedback`"
)

_Z = NormalDist().inv_cdf(0.975)  # of a 95 % interval with two sides
_SHOWN = 5  # labels in one line
_MOST = 1_000_000  # reviews; more is never


def trusted_words(feedback: Feedback | None, precision: float) -> list[str]:
    """Return the classes that are trusted, such as `car from 0.70 (lower bound 0.985)`."""
    return [
        f"{printable(each.label)} from {each.confidence:.2f} (lower bound {each.precision_low:.3f})"
        for each in trust_in(feedback, precision).classes.values()
    ]


def missing_words(
    feedback: Feedback | None, model: ModelInfo | None, precision: float
) -> list[str]:
    """Return what is missing for auto labels of each class that is not trusted, one line each."""
    if feedback is None:
        return [NEEDS_FEEDBACK]
    if model is not None and feedback.is_of_other_model(model):
        own, other = printable(model.name), printable(feedback.model_name)
        return [f"auto labels need a feedback file for {own}: this one is for {other}"]
    trusted = trust_in(feedback, precision).classes
    known = {each.label for each in feedback.classes}
    found = [
        _missing(each, feedback, precision)
        for each in feedback.classes
        if each.label not in trusted
    ]
    labels = () if model is None else model.labels
    unknown = [label for label in labels if label not in known]
    if unknown and (known or len(unknown) <= _SHOWN):
        found.append(f"not trusted, because no reviewed random capture shows it: {few(unknown)}")
    elif unknown:
        found.append("no class is trusted: no reviewed random capture shows one")
    return found


def reviews_needed(precision: float, *, low: float = 0.0, reviewed: int = 0) -> int | None:
    """Return about how many further reviewed boxes a class needs, if all of them are right.

    Args:
        precision: That the lower bound of Wilson's 95 % interval must reach, below 1.
        low: The lower bound that it has now.
        reviewed: From how many boxes; about 190 are needed for 0.98 if all were right.

    Returns:
        None where not even a million would do.
    """
    wrong = (1 - _estimate(low, reviewed)) * reviewed
    for more in _doubling(reviewed):
        if _lower(1 - wrong / (reviewed + more), reviewed + more) >= precision:
            begin, end = more // 2, more
            while end - begin > 1:
                middle = (begin + end) // 2
                n = reviewed + middle
                begin, end = (
                    (begin, middle) if _lower(1 - wrong / n, n) >= precision else (middle, end)
                )
            return end
    return None


def few(words: Sequence[str], separator: str = ", ") -> str:
    """Return the first of many words, and how many there are more."""
    more = len(words) - _SHOWN
    shown = separator.join(printable(word) for word in words[:_SHOWN])
    return f"{shown}{separator}and {more} more" if more > 0 else shown


def _missing(each: ClassFeedback, feedback: Feedback, precision: float) -> str:
    label = printable(each.label)
    best = max(each.trust, key=lambda one: one.precision_low, default=None)
    if best is None or not best.reviewed:
        return f"{label} is not trusted: no reviewed random capture has a box of it"
    bound = f"{label} is not trusted: lower bound {_digits(best.precision_low)} < {precision:g}"
    if _estimate(best.precision_low, best.reviewed) < precision:
        return f"{bound}, and the share of right boxes is below it at every confidence"
    boxes = reviews_needed(precision, low=best.precision_low, reviewed=best.reviewed)
    if boxes is None:
        return bound
    return f"{bound}; about {_captures(boxes, each.trust, feedback)} more reviewed random captures"


def _captures(boxes: int, trust: Iterable[Trust], feedback: Feedback) -> int:
    """Return how many captures have so many boxes of a class, as those that were reviewed do."""
    most = max((one.reviewed for one in trust), default=0)
    return max(1, math.ceil(boxes * feedback.captures / max(most, 1)))


def _digits(share: float) -> str:
    """Return a share rounded down, so that 0.9799 is not shown as 0.98."""
    return f"{math.floor(share * 1000) / 1000:g}"


def _doubling(first: int) -> Iterable[int]:
    more = 1
    while first + more <= _MOST:
        yield more
        more *= 2


def _lower(share: float, n: float) -> float:
    """Return the lower bound of Wilson's interval of a share of `n`."""
    z = _Z**2 / n
    spread = math.sqrt(max(0.0, share * (1 - share)) * z + z * z / 4)
    return (share + z / 2 - spread) / (1 + z)


def _estimate(low: float, n: float) -> float:
    """Return the share of `n` whose lower bound is `low`: the inverse of `_lower`."""
    if not n:
        return 1.0
    begin, end = low, 1.0
    for _ in range(40):
        middle = (begin + end) / 2
        begin, end = (middle, end) if _lower(middle, n) < low else (begin, middle)
    return end
