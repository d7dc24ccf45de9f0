"""A comparison of two models as sentences and as JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent.evaluation.advice import SETTING_MAX, setting_of
from agent.evaluation.comparison import Comparison, Difference, Outcome
from agent.evaluation.facts import rounded
from agent.evaluation.label_measures import OfLabel
from agent.printable import printable

_NAMED = 8  # labels in a sentence


@dataclass(frozen=True, slots=True)
class ComparedModel:
    """The other model, and how running it went."""

    name: str
    sha256: str
    comparison: Comparison
    is_same: bool  # the captures were made by this model
    unreadable: int  # captures whose image cannot be read
    failed: int  # captures on which the model gave no output
    confirmed: int  # frames whose objects are the current model's own boxes


def sentence_of(model: ComparedModel) -> str:
    """Return in one sentence which model is better."""
    found, name = model.comparison, printable(model.name)
    by = found.ap50 or found.accuracy
    if by is None:
        return "Cannot tell which model is better: no reviewed frame has an object"
    figures = f"{found.decided_by} {by.other:.3f} against {by.current:.3f}, {_words(by)}"
    if found.outcome is Outcome.OTHER:
        return f"{name} is better: {figures}{_but(found)}"
    if found.outcome is Outcome.CURRENT:
        return f"The model of the captures is better than {name}: {figures}{_but(found)}"
    if found.more_reviews is None:
        return f"Cannot tell yet which model is better: {figures}; they do not differ at all"
    return (
        f"Cannot tell yet which model is better: {figures}; about {found.more_reviews} more "
        "reviewed random captures would settle it, if the difference stays"
    )


def remarks_on(model: ComparedModel) -> Iterator[str]:
    """Yield what a person must know of a comparison."""
    found, name = model.comparison, printable(model.name)
    if model.is_same:
        yield f"{name} is the model that made the captures"
    else:
        confirmed = f"; {model.confirmed} of {found.frames} are its own boxes" * bool(
            model.confirmed
        )
        yield (
            "The labels were made by people who saw the boxes of the model of the captures, which "
            f"favours it{confirmed}"
        )
    best = _best_thresholds(found)
    if best and not model.is_same:
        yield f"Best thresholds of {name}: {printable(setting_of(best), SETTING_MAX)}"
    if found.missing_labels:
        yield (
            f"{name} cannot report {_named(found.missing_labels)}, which count as never found; if "
            "its names differ, give --model-labels"
        )
    if found.new_labels:
        yield (
            f"{name} reports labels that no reviewed object has: {_named(found.new_labels)}; each "
            "such box at its threshold is a failure"
        )
    if model.unreadable:
        yield f"{model.unreadable} images cannot be read; both models go without them"
    if model.failed:
        yield f"{name} failed on {model.failed} images, which count as empty"


def comparison_facts(model: ComparedModel) -> dict[str, Any]:
    """Return the object `comparison` of the JSON output."""
    found = model.comparison
    labels = found.measured.labels if found.measured is not None else ()
    best = _best_thresholds(found)
    facts: dict[str, Any] = {
        "model": {"name": model.name, "sha256": model.sha256},
        "frames": found.frames,
        "outcome": found.outcome.value,
        "decided_by": found.decided_by,
        "sentence": sentence_of(model),
        "remarks": list(remarks_on(model)),
        "map50": _facts(found.ap50),
        "map50_95": _facts(found.ap50_95),
        "accuracy": _facts(found.accuracy),
        "failure_rate": _facts(found.failure_rate),
        "failure_rate_at_best_thresholds": _facts(found.failure_rate_at_best),
        "more_reviews": found.more_reviews,
        "unreadable": model.unreadable,
        "failed": model.failed,
        "labels": {each.label: _label(each) for each in labels},
        "best_setting": setting_of(best) if best else None,
    }
    return {name: rounded(value) for name, value in facts.items()}


def difference_rows(found: Comparison) -> list[tuple[str, Difference]]:
    """Return each compared figure with its name."""
    rows = (
        ("accuracy", found.accuracy),
        ("mean AP50", found.ap50),
        ("mean AP50-95", found.ap50_95),
        ("failure rate", found.failure_rate),
        ("failure rate at the best thresholds", found.failure_rate_at_best),
    )
    return [(name, each) for name, each in rows if each is not None]


def _best_thresholds(found: Comparison) -> dict[str, float]:
    labels = found.measured.labels if found.measured is not None else ()
    return {each.label: each.best.threshold for each in labels if each.best is not None}


def _words(each: Difference) -> str:
    return f"difference {each.value:+.3f} (95 %: {each.low:+.3f} to {each.high:+.3f})"


def _but(found: Comparison) -> str:
    """Return what speaks against the model that is better; empty if nothing clear does."""
    failures = found.failure_rate_at_best
    if failures is None or not failures.is_clear:
        return ""
    if (failures.value > 0) != (found.outcome is Outcome.OTHER):
        return ""
    rates = sorted((failures.other, failures.current), reverse=True)
    return (
        f"; but it fails in more frames: {rates[0]:.3f} against {rates[1]:.3f} at the best "
        "thresholds of both"
    )


def _named(labels: tuple[str, ...]) -> str:
    more = f" and {len(labels) - _NAMED} more" if len(labels) > _NAMED else ""
    return ", ".join(printable(label) for label in labels[:_NAMED]) + more


def _facts(each: Difference | None) -> dict[str, Any] | None:
    if each is None:
        return None
    return {
        "current": each.current,
        "other": each.other,
        "difference": each.value,
        "low": each.low,
        "high": each.high,
    }


def _label(each: OfLabel) -> dict[str, Any]:
    return {
        "objects": each.objects,
        "ap50": each.ap50.value if each.ap50 else None,
        "ap50_95": each.ap50_95.value if each.ap50_95 else None,
        "best_threshold": each.best.threshold if each.best else None,
        "best_f1": each.best.f1 if each.best else None,
    }
