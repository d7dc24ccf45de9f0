"""The argument of desk commands that names a dataset: a folder, or a bucket that devices fill."""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from agent.printable import printable

if TYPE_CHECKING:
    from agent.factories.datasets import LocalDataset

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


def takes_buckets(command: Callable[..., None]) -> Callable[..., None]:
    """The command, whose first argument may be `s3://BUCKET/PREFIX` instead of a dataset folder.

    It is given the folder of the copy, and has one more option, `--cache`. An argument that is a
    list of folders may name buckets too.
    """
    signature = inspect.signature(command)
    name, parameter = next(iter(signature.parameters.items()))
    kind, argument = get_args(parameter.annotation)
    is_list = kind == list[Path]
    argument = copy(argument)
    argument.help = f"{argument.help.rstrip('.')}, or s3://BUCKET/PREFIX as in AGENT_UPLOAD_URL."
    argument_type: Any = list[str] if is_list else str
    changed = {
        **signature.parameters,
        name: parameter.replace(annotation=Annotated[argument_type, argument]),
        "cache": inspect.Parameter(
            "cache", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=CacheOption
        ),
    }

    @functools.wraps(command)
    def wrapped(*, cache: Path | None = None, **given: Any) -> None:
        with ExitStack() as stack:
            sources = given[name] if is_list else [given[name]]
            folders = [_folder(stack, source, cache) for source in sources]
            command(**{**given, name: folders if is_list else folders[0]})

    vars(wrapped)["__signature__"] = signature.replace(parameters=list(changed.values()))
    wrapped.__annotations__ = {each.name: each.annotation for each in changed.values()}
    return wrapped


def _folder(stack: ExitStack, source: str, cache: Path | None) -> Path:
    """Return a folder as it was written, or that of the copy of a bucket."""
    from agent.dataset.bucket_address import is_bucket

    if not is_bucket(source):
        return Path(source)
    return stack.enter_context(opened_dataset(source, cache)).directory
