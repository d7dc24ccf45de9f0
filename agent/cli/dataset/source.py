"""The argument of desk commands that names a dataset: a folder, or a bucket that devices fill."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.printable import printable

if TYPE_CHECKING:
    from agent.factories.datasets import LocalDataset

SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="DIR",
        help="Dataset folder with captures, or s3://BUCKET/PREFIX as in AGENT_UPLOAD_URL.",
    ),
]

CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        help="Where copies of buckets are kept. [default: ~/.cache/capture-agent/buckets]",
    ),
]


@contextmanager
def opened_dataset(source: str | Path, cache: Path | None = None) -> Iterator["LocalDataset"]:
    """The dataset that a command names; of a bucket, a copy that is brought up to date first.

    Reviews that were added in the block go to the bucket at its end.
    """
    from agent.cli.dataset.progress import progress_bar
    from agent.factories.datasets import local_dataset

    with progress_bar("fetching") as progress:
        local = local_dataset(source, cache=cache, progress=progress)
    for note in local.notes:
        print(f"{printable(local.name)}: {printable(note)}", file=sys.stderr)
    yield local
    shared = local.share()
    if shared:
        print(f"{printable(local.name)}: added {shared} reviews", file=sys.stderr)
