"""`capture-agent status`."""

import contextlib
import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from agent.cli import console
from agent.cli.as_service import hint
from agent.cli.daemon import daemon_of, pause
from agent.cli.status_table import table_of
from agent.factories.status_facts import exit_code, facts_of, spool_status
from agent.settings.declarations import Settings
from agent.system import SystemClock

WATCH_S = 2.0


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every 2 s, until Ctrl-C.")
    ] = False,
) -> None:
    """Show the cameras, what waits, was delivered and was lost; does not disturb a running daemon.

    Example: capture-agent status --watch

    Exit codes: 0 all is well, 1 a person is needed (the rows "needs you" say why), 3 no daemon
    runs, 75 the spool cannot be read. The JSON object is described in docs/operating.md; with
    --watch it is one object a line.
    """
    settings = console.settings()
    elsewhere = hint("status")
    if elsewhere:
        print(f"capture-agent: {elsewhere}", file=sys.stderr)
    if not watch:
        facts = _facts(settings)
        if as_json:
            print(json.dumps(facts))
        else:
            Console(highlight=False).print(_table(facts))
        raise typer.Exit(exit_code(facts))
    with contextlib.suppress(KeyboardInterrupt):
        _watch(settings, as_json=as_json)


def look(settings: Settings) -> Table:
    """What a person sees now; raises `TemporaryError` where the spool cannot be read."""
    return _table(_facts(settings))


def _watch(settings: Settings, *, as_json: bool) -> None:
    if as_json:
        while True:
            print(json.dumps(_facts(settings)), flush=True)
            pause(WATCH_S)
    with Live(look(settings), console=Console(highlight=False), auto_refresh=False) as live:
        while True:
            pause(WATCH_S)
            live.update(look(settings), refresh=True)


def _table(facts: dict[str, Any]) -> Table:
    return table_of(facts, SystemClock().wall())


def _facts(settings: Settings) -> dict[str, Any]:
    clock = SystemClock()
    spool = spool_status(settings, clock)
    return facts_of(spool, daemon_of(settings.spool_dir, clock), settings)
