"""Makes the content of `report.json`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from agent import __version__
from agent.domain import Lane, ModelInfo
from agent.replay.recording import RecordingResult, counted
from agent.selection.budget.ledger import DAY_S
from agent.selection.plan import SelectionPlan

SCHEMA = 1
_MB = 1e6


def report_of(
    results: Sequence[RecordingResult],
    *,
    plan: SelectionPlan,
    model: ModelInfo,
    fps: float,
    feedback: str | None = None,
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the report, with what is probably set wrongly; it has no speed, date or folder.

    `feedback`: sha256 of the feedback file, None without one.

    The same recordings and settings therefore give the same report.
    """
    captures = [capture for result in results for capture in result.chosen]
    by_rule, by_lane = counted(captures)
    days = _days(results, plan)
    return {
        "schema": SCHEMA,
        "agent": __version__,
        "model": {"name": model.name, "sha256": model.sha256, "task": model.task},
        "settings": {
            "fps": fps,
            "budget": plan.per_day,
            "random_share": plan.random_share,
            "threshold": plan.thresholds.default,
            "thresholds": dict(plan.thresholds.labels),
            "floor": plan.thresholds.floor,
            "rules": list(plan.rules),
            "rule_options": {name: dict(options) for name, options in plan.rule_options.items()},
            "min_value": plan.min_value,
            "random_interval": _random_interval(plan),
            "every_nth": plan.every_nth,
            "redact": list(plan.redact),
            "auto_per_day": plan.auto_per_day,
            "auto_precision": plan.auto_precision,
            "seed": plan.seed,
            "feedback": feedback,
        },
        "sources": [_source(result, plan) for result in results],
        "frames_analysed": sum(result.frames for result in results),
        "captures_by_rule": by_rule,
        "captures_by_lane": by_lane,
        "captures_per_day": round(len(captures) / days, 1),
        "mb_per_day": round(sum(o.chosen_bytes for o in results) / _MB / days, 3),
        "stored_mb_per_day": round(sum(o.held_bytes for o in results) / _MB / days, 3),
        "confidences": _confidences(results),
        "warnings": list(warnings),
        "captures": captures,
        "explained": [asdict(e) for result in results for e in result.explanations],
    }


def _random_interval(plan: SelectionPlan) -> float | str:
    """Return the seconds between random captures, `auto` or `off`, as the setting has them."""
    if not plan.is_random:
        return "off"
    return "auto" if plan.random_interval is None else plan.random_interval


def _source(result: RecordingResult, plan: SelectionPlan) -> dict[str, Any]:
    chosen = len(result.chosen)
    paid = sum(capture["lane"] != Lane.AUTO for capture in result.chosen)
    return {
        "source": result.source,
        "frames": result.length.frames,
        "seconds": round(result.length.seconds, 3),
        "frames_analysed": result.frames,
        "unreadable": result.unreadable,
        "why_unreadable": result.why_unreadable,
        "passed_over": result.passed_over,
        "sizes": dict(result.sizes.most_common()),
        "held": result.held,
        "chosen": chosen,
        "budget_used": round(paid / plan.per_day, 4) if plan.per_day else None,
    }


def _days(results: Sequence[RecordingResult], plan: SelectionPlan) -> float:
    """Return how many days of one camera the recordings represent: with a budget, one each."""
    if plan.per_day:
        return max(1.0, float(len(results)))
    return sum(result.length.seconds for result in results) / DAY_S or 1.0


def _confidences(results: Sequence[RecordingResult]) -> dict[str, list[int]]:
    """Return the histograms of all analysed frames, the most frequent label first."""
    totals: dict[str, list[int]] = {}
    for result in results:
        for label, counts in result.confidences.items():
            before = totals.get(label, [0] * len(counts))
            totals[label] = [a + b for a, b in zip(before, counts, strict=True)]
    return dict(sorted(totals.items(), key=lambda item: (-sum(item[1]), item[0])))
