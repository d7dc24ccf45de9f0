"""The selection of the settings: its plan and its budget."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.selection.budget.ledger import Ledger
from agent.selection.plan import SelectionPlan
from agent.selection.rules import supported

if TYPE_CHECKING:
    from agent.domain import Task
    from agent.settings.declarations import Settings


def selection_plan(settings: Settings) -> SelectionPlan:
    """What the settings say of choosing frames."""
    is_fixed = isinstance(settings.random_interval, float)
    return SelectionPlan(
        rules=settings.rules,
        thresholds=settings.all_thresholds,
        seed=settings.device_id,
        random_interval=settings.random_interval if is_fixed else None,  # type: ignore[arg-type]
        is_random=settings.random_interval != "off",
        every_nth=settings.every_nth_frame,
        per_day=settings.budget_per_day,
        random_share=settings.random_share,
        min_value=settings.min_value,
        rule_options=settings.rule_options,
        auto_per_day=settings.auto_per_day,
        auto_precision=settings.auto_precision,
        redact=settings.redact,
    )


def plan_for(settings: Settings, task: Task) -> tuple[SelectionPlan, tuple[str, ...]]:
    """What the settings say for a model of this task, and the rules that cannot judge it."""
    plan = selection_plan(settings)
    rules, disabled = supported(plan.rules, task)
    return replace(plan, rules=rules), disabled


def ledger_of(settings: Settings, text: str | None = None) -> Ledger | None:
    """The ledger of credits, continued from its durable `text`; None where there is no budget.

    A text that is damaged counts as none: no credit has accrued.
    """
    plan = selection_plan(settings)
    if not plan.per_day:
        return None
    share = plan.reserved_share(len(settings.cameras))
    if text is not None:
        with contextlib.suppress(ValueError):
            return Ledger.from_text(text, per_day=plan.per_day, random_share=share)
        return Ledger(plan.per_day, share)
    return Ledger.of_device(plan.per_day, share, settings.device_id)


def auto_ledger_of(settings: Settings, text: str | None = None) -> Ledger:
    """The ledger of the lane `auto`, continued from its durable `text`; it may have no credits."""
    per_day = settings.auto_per_day
    if text is not None:
        with contextlib.suppress(ValueError):
            return Ledger.from_text(text, per_day=per_day, random_share=0.0, for_auto=True)
    return Ledger(per_day, 0.0, for_auto=True)
