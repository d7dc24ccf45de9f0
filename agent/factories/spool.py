"""The spool of the settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import SpoolUnavailable
from agent.factories.selection import auto_ledger_of, ledger_of
from agent.selection.budget.ledger import ClockReading
from agent.system import boot_id

if TYPE_CHECKING:
    from agent.logs import Log
    from agent.ports import Clock, SendOrder
    from agent.selection.cover import Cover
    from agent.settings.declarations import Settings
    from agent.spool.reconciliation import Progress
    from agent.spool.spool import Spool
    from agent.spool.types import SpoolLimits


def spool_limits(settings: Settings) -> SpoolLimits:
    """What the spool may occupy."""
    from agent.spool.types import SpoolLimits

    return SpoolLimits(int(settings.spool_max), int(settings.spool_min_free))


def spool_of(
    settings: Settings,
    *,
    clock: Clock,
    log: Log,
    progress: Progress = lambda _read, _of: None,
    within_budget: bool = True,
    cover: Cover | None = None,
    shown: Cover | None = None,
    exchange: Path | None = None,
    evicts: bool = True,
) -> AbstractContextManager[Spool]:
    """The spool that the settings name; `progress` and what it raises are those of `open_spool`.

    `within_budget`: captures leave it only as the labelling budget allows. Commands that copy or
    repair open it without. `cover` is filled with what is and was purchased, `shown` with what auto
    labels show. `exchange` is given by the daemon alone: the folder where it publishes its state.
    """
    from agent.spool.recovery import open_spool

    return open_spool(
        settings.spool_dir,
        spool_limits(settings),
        clock=clock,
        log=log,
        order=_send_order(settings, clock=clock, log=log, cover=cover, shown=shown)
        if within_budget
        else None,
        progress=progress,
        exchange=exchange,
        evicts=evicts,
    )


@contextlib.contextmanager
def readable_spool_of(
    settings: Settings, *, clock: Clock, log: Log, within_budget: bool = True, evicts: bool = True
) -> Iterator[tuple[Spool, str | None]]:
    """`spool_of`; where the disk refuses writes, its captures, all changes in memory only.

    Yields the spool, and None or why nothing can be changed on disk. Raises as `open_spool` does.
    """
    from agent.spool.read_only import read_spool

    with contextlib.ExitStack() as opened:
        try:
            writable = spool_of(
                settings, clock=clock, log=log, within_budget=within_budget, evicts=evicts
            )
            spool, refusal = opened.enter_context(writable), None
        except SpoolUnavailable as error:
            read_only = read_spool(
                settings.spool_dir,
                spool_limits(settings),
                clock=clock,
                log=log,
                order=_send_order(settings, clock=clock, log=log) if within_budget else None,
            )
            spool, refusal = opened.enter_context(read_only), str(error)
        yield spool, refusal


def _send_order(
    settings: Settings,
    *,
    clock: Clock,
    log: Log,
    cover: Cover | None = None,
    shown: Cover | None = None,
) -> SendOrder:
    """What is sent within the budgets, of labels and of auto labels."""
    from agent.selection.budget.auto_order import AutoOrder
    from agent.selection.budget.purchase import BudgetedOrder
    from agent.selection.budget.send_order import ValueOrder
    from agent.selection.cover import Cover

    boot = boot_id()

    def now() -> ClockReading:
        return ClockReading(clock.monotonic(), clock.wall(), boot)

    def unreadable(note: str) -> None:
        log.warning("note unreadable", note=note)

    ledger = ledger_of(settings)
    others: SendOrder = ValueOrder()
    if ledger is not None:
        others = BudgetedOrder(ledger, now, cover or Cover(), settings.min_value, unreadable)
    return AutoOrder(others, auto_ledger_of(settings), now, shown or Cover(), unreadable)
