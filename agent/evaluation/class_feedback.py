"""What reviews say of each class: its weight, its best threshold, and from where it is trusted.

The weight of a class multiplies what its suspects add to the value of a frame:

    need   = (1 - AP50) / (mean of that over the classes)  x  (1 + deficit / target)
    weight = need / (mean of that over the classes), within 0.5 and 2

AP50 is that of the reviewed random captures, drawn towards the mean of the classes with the weight
of 20 objects; the deficit is counted in all reviewed captures, as `dataset health` does. The mean
is that of the classes of which these show an object. All others have the weight 1: what the model
only imagines is not rare.

Trust is the lower end of the 95 % interval of the precision of detections at or above a confidence,
from reviewed random captures alone: of what a rule chose more is wrong, of what the lane `auto`
chose less. A frame that was called wrong without boxes counts with all its detections as wrong. A
class whose audited auto labels broke their promise is not trusted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agent.dataset.annotations.model_boxes import detected_boxes
from agent.dataset.health.balance import ClassBalance, class_balance
from agent.domain import Lane, Thresholds, VerdictKind
from agent.evaluation.audit import audit
from agent.evaluation.average_precision import average_precision, label_curves
from agent.evaluation.bootstrap import relative
from agent.evaluation.box_matching import match_boxes
from agent.evaluation.evaluation import sample_frames
from agent.evaluation.intervals import Term, ratio
from agent.evaluation.judged_captures import JudgedCapture
from agent.evaluation.known_objects import known_objects
from agent.evaluation.matching import match
from agent.evaluation.sample import sample_of
from agent.evaluation.thresholds import best_threshold, threshold_curve
from agent.evaluation.truth import ReviewedFrame
from agent.selection.feedback import WEIGHT_MAX, WEIGHT_MIN, ClassFeedback, Trust

AP_STRENGTH = 20.0
"""Objects that the mean AP of all classes is worth beside a class's own."""

STEPS = (0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99)
"""Confidences from which precision is told, where they are not below the threshold in use."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """What random captures say of a class."""

    ap50: float | None
    objects: int
    best_threshold: float | None


@dataclass(frozen=True, slots=True)
class _Box:
    """A detection of a random capture, and whether it is right."""

    capture: str
    weight: float
    confidence: float
    is_right: bool


def class_feedback(
    captures: Sequence[JudgedCapture], thresholds: Thresholds
) -> tuple[ClassFeedback, ...]:
    """Return what reviewed captures of one model say of each class that they show."""
    random = [each for each in captures if each.record["lane"] == Lane.RANDOM]
    measured = _measured(random)
    balance = _balance(captures)
    trusted = _trust(random, thresholds)
    broken = _broken(captures)
    weights = class_weights(balance, {label: (m.ap50, m.objects) for label, m in measured.items()})
    found = []
    for each in balance:
        own = measured.get(each.label, _Measured(None, 0, None))
        trust = () if each.label in broken else trusted.get(each.label, ())
        found.append(
            ClassFeedback(
                each.label,
                own.ap50,
                each.objects,
                each.deficit,
                weights[each.label],
                own.best_threshold,
                tuple(trust),
            )
        )
    return tuple(found)


def class_weights(
    balance: Sequence[ClassBalance], measured: Mapping[str, tuple[float | None, int]]
) -> dict[str, float]:
    """Return the weight of each class.

    Args:
        balance: Objects, and how many are wanted.
        measured: AP50, None if it is unknown, and the number of objects that it rests on.
    """
    known = [ap for ap, _ in measured.values() if ap is not None]
    mean = sum(known) / len(known) if known else 0.0
    needs = {}
    for each in balance:
        ap, objects = measured.get(each.label, (None, 0))
        own = objects * (mean if ap is None else ap)
        drawn = (own + AP_STRENGTH * mean) / (objects + AP_STRENGTH)
        share = (1 - drawn) / (1 - mean) if mean < 1 else 1.0
        if each.objects:
            needs[each.label] = share * (1 + each.deficit / each.target)
    middle = sum(needs.values()) / len(needs) if needs else 1.0
    weights = {each.label: 1.0 for each in balance}
    for label, need in needs.items():
        weights[label] = round(min(WEIGHT_MAX, max(WEIGHT_MIN, need / middle)), 4)
    return weights


def _balance(captures: Sequence[JudgedCapture]) -> list[ClassBalance]:
    """Return the balance of the classes that captures show, or whose suspects they have."""
    objects: Counter[str] = Counter()
    images: Counter[str] = Counter()
    for each in captures:
        truth = each.truth
        there = [box.label for box in truth.objects or () if not box.is_crowd]
        there += truth.classes or ()
        objects.update(there)
        images.update(set(there))
        suspects = each.record.get("suspects") or ()
        for label in {one.get("label") for one in suspects if isinstance(one, dict)}:
            if isinstance(label, str) and label:
                objects[label] += 0
    return class_balance(dict(sorted(objects.items())), images)


def _measured(random: Sequence[JudgedCapture]) -> dict[str, _Measured]:
    frames = [ReviewedFrame(one.id, one.record, one.truth, _weight(one)) for one in random]
    known = known_objects([each for each in frames if "detections" in each.record])
    if not known.is_enough:
        return {}
    sample = sample_of(sample_frames(frames, known))
    weight = relative(sample.weight)
    floor = max(_floor(each) for each in random)
    found = {}
    for curve in label_curves(sample, match(sample.reported, sample.truth)):
        objects = len(curve.object_frame)
        ap50 = float(average_precision(curve, weight[None])[0][0]) if objects else float("nan")
        best = best_threshold(threshold_curve(curve, weight), floor) if objects else None
        found[curve.label] = _Measured(
            round(ap50, 4) if np.isfinite(ap50) else None,
            objects,
            None if best is None else best.threshold,
        )
    return found


def _trust(random: Sequence[JudgedCapture], thresholds: Thresholds) -> dict[str, list[Trust]]:
    boxes: dict[str, list[_Box]] = {}
    for each in random:
        for label, box in _boxes(each):
            boxes.setdefault(label, []).append(box)
    found = {}
    for label, of_label in boxes.items():
        least = thresholds.of(label)
        steps = [least, *(step for step in STEPS if step > least)]
        made = [_trust_from(step, of_label) for step in steps]
        found[label] = [each for each in made if each is not None]
    return found


def _trust_from(confidence: float, boxes: Sequence[_Box]) -> Trust | None:
    """Return what is promised from a confidence on; None where no box is as confident."""
    frames: dict[str, list[_Box]] = {}
    for each in boxes:
        if each.confidence >= confidence:
            frames.setdefault(each.capture, []).append(each)
    terms = [
        Term(own[0].weight, float(sum(box.is_right for box in own)), float(len(own)))
        for own in frames.values()
    ]
    estimate = ratio(terms)
    if estimate is None:
        return None
    return Trust(round(confidence, 4), round(estimate.low, 4), int(estimate.cases))


def _boxes(capture: JudgedCapture) -> list[tuple[str, _Box]]:
    """Return the detections of a capture with what became of them; empty if nobody knows."""
    record, truth, weight = capture.record, capture.truth, _weight(capture)
    if "classes" in record:
        best = record["classes"][:1]
        is_known = truth.classes is not None or truth.has_failure
        right = {each["label"] in (truth.classes or ()) for each in best}
        return [
            (each["label"], _Box(capture.id, weight, each["confidence"], right == {True}))
            for each in best
            if is_known
        ]
    if truth.objects is None and capture.verdict is not VerdictKind.WRONG:
        return []  # something is missing: of what is reported nothing is known
    objects = truth.objects or ()
    reported = detected_boxes(record, objects)
    found = match_boxes(reported, objects)
    return [
        (box.label, _Box(capture.id, weight, box.confidence, number in found.right))
        for number, box in enumerate(reported)
        if number in found.right | found.wrong  # in a crowd it is neither
    ]


def _broken(captures: Sequence[JudgedCapture]) -> frozenset[str]:
    """Return the labels whose audited auto labels broke their promise."""
    found = audit(
        {each.id: each.record for each in captures}, {each.id: each.truth for each in captures}
    )
    return frozenset() if found is None else found.broken


def _weight(capture: JudgedCapture) -> float:
    return float(capture.record["sampling"]["weight"])


def _floor(capture: JudgedCapture) -> float:
    floor = capture.record["thresholds"].get("floor", 0.0)
    return float(floor) if isinstance(floor, int | float) else 0.0
