"""`capture-agent status`."""

import contextlib
import json
import sys
import threading
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from agent.cli import console
from agent.cli.as_service import hint
from agent.cli.status_table import table_of
from agent.errors import TemporaryError
from agent.factories import ledger_of
from agent.selection.budget.ledger import ClockReading
from agent.settings.declarations import Settings
from agent.spool.status import SpoolStatus, read_status
from agent.system import SystemClock, boot_id

WATCH_S = 2.0


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every 2 s, until Ctrl-C.")
    ] = False,
) -> None:
    """Show what waits, what was delivered and what was lost; does not disturb a running daemon.

    Example: capture-agent status --watch

    The JSON object is described in docs/operating.md; with --watch it is one object a line.
    """
    settings = console.settings()
    elsewhere = hint("status")
    if elsewhere:
        print(f"capture-agent: {elsewhere}", file=sys.stderr)
    with contextlib.suppress(KeyboardInterrupt):
        _show(settings, as_json=as_json, watch=watch)


def _show(settings: Settings, *, as_json: bool, watch: bool) -> None:
    pause = threading.Event()  # nobody sets it: Ctrl-C ends the wait
    if as_json:
        print(json.dumps(_facts(_look(settings), settings)), flush=True)
        while watch:
            pause.wait(WATCH_S)
            print(json.dumps(_facts(_look(settings), settings)), flush=True)
        return
    screen = Console(highlight=False)
    if not watch:
        screen.print(look(settings))
        return
    with Live(look(settings), console=screen, auto_refresh=False) as live:
        while True:
            pause.wait(WATCH_S)
            live.update(look(settings), refresh=True)


def look(settings: Settings) -> Table:
    """What a person sees now; raises `TemporaryError` where the spool cannot be read."""
    return table_of(_facts(_look(settings), settings), SystemClock().wall())


def _look(settings: Settings) -> SpoolStatus:
    now = SystemClock().wall()
    try:
        return read_status(settings.spool_dir, now=now)
    except OSError as error:
        raise TemporaryError(f"cannot read the spool {settings.spool_dir}: {error}") from error


def _facts(spool: SpoolStatus, settings: Settings) -> dict[str, Any]:
    return {
        "spool_dir": str(settings.spool_dir),
        "daemon_pid": spool.owner,
        "waiting": spool.waiting,
        "waiting_bytes": spool.waiting_bytes,
        "in_flight": spool.in_flight,
        "oldest_waiting": _iso(spool.oldest_waiting),
        "stored": spool.stored,
        "delivered": spool.delivered,
        "rejected": spool.rejected,
        "damaged": spool.damaged,
        "evicted": spool.evicted,
        "evicted_by_reason": spool.evicted_by_reason,
        "last_delivered": _iso(spool.last_delivered),
        "last_error": spool.last_error,
        "upload": spool.upload,
        "best_value": spool.best_value,
        "model": spool.model,
        "model_error": spool.model_error,
        "budget_per_day": settings.budget_per_day,
        "credits_left": _credits_left(spool, settings),
        "occupied_bytes": spool.occupied,
        "max_bytes": int(settings.spool_max),
        "hours_until_full": _hours_until_full(spool, int(settings.spool_max)),
    }


def _credits_left(spool: SpoolStatus, settings: Settings) -> float:
    """Credits that could be spent now; -1 where there is no budget."""
    ledger = ledger_of(settings, spool.ledger)
    if ledger is None:
        return -1
    clock = SystemClock()
    ledger.accrue(ClockReading(clock.monotonic(), clock.wall(), boot_id()))
    return round(ledger.left, 2)


def _hours_until_full(spool: SpoolStatus, max_bytes: int) -> float | None:
    """At the rate at which captures of the last hour still wait; None when none do."""
    if spool.recent_bytes_per_hour <= 0:
        return None
    return round(max(0, max_bytes - spool.occupied) / spool.recent_bytes_per_hour, 2)


def _iso(wall: float | None) -> str | None:
    return None if wall is None else datetime.fromtimestamp(wall, UTC).isoformat(timespec="seconds")
