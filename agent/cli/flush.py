"""`capture-agent flush`."""

import contextlib
import sys

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agent.cli import console
from agent.errors import ConfigurationError, SpoolUnavailable, TemporaryError
from agent.redaction import redact
from agent.system import SystemClock


def flush() -> None:
    """Deliver what waits, and exit: 0 when all is delivered, 75 when something still waits.

    Example: AGENT_UPLOAD_URL=https://example.org/captures capture-agent flush

    Refuses while a daemon owns the spool: that one delivers already.
    """
    from agent.factories.delivery import drain_of, upload_target
    from agent.factories.spool import readable_spool_of
    from agent.spool.types import MoveReason

    settings = console.settings(needs_target=True)
    clock = SystemClock()
    target = upload_target(settings, clock=clock)
    if target is None:
        raise ConfigurationError("AGENT_UPLOAD_URL: required; without it captures stay on disk")
    log = console.log_of(settings, level="critical")  # what matters is said at the end, once
    with readable_spool_of(settings, clock=clock, log=log) as (spool, refusal):
        drain = drain_of(settings, spool, target, clock=clock, log=log)
        total = spool.waiting()
        damaged = spool.counts().get(MoveReason.DAMAGED, 0)
        screen = Console(stderr=True)
        with Progress(
            TextColumn("delivering"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=screen,
            transient=True,
            disable=not screen.is_terminal,
        ) as progress:
            task = progress.add_task("", total=total)
            drain.run(lambda: progress.update(task, completed=total - spool.waiting()))
        if refusal is None:
            with contextlib.suppress(SpoolUnavailable):
                spool.keep_notes({})  # with the ledger: credits accrue from the first flush on
        left = spool.waiting()
        damaged = spool.counts().get(MoveReason.DAMAGED, 0) - damaged
    print(f"delivered {drain.delivered}, waiting {left}, rejected {drain.rejected}")
    if drain.rejected:
        _say(f"{drain.rejected} captures were refused, the last one so: {drain.last_rejection}")
    if damaged:
        _say(f"{damaged} captures were damaged on disk and are now in damaged/ of the spool")
    if refusal is not None:
        _say(f"{refusal} Until then each flush sends the same captures; the endpoint has them once")
    if drain.failed:
        raise typer.Exit(1)
    if left:
        raise TemporaryError(f"cannot deliver {left} captures: {drain.reason}")


def _say(text: str) -> None:
    print(f"capture-agent: {redact(text)}", file=sys.stderr)
