"""`capture-agent export`: the way out without a network."""

import contextlib
import errno
import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from agent.cli import console
from agent.dataset.clip_files import ClipForm
from agent.dataset.coco import write_coco
from agent.dataset.folder import Dataset
from agent.dataset.records import part_folders, require_none_skipped
from agent.dataset.verdicts import FILE as VERDICTS
from agent.errors import (
    ConfigurationError,
    DamagedDataset,
    SpoolUnavailable,
    TemporaryError,
    UnfitCapture,
)
from agent.factories.datasets import shared_dataset_at
from agent.factories.spool import readable_spool_of, spool_of
from agent.files import Disk
from agent.printable import printable
from agent.record.verdicts import counted, line_text, verdicts_of
from agent.redaction import redact
from agent.spool.spool import Spool
from agent.system import SystemClock


class Format(StrEnum):
    """In which form the labels lie in the folder."""

    YOLO = "yolo"
    """`labels/` and `data.yaml`."""

    COCO = "coco"
    """`annotations.json` beside them."""


def export(
    directory: Annotated[Path, typer.Argument(help="Folder on the stick; made if missing.")],
    acknowledge: Annotated[
        bool,
        typer.Option("--acknowledge", help="Delete each capture here once it is safe there."),
    ] = False,
    clips: Annotated[
        ClipForm, typer.Option(help="What the clip of a capture becomes, in clips/ID.")
    ] = ClipForm.FRAMES,
    labels: Annotated[
        Format,
        typer.Option(
            "--format",
            help="Form of the labels: yolo, or coco, which adds annotations.json for all captures "
            "in the folder.",
        ),
    ] = Format.YOLO,
) -> None:
    """Copy all waiting captures into a dataset folder, on a USB stick for example.

    Example: capture-agent export /media/stick/gate --acknowledge

    Verdicts become lines of verdicts.jsonl, also those that no capture carries.
    Labelling credits are not asked for: a person carries the stick. Stop the daemon first. With
    --acknowledge they count as delivered. A stick that is full or pulled out loses nothing.
    A dying card that is read-only and a full disk can be exported too.
    """
    settings = console.settings()
    if directory.exists() and not directory.is_dir():
        raise ConfigurationError(f"cannot export to {directory}: it is not a folder")
    log = console.log_of(settings, level="error")
    dataset = shared_dataset_at(directory, clips=clips)
    clock = SystemClock()
    reading = readable_spool_of(settings, clock=clock, log=log, within_budget=False, evicts=False)
    with reading as (spool, refusal):
        total = spool.waiting()
        is_final = acknowledge and refusal is None
        said: set[str] = set()
        copied = _copy_all(spool, dataset, said, total=total, acknowledge=is_final)
    if acknowledge and refusal is not None:
        # All are safe there. So those that a full disk needs for its index are not lost.
        try:
            with spool_of(settings, clock=clock, log=log, within_budget=False) as spool:
                _copy_all(spool, dataset, said, total=spool.waiting(), acknowledge=True)
        except SpoolUnavailable as error:
            raise TemporaryError(
                f"cannot delete captures after the export: {error} {copied} of {total} captures "
                f"are in {directory}, and still here too."
            ) from error
    kept = "deleted here" if acknowledge else "kept here too"
    print(f"exported {copied} of {total} captures to {directory}, {kept}")
    if said:
        kinds = counted(json.loads(line)["verdict"] for line in said)
        print(f"verdicts in {printable(directory / VERDICTS)}: {kinds}")
    for part in part_folders(directory):
        print(f"captures of another task are in {printable(part)}")
    skipped: list[str] = []
    if labels is Format.COCO:
        _write_coco(directory, skipped)
    if refusal is not None and not acknowledge:
        print(f"capture-agent: {redact(refusal)}", file=sys.stderr)
    require_none_skipped(skipped)


def _write_coco(directory: Path, skipped: list[str]) -> None:
    disk = Disk(inside=directory.absolute(), is_shared=True)
    try:
        written = write_coco(directory, disk, skipped=skipped)
    except OSError as error:
        raise TemporaryError(
            f"cannot write the COCO annotations to {printable(directory)}: "
            f"{error.strerror or error}; the captures are there. Make room, and call it again."
        ) from error
    for path in written:
        print(f"COCO annotations: {printable(path)}")


def _copy_all(
    spool: Spool, dataset: Dataset, said: set[str], *, total: int, acknowledge: bool
) -> int:
    """Copy until nothing is left; what is only copied stays claimed until the end.

    The lines of the verdicts that were copied are added to `said`.
    """
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
            with _explained(dataset, done=len(copied)):
                dataset.store(capture.record_json, capture.image, capture.clip)
            said.update(map(line_text, verdicts_of(capture.record)))
            if acknowledge:
                spool.acknowledge(capture.id)
            copied.append(capture.id)
            progress.update(task, completed=len(copied))
    facts = spool.free_facts()
    if facts:
        with _explained(dataset, done=len(copied)):
            dataset.add_verdicts(facts)
        said.update(facts)
        if acknowledge:
            spool.acknowledge_facts(facts)
    return len(copied)


@contextlib.contextmanager
def _explained(dataset: Dataset, *, done: int) -> Iterator[None]:
    """Raise errors of the dataset as those of the command."""
    where = f"cannot export to {dataset.directory}"
    try:
        yield
    except UnfitCapture as error:
        raise ConfigurationError(f"{where}: {error}. Choose another folder.") from error
    except DamagedDataset as error:
        raise ConfigurationError(f"{where}: {error}") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ConfigurationError(
                f"{where}: {error.strerror}: {error.filename}. Remove it, or choose another folder."
            ) from error
        raise TemporaryError(
            f"{where}: {error.strerror or error}; {done} captures are there. Make room or put the "
            "stick back, and call it again: nothing is copied twice."
        ) from error
