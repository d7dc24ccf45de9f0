"""`capture-agent rejected`: what the endpoint refused, and what to do with it."""

import contextlib
import json
from collections.abc import Iterator
from typing import Annotated

import typer

from agent.cli import CommandGroup, console
from agent.errors import DamagedRecord
from agent.factories.spool import spool_of
from agent.files import Disk
from agent.printable import printable
from agent.record import file_format as record
from agent.record.file_format import LARGEST_BYTES, file_name
from agent.record.seen import said_words
from agent.spool.layout import SpoolPaths
from agent.spool.rejected import drop_rejected, list_rejected, retry_rejected
from agent.spool.spool import Spool
from agent.system import SystemClock

app = typer.Typer(
    cls=CommandGroup,
    help="List, retry or drop captures that the endpoint refused.",
    add_completion=False,
    rich_markup_mode=None,
)

_Ids = Annotated[list[str] | None, typer.Argument(help="Ids of captures; all when none is given.")]


@app.command("list")
@console.errors_shown
def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what was refused; works while the daemon runs.

    Example: capture-agent rejected list
    """
    paths = SpoolPaths(console.settings().spool_dir)
    disk = Disk()
    rows: list[dict[str, object]] = []
    for entry in list_rejected(disk, paths):
        try:
            data, _ = disk.beginning(paths.rejected / file_name(entry), LARGEST_BYTES + 1)
            made = record.decode_as(entry, data).record
        except (DamagedRecord, OSError) as error:
            rows.append({"id": entry.id, "error": str(error)})
            continue
        rows.append(
            {
                "id": entry.id,
                "camera": made["camera"],
                "captured_at": made["captured_at"],
                "lane": made["lane"],
                "bytes": entry.size,
                **({"said": said_words(made)} if said_words(made) else {}),
            }
        )
    if as_json:
        print(json.dumps({"rejected": rows}))
        return
    for row in rows:
        print("  ".join(printable(value) for value in row.values()))
    print(f"{len(rows)} rejected captures in {paths.rejected}")


@app.command()
@console.errors_shown
def retry(ids: _Ids = None) -> None:
    """Let refused captures wait for delivery again. Stop the daemon first.

    Example: capture-agent rejected retry
    """
    with _spool() as (spool, disk, paths):
        done = retry_rejected(spool, disk, paths, ids)
    print(f"{done} captures wait again")


@app.command()
@console.errors_shown
def drop(ids: _Ids = None) -> None:
    """Delete refused captures for good. Stop the daemon first.

    Example: capture-agent rejected drop 01a20630-1e8b-7687-b997-38825ba09eae
    """
    with _spool() as (_, disk, paths):
        done = drop_rejected(disk, paths, ids)
    print(f"{done} captures deleted")


@contextlib.contextmanager
def _spool() -> Iterator[tuple[Spool, Disk, SpoolPaths]]:
    settings = console.settings()
    log = console.log_of(settings, level="error")
    with spool_of(settings, clock=SystemClock(), log=log, within_budget=False) as spool:
        yield spool, Disk(), SpoolPaths(settings.spool_dir)
