"""Affirmations of the settings: how many a day, and what draws and makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.runtime.affirmation import MOST_CANDIDATES, AffirmationParts, Affirmations
from agent.runtime.followed import CaptureState
from agent.selection.budget.ledger import DAY_S, unobjected_per_day
from agent.selection.shown_sample import ShownSample, slot_seconds
from agent.system import boot_id, new_id

if TYPE_CHECKING:
    from agent.domain import Capture
    from agent.logs import Log
    from agent.ports import Clock
    from agent.runtime.asked_captures import CaptureParts
    from agent.runtime.facts import FactWriter
    from agent.runtime.recent_frame import RecentFrame
    from agent.runtime.stats import Stats
    from agent.settings.declarations import Settings

_ROOM = 0.5  # of the candidates in memory, on average: instants in random slots come close together
_LOST = frozenset({CaptureState.REJECTED, CaptureState.EVICTED, CaptureState.REFUSED})


def affirmations_per_day(settings: Settings) -> float:
    """Return how many shown predictions are drawn a day: no more than can be kept and sent.

    Drawing fewer keeps the inclusion probabilities right; dropping some of the drawn would not.
    """
    if settings.api is None:
        return 0.0
    return min(settings.affirm_per_day, _can_be_sent(settings), _fit_in_memory(settings))


def affirmation_warning(settings: Settings) -> str | None:
    """Return why fewer are drawn than `AGENT_AFFIRM_PER_DAY` says, with the fix; None if not."""
    wanted, drawn = settings.affirm_per_day, affirmations_per_day(settings)
    if drawn >= wanted:
        return None
    what = f"AGENT_AFFIRM_PER_DAY={wanted:g}: {drawn:g} a day are drawn"
    if settings.api is None:
        return f"{what}: without AGENT_API nobody tells what was shown; set it"
    if drawn == _can_be_sent(settings):
        return (
            f"{what}: they cost a credit each, and AGENT_BUDGET_PER_DAY={settings.budget_per_day:g}"
            f" pays for no more, half of the tenth that verdicts may have; lower the one, or set "
            f"the other to {_budget_for(wanted):g}"
        )
    return (
        f"{what}: with AGENT_AFFIRM_AFTER={settings.affirm_after:g}s no more fit in memory; lower "
        "either"
    )


def affirmations(
    settings: Settings,
    parts: CaptureParts,
    facts: FactWriter,
    *,
    stats: Stats,
    clock: Clock,
    log: Log,
) -> Affirmations:
    """Make what hears of shown predictions; it draws none where the settings say so."""

    def want(entry: RecentFrame, capture: Capture) -> None:
        parts.past.want(entry, capture)
        parts.known.note(capture)

    def is_kept(capture_id: str) -> bool:
        outcome = stats.followed.latest(capture_id)
        if outcome is not None:
            return outcome.state not in _LOST
        return parts.spool.waits(capture_id) is not None

    per_day = affirmations_per_day(settings)
    sample = None
    if per_day > 0:
        interval = slot_seconds(per_day, len(settings.cameras))
        sample = ShownSample(interval, settings.device_id, boot_id(), clock.monotonic())
    made = AffirmationParts(parts.recent, want, facts.keep, is_kept, new_id)
    return Affirmations(
        made, sample, after=settings.affirm_after, stats=stats, clock=clock, log=log
    )


def _can_be_sent(settings: Settings) -> float:
    return unobjected_per_day(settings.budget_per_day)


def _fit_in_memory(settings: Settings) -> float:
    return MOST_CANDIDATES * _ROOM * DAY_S / settings.affirm_after


def _budget_for(per_day: float) -> float:
    """Return the least budget, in whole tens of credits, that pays for so many a day."""
    budget = 10.0
    while unobjected_per_day(budget) < per_day:
        budget += 10.0
    return budget
