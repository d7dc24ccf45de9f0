"""An evaluation as JSON: the names are fixed, programs read them."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from agent.evaluation.advice import (
    better_thresholds,
    needed_of,
    notes_of,
    setting_of,
    warnings_of,
)
from agent.evaluation.audit import audit_facts
from agent.evaluation.calibration import Calibration
from agent.evaluation.class_measures import OfClass
from agent.evaluation.evaluation import Evaluation
from agent.evaluation.intervals import CONFIDENCE, Estimate
from agent.evaluation.label_measures import OfLabel
from agent.evaluation.lanes import OfRule
from agent.evaluation.needed_reviews import TARGET, needed_for_width
from agent.evaluation.thresholds import FLAT

METHOD = (
    "weighted ratios over randomly drawn frames, linearised variance, Wilson intervals with the "
    "effective sample size; AP as COCO (101 recalls, 100 detections), its variance by a bootstrap "
    "over frames"
)

_DIGITS = 6


def facts_of(evaluation: Evaluation) -> dict[str, Any]:
    """Return the object that `--json` prints."""
    measured, known = evaluation.measured, evaluation.known
    thresholds = better_thresholds(evaluation)
    classes = evaluation.classes
    facts = {
        "warnings": warnings_of(evaluation),
        "notes": notes_of(evaluation),
        "task": evaluation.task.value,
        "random_captures": evaluation.random_captures,
        "reviewed": len(evaluation.frames),
        "unusable": evaluation.unusable,
        "left_out": evaluation.left_out,
        "confirmed": evaluation.confirmed,
        "unknown_objects": {
            "frames": known.unknown,
            "share_of_failing": known.unknown_share,
            "refused": bool(evaluation.frames) and not known.is_enough,
            "frames_to_correct": known.frames_to_correct,
            "precision_bounds": list(known.precision_bounds) if known.precision_bounds else None,
        },
        "failure_rate": _estimate(evaluation.failure_rate),
        "precision": _estimate(
            classes[0].precision if classes else measured.precision if measured else None
        ),
        "recall": _estimate(
            classes[0].recall if classes else measured.recall if measured else None
        ),
        "accuracy": _estimate(classes[0].top1) if classes else None,
        "map50": _estimate(measured.map50) if measured else None,
        "map50_95": _estimate(measured.map50_95) if measured else None,
        "labels": _labels(evaluation),
        "suggested_thresholds": thresholds or None,
        "suggested_setting": setting_of(thresholds) if thresholds else None,
        "floor": evaluation.floor,
        "lanes": {
            each.lane: {
                "captures": each.captures,
                "reviewed": each.reviewed,
                "failures": _estimate(each.failures),
                "precision": _estimate(each.precision),
            }
            for each in evaluation.lanes
        },
        "rules": _rules(evaluation.rules),
        "auto": audit_facts(evaluation.audit),
        "calibration": _calibration(
            measured.calibration if measured else evaluation.class_calibration
        ),
        "models": [
            {
                "name": each.name,
                "sha256": each.sha256,
                "reviewed": each.reviewed,
                "failure_rate": _estimate(each.failure_rate),
            }
            for each in evaluation.models
        ],
        "needed": {"half_width": TARGET, "more_reviews": needed_of(evaluation)},
        "measured_by": "classes" if evaluation.task == "classify" else "upright boxes",
        "confidence": CONFIDENCE,
        "method": METHOD,
    }
    return {name: rounded(value) for name, value in facts.items()}


def rounded(value: Any) -> Any:
    """Return a value for JSON: numbers of six digits, None for NaN."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    if isinstance(value, float):
        return round(value, _DIGITS) if math.isfinite(value) else None
    return value


def _estimate(each: Estimate | None) -> dict[str, Any] | None:
    return asdict(each) if each is not None else None


def _labels(evaluation: Evaluation) -> dict[str, Any]:
    if evaluation.measured is not None:
        return {
            each.label: {
                **_label(each, evaluation.thresholds),
                "more_reviews": needed_for_width(each.ap50, len(evaluation.frames)),
            }
            for each in evaluation.measured.labels
        }
    return {
        str(each.label): _class(each, evaluation.thresholds)
        for each in evaluation.classes
        if each.label is not None
    }


def _label(each: OfLabel, thresholds: Any) -> dict[str, Any]:
    best = each.best
    return {
        "objects": each.objects,
        "detections": each.detections,
        "threshold": thresholds.get(each.label),
        "precision": _estimate(each.precision),
        "recall": _estimate(each.recall),
        "f1": each.f1 if each.is_seen else None,
        "ap50": _estimate(each.ap50),
        "ap50_95": _estimate(each.ap50_95),
        "best_threshold": best.threshold if best else None,
        "best": {
            "f1": best.f1,
            "precision": best.precision,
            "recall": best.recall,
            "flat": {"f1": FLAT, "low": best.flat_low, "high": best.flat_high},
            "ends_at_floor": best.ends_at_floor,
        }
        if best
        else None,
        "recall_at_floor": _estimate(each.recall_at_floor),
        "calibration": _calibration(each.calibration),
    }


def _class(each: OfClass, thresholds: Any) -> dict[str, Any]:
    return {
        "images": each.images,
        "threshold": thresholds.get(each.label),
        "precision": _estimate(each.precision),
        "recall": _estimate(each.recall),
        "top1": _estimate(each.top1),
    }


def _calibration(found: Calibration | None) -> dict[str, Any] | None:
    return asdict(found) if found is not None else None


def _rules(rules: Sequence[OfRule]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in rules:
        facts = {
            "captures": each.captures,
            "captures_with_failure": _estimate(each.failing),
            "suspects": each.suspects,
            "unknown": each.unknown,
            "failures": _estimate(each.failures),
            "expected": each.expected,
        }
        if each.side is None:
            found[each.rule] = {**facts, "sides": {}}
        else:
            found[each.rule]["sides"][each.side.value] = facts
    return found
