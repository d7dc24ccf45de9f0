"""Makes the content of `report.json`: the same pool and settings give the same report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from agent import __version__
from agent.domain import ModelInfo
from agent.pool.choices import Choice
from agent.pool.output.chosen import ChosenImage, ChosenSuspect, rule_facts
from agent.pool.output.counts import PoolCounts
from agent.pool.sources.found import SourceSummary

SCHEMA = 1

MOST_GONE = 1000
"""Images that are in no source any more which are named; all are counted."""

_DIGITS = 4


def report_of(
    sources: Sequence[SourceSummary],
    chosen: Sequence[ChosenImage],
    counts: PoolCounts,
    choice: Choice,
    *,
    model: ModelInfo,
    settings: Mapping[str, Any],
    lost: Mapping[str, str],
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the report; it has no speed, date or folder of the output.

    `lost`: keys of chosen images that could not be read again, with the reason.
    """
    failures = sum(each.value for each in chosen)
    return {
        "schema": SCHEMA,
        "agent": __version__,
        "model": {"name": model.name, "sha256": model.sha256, "task": model.task},
        "settings": dict(settings),
        "sources": [_source(each) for each in sources],
        "images": counts.images,
        "unreadable": len(counts.problems),
        "unusable": counts.unusable,
        "degraded": counts.degraded,
        "degraded_chosen": sum(each.row.is_degraded for each in chosen),
        "near_duplicates": choice.near_duplicates,
        "shown_before": choice.shown_before,
        "gone": len(counts.gone),
        "other_models": dict(counts.other_models.most_common()),
        "chosen": len(chosen),
        "expected_failures": round(failures, _DIGITS),
        "most_possible": round(max(failures, choice.most), _DIGITS),
        "next_values": [round(value, _DIGITS) for value in choice.following],
        "cameras": _by_camera(chosen, counts),
        "classes": _by_class(chosen),
        "rules": _by_rule(chosen),
        "warnings": list(warnings),
        "images_lost": [{"key": key, "problem": why} for key, why in sorted(lost.items())],
        "near_duplicates_named": [asdict(each) for each in choice.named_duplicates],
        "images_gone": list(counts.gone[:MOST_GONE]),
        "images_chosen": [_image(each) for each in chosen],
        "images_unreadable": [
            {"key": key, "problem": why} for key, why in sorted(counts.problems.items())
        ],
    }


def _by_camera(chosen: Sequence[ChosenImage], counts: PoolCounts) -> list[dict[str, Any]]:
    """Return the images of each camera, that with the most chosen ones first."""
    taken = Counter(each.row.camera for each in chosen)
    cameras = sorted(counts.cameras, key=lambda name: (-taken[name], -counts.cameras[name], name))
    return [
        {"camera": name, "images": counts.cameras[name], "chosen": taken[name]} for name in cameras
    ]


def _by_class(chosen: Sequence[ChosenImage]) -> list[dict[str, Any]]:
    """Return what is expected of each label; an image counts for that which adds most to it."""
    taken = Counter(each.label for each in chosen)
    expected = dict.fromkeys(taken, 0.0)
    for each in chosen:
        for suspect, added in each.suspects:
            label = suspect.suspect.label
            expected[label] = expected.get(label, 0.0) + added
    labels = sorted(expected, key=lambda name: (-expected[name], -taken[name], name))
    return [
        {
            "label": name,
            "chosen": taken[name],
            "expected_failures": round(expected[name], _DIGITS),
        }
        for name in labels
    ]


def _by_rule(chosen: Sequence[ChosenImage]) -> list[dict[str, Any]]:
    """Return how many chosen images each rule names a suspect in, and what those add."""
    images: Counter[str] = Counter()
    expected: dict[str, float] = {}
    for each in chosen:
        images.update(hit.name for hit in each.rules)
        for suspect, added in each.suspects:
            rule = suspect.suspect.rule
            expected[rule] = expected.get(rule, 0.0) + added
    names = sorted(images, key=lambda name: (-expected.get(name, 0.0), -images[name], name))
    return [
        {
            "rule": name,
            "chosen": images[name],
            "expected_failures": round(expected.get(name, 0.0), _DIGITS),
        }
        for name in names
    ]


def _image(each: ChosenImage) -> dict[str, Any]:
    row = each.row
    return {
        "order": each.order,
        "id": row.id,
        "key": row.key,
        "camera": row.camera,
        "frame": row.frame,
        "width": row.width,
        "height": row.height,
        "sha256": row.sha256 or None,
        "digest": row.digest or None,
        "is_capture": each.is_capture,
        "is_degraded": row.is_degraded,
        "value": round(each.value, _DIGITS),
        "unseen": round(each.unseen, _DIGITS),
        "label": each.label or None,
        "rules": rule_facts(each.rules),
        "suspects": [_suspect(one, added) for one, added in each.suspects],
    }


def _suspect(each: ChosenSuspect, added: float) -> dict[str, Any]:
    suspect = each.suspect
    return {
        "rule": suspect.rule,
        "label": suspect.label,
        "side": suspect.side,
        "box": None if suspect.box is None else [round(side, _DIGITS) for side in suspect.box],
        "track": suspect.track,
        "p": round(each.p, _DIGITS),
        "prior": round(suspect.p, _DIGITS),
        "added": round(added, _DIGITS),
        "reason": suspect.reason,
    }


def _source(summary: SourceSummary) -> dict[str, Any]:
    return {
        "source": summary.source,
        "items": {kind.value: count for kind, count in sorted(summary.items.items()) if count},
        "passed_over": summary.passed_over_by_count(),
        "repeated": summary.repeated,
        "without_record": summary.without_record,
        "problem_count": summary.problem_count,
        "problems": list(summary.problems),
    }
