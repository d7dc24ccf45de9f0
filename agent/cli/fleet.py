"""`capture-agent fleet`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import console
from agent.cli.stopped_limit import STOPPED_MAX, stopped_limit
from agent.errors import ConfigurationError
from agent.printable import printable

if TYPE_CHECKING:
    from agent.fleet.fleet import Fleet

_PROBLEMS_SHOWN = 5


def fleet(
    source: Annotated[
        str,
        typer.Argument(
            metavar="DIR",
            help="Folder of `receive --dir`, or dir:FOLDER or s3://BUCKET/PREFIX as in "
            "AGENT_UPLOAD_URL.",
        ),
    ],
    show_all: Annotated[
        bool, typer.Option("--all", help="Also list the devices that are well.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    page: Annotated[
        Path | None, typer.Option("--report", help="Also write one HTML page to look at.")
    ] = None,
    stopped_max: Annotated[
        str,
        typer.Option(
            metavar="DURATION",
            help="How long a device may be stopped until it needs somebody, or off.",
        ),
    ] = STOPPED_MAX,
    forget: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="Only delete the heartbeat of this device, which is no longer in use; repeatable.",
        ),
    ] = None,
) -> None:
    """Show all devices by their heartbeats: who needs somebody first, and what to do.

    Example: capture-agent fleet dataset --report fleet.html

    Heartbeats are sent with AGENT_HEARTBEAT. A device is silent when none came for two and a half
    of its periods. Exit codes: 0 all is well, 1 somebody is needed, 75 the bucket does not answer.
    The JSON object is described in docs/fleet.md.

    A device that is no longer in use: capture-agent fleet dataset --forget gate-3
    """
    from agent.cli.dataset.progress import progress_bar
    from agent.factories.fleet import fleet_reports
    from agent.fleet.fleet import fleet_of
    from agent.system import SystemClock

    longest = stopped_limit(stopped_max)
    if forget:
        if show_all or as_json or page is not None:
            raise ConfigurationError("cannot use --forget with --all, --json or --report")
        _forget(source, forget)
        return
    console.require_writable(page, "--report")
    console.require_replaceable(page, "--report", console.HTML)
    with progress_bar("reading") as progress:
        reports = fleet_reports(source, progress)
    found = fleet_of(reports, SystemClock().wall(), stopped_max=longest)
    if page is not None:
        _write_page(page, found, source)
    if as_json:
        from agent.fleet.facts import facts_of

        print(json.dumps(facts_of(found), ensure_ascii=False))
    else:
        _show(found, show_all=show_all)
    _name_problems(found)
    raise typer.Exit(0 if found.is_well else 1)


def _forget(source: str, devices: Sequence[str]) -> None:
    from agent.factories.fleet import forget_device

    for device in devices:
        forget_device(source, device)
        name = printable(device)
        print(
            f"forgot {name}: its heartbeat is deleted, its captures stay; a next one shows it again"
        )


def _show(found: "Fleet", *, show_all: bool) -> None:
    from rich.console import Console

    from agent.cli.fleet_table import lines_of

    screen = Console(highlight=False, emoji=False)
    for line in lines_of(found, show_all=show_all):
        screen.print(line)


def _name_problems(found: "Fleet") -> None:
    """Name what could not be read; a program that reads the output has it there too."""
    for problem in found.problems[:_PROBLEMS_SHOWN]:
        name, why = printable(problem.name), printable(problem.why)
        print(f"capture-agent: cannot show devices/{name}: {why}", file=sys.stderr)
    more = len(found.problems) - _PROBLEMS_SHOWN
    if more > 0:
        print(f"capture-agent: cannot show {more:,} more files of devices/", file=sys.stderr)


def _write_page(page: Path, found: "Fleet", source: str) -> None:
    from agent.files import Disk
    from agent.fleet.page import page_of
    from agent.redaction import redact

    try:
        Disk().write(page.absolute(), page_of(found, redact(source)).encode("utf-8", "replace"))
    except OSError as error:
        raise ConfigurationError(
            f"cannot write --report {printable(page)}: {error.strerror}"
        ) from error
