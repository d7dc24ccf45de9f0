"""What a person must know before the figures: warnings first, each with what to do."""

import shlex
from collections.abc import Iterator, Mapping

from agent.evaluation.audit import audit_warnings
from agent.evaluation.evaluation import Evaluation
from agent.evaluation.intervals import Estimate
from agent.evaluation.label_measures import OfLabel
from agent.evaluation.limits import limits_of
from agent.evaluation.needed_reviews import needed_for_width
from agent.printable import printable

LEAST_GAIN = 0.1
"""F1 that a better threshold must gain to be a warning."""

LEAST_OBJECTS = 10
"""Objects of a label below which the best threshold is mostly chance."""

SETTING_MAX = 2000
"""Characters of a setting that is shown."""

_FEW_NAMED = 5  # labels in a sentence


def warnings_of(evaluation: Evaluation) -> list[str]:
    """Return what makes figures wrong or the model useless, the worst first."""
    return [
        *_threshold_warnings(evaluation),
        *_unknown_objects(evaluation),
        *_several_models(evaluation),
        *(audit_warnings(evaluation.audit) if evaluation.audit is not None else ()),
        *evaluation.problems,
    ]


def notes_of(evaluation: Evaluation) -> list[str]:
    """Return what limits the figures."""
    return [
        *_unseen(evaluation),
        *_several_thresholds(evaluation),
        *_confirmed(evaluation),
        *_floor(evaluation),
        *_shapes(evaluation),
    ]


def better_thresholds(evaluation: Evaluation) -> dict[str, float]:
    """Return a threshold for each label whose threshold in use costs much F1."""
    return {
        each.label: each.best.threshold
        for each in _wrong_thresholds(evaluation)
        if each.best is not None
    }


def setting_of(thresholds: Mapping[str, float]) -> str:
    """Return thresholds as a setting to paste; labels with blanks are in quotes."""
    pairs = " ".join(f"{_quoted(label)}={value:g}" for label, value in thresholds.items())
    is_plain = not set(pairs) & set('"$`\\')
    quoted = f'"{pairs}"' if is_plain else shlex.quote(pairs)
    return f"AGENT_THRESHOLDS={quoted}"


def _quoted(label: str) -> str:
    if not set(label) & set(" \t") and label[:1] not in {"'", '"'}:
        return label
    return f'"{label}"' if "'" in label else f"'{label}'"


def needed_of(evaluation: Evaluation) -> dict[str, int | None]:
    """Return how many more reviewed random captures settle each figure to 5 points."""
    reviewed, measured = len(evaluation.frames), evaluation.measured
    figures: dict[str, Estimate | None] = {"failure_rate": evaluation.failure_rate}
    if measured is not None:
        figures |= {
            "precision": measured.precision,
            "recall": measured.recall,
            "map50": measured.map50,
            "map50_95": measured.map50_95,
        }
    elif evaluation.classes:
        figures |= {
            "precision": evaluation.classes[0].precision,
            "recall": evaluation.classes[0].recall,
        }
    return {name: needed_for_width(each, reviewed) for name, each in figures.items()}


def _wrong_thresholds(evaluation: Evaluation) -> list[OfLabel]:
    labels = evaluation.measured.labels if evaluation.measured is not None else ()
    wrong = [
        each
        for each in labels
        if each.best is not None
        and each.objects >= LEAST_OBJECTS
        and each.best.f1 - each.f1 >= LEAST_GAIN
    ]
    return sorted(wrong, key=lambda each: each.f1 - (each.best.f1 if each.best else 0.0))


def _threshold_warnings(evaluation: Evaluation) -> Iterator[str]:
    wrong = _wrong_thresholds(evaluation)
    if not wrong:
        return
    said = [_said_of(each, evaluation.thresholds) for each in wrong[:_FEW_NAMED]]
    more = f"; {len(wrong) - _FEW_NAMED} more labels" if len(wrong) > _FEW_NAMED else ""
    yield (
        f"the threshold in use is wrong for this model: {'; '.join(said)}{more}. Set "
        f"{printable(setting_of(better_thresholds(evaluation)), SETTING_MAX)}"
    )


def _said_of(each: OfLabel, thresholds: Mapping[str, float]) -> str:
    assert each.best is not None  # noqa: S101 (only such labels are wrong)
    recall = f"{each.recall.value:.1%}" if each.recall is not None else "unknown"
    precision = f"{each.precision.value:.1%}" if each.precision is not None else "unknown"
    return (
        f"{printable(each.label)} at {thresholds.get(each.label, 0.0):g} has recall {recall}, "
        f"precision {precision} (F1 {each.f1:.2f}); at {each.best.threshold:g} recall "
        f"{each.best.recall:.1%}, precision {each.best.precision:.1%} (F1 {each.best.f1:.2f})"
    )


def _unknown_objects(evaluation: Evaluation) -> Iterator[str]:
    known = evaluation.known
    if not known.unknown:
        return
    what = "classes" if evaluation.task == "classify" else "boxes"
    if known.is_enough:
        yield (
            f"{known.unknown} failing frames have a verdict but no {what}: the "
            f"{known.known_failing} failing frames with {what} stand for them in precision, recall "
            "and AP. That is right only if chance decided which were corrected"
        )
        return
    bounds = known.precision_bounds
    between = f"; precision is between {bounds[0]:.3f} and {bounds[1]:.3f}" if bounds else ""
    yield (
        f"precision, recall and AP are not given: {known.unknown} failing frames have a verdict "
        f"but no {what}, {known.unknown_share:.0%} of the failing time, and without them the "
        f"figures would flatter{between}. Correct the {what} of about {known.frames_to_correct} "
        "more of them"
    )


def _several_models(evaluation: Evaluation) -> Iterator[str]:
    if len(evaluation.models) > 1:
        named = ", ".join(
            f"{printable(each.name)} {each.sha256[:12]} ({each.reviewed})"
            for each in evaluation.models[:_FEW_NAMED]
        )
        yield (
            f"the reviewed captures are of {len(evaluation.models)} models: {named}. All figures "
            "mix them; confidences of two models do not compare. --model runs one model on all"
        )


def _unseen(evaluation: Evaluation) -> Iterator[str]:
    unseen = [e for e in evaluation.measured.labels if not e.is_seen] if evaluation.measured else []
    if unseen:
        yield (
            f"{len(unseen)} labels have no object in the reviewed frames and were never reported "
            "at their threshold"
        )


def _several_thresholds(evaluation: Evaluation) -> Iterator[str]:
    used = {
        (limits.default, tuple(sorted(limits.labels.items())))
        for limits in (limits_of(each.record) for each in evaluation.frames)
    }
    if len(used) > 1:
        yield (
            f"The captures were made with {len(used)} sets of thresholds: precision and recall are "
            "those of each capture's own, and the threshold in use is that of the newest capture"
        )


def _confirmed(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.measured is not None and evaluation.confirmed:
        yield (
            f"Of {evaluation.confirmed} of {len(evaluation.frames)} frames a person said that the "
            "model is right, so their objects are its own boxes: AP50-95, which also asks how well "
            "boxes fit, is too high there"
        )


def _floor(evaluation: Evaluation) -> Iterator[str]:
    measured = evaluation.measured
    if measured is None:
        return
    low = [
        each
        for each in measured.labels
        if each.recall_at_floor is not None and each.recall_at_floor.value < 1
    ]
    if low:
        yield (
            f"Detections below the floor of {evaluation.floor:g} are in no record: AP counts "
            "objects that only they could find as never found"
        )
    ending = [each.label for each in measured.labels if each.best and each.best.ends_at_floor]
    if ending:
        named = ", ".join(printable(label) for label in ending[:_FEW_NAMED])
        more = f" and {len(ending) - _FEW_NAMED} more" if len(ending) > _FEW_NAMED else ""
        yield (
            f"The best F1 of {named}{more} may lie below the floor of {evaluation.floor:g}, which "
            "is not known; a lower AGENT_FLOOR would show it"
        )


def _shapes(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.has_shapes:
        yield (
            "Outlines, keypoints and rotated boxes are measured by the upright boxes around them"
        )
