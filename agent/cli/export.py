"""`capture-agent export`: the way out without a network."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from agent.cli import console
from agent.dataset.folder import Dataset
from agent.domain import StoredCapture
from agent.errors import ConfigurationError, DamagedDataset, TemporaryError, UnfitCapture
from agent.factories import dataset_at, spool_of
from agent.spool.spool import Spool
from agent.system import SystemClock


def export(
    directory: Annotated[Path, typer.Argument(help="Folder on the stick; made if missing.")],
    acknowledge: Annotated[
        bool,
        typer.Option("--acknowledge", help="Delete each capture here once it is safe there."),
    ] = False,
) -> None:
    """Copy all waiting captures into a dataset folder, on a USB stick for example.

    Example: capture-agent export /media/stick/gate --acknowledge

    Labelling credits are not asked for: a person carries the stick. Stop the daemon first. With
    --acknowledge they count as delivered. A stick that is full or pulled out loses nothing.
    """
    settings = console.settings()
    if directory.exists() and not directory.is_dir():
        raise ConfigurationError(f"cannot export to {directory}: it is not a folder")
    log = console.log_of(settings, level="error")
    dataset = dataset_at(directory)
    with spool_of(settings, clock=SystemClock(), log=log, within_budget=False) as spool:
        total = spool.waiting()
        copied = _copy_all(spool, dataset, total=total, acknowledge=acknowledge)
    kept = "deleted here" if acknowledge else "kept here too"
    print(f"exported {copied} of {total} captures to {directory}, {kept}")


def _copy_all(spool: Spool, dataset: Dataset, *, total: int, acknowledge: bool) -> int:
    """Copy until nothing is left; what is only copied stays claimed until the end."""
    copied: list[str] = []
    screen = Console(stderr=True)
    with Progress(
        TextColumn("exporting"),
        BarColumn(),
        MofNCompleteColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    ) as progress:
        task = progress.add_task("", total=total)
        while (capture := spool.claim()) is not None:
            _copy(capture, dataset, done=len(copied))
            if acknowledge:
                spool.acknowledge(capture.id)
            copied.append(capture.id)
            progress.update(task, completed=len(copied))
    return len(copied)


def _copy(capture: StoredCapture, dataset: Dataset, *, done: int) -> None:
    where = f"cannot export to {dataset.directory}"
    try:
        dataset.store(capture.record_json, capture.image)
    except UnfitCapture as error:
        raise ConfigurationError(f"{where}: {error}. Choose another folder.") from error
    except DamagedDataset as error:
        raise ConfigurationError(f"{where}: {error}") from error
    except OSError as error:
        raise TemporaryError(
            f"{where}: {error.strerror or error}; {done} captures are there. Make room or put the "
            "stick back, and call it again: nothing is copied twice."
        ) from error
