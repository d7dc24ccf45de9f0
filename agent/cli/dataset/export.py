"""`capture-agent dataset export`: a version of a dataset to train with."""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.cli import console
from agent.cli.dataset.source import takes_buckets
from agent.dataset.export.options import ExportFormat, SourceOfTest


@console.errors_shown
@takes_buckets
def export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Dataset folder.")],
    out: Annotated[Path, typer.Option("--out", help="New folder.")],
    form: Annotated[
        ExportFormat, typer.Option("--format", help="Form of the labels.")
    ] = ExportFormat.YOLO,
    task: Annotated[
        str | None,
        typer.Option(help="Which captures, if the folder has several tasks, such as segment."),
    ] = None,
    origin: Annotated[
        str,
        typer.Option(
            help="Whose labels train and val have. test has all reviewed random captures."
        ),
    ] = "reviewed,corrected,model,auto,synthetic",
    block: Annotated[
        str, typer.Option(help="Length of the blocks of time that train and val are made of.")
    ] = "10m",
    gap: Annotated[
        str, typer.Option(help="Training frames nearer to a val or test frame are left out.")
    ] = "1m",
    val: Annotated[float, typer.Option(help="Share of val, 0 to below 1.")] = 0.2,
    test: Annotated[
        SourceOfTest,
        typer.Option(help="random: the reviewed random captures, and only they; none: no test."),
    ] = SourceOfTest.RANDOM,
    as_json: Annotated[bool, typer.Option("--json", help="Print dataset.json.")] = False,
) -> None:
    """Write a version of a dataset to train with: split by camera and time, in other tools' form.

    Example: capture-agent dataset export captures --format yolo --out version-1

    The same content has the same version, wherever it is exported. A folder is never changed: for
    another version choose a new one. Prints how much of val and test has a training frame of the
    same camera near in time.
    """
    from agent.cli.dataset.export_report import show
    from agent.cli.dataset.progress import progress_bar
    from agent.dataset.export.export import export_dataset, terms_of
    from agent.dataset.export.write import summary_of
    from agent.dataset.images import told
    from agent.errors import ConfigurationError, TemporaryError
    from agent.printable import printable

    terms, origins = terms_of(block=block, gap=gap, val=val, test=test, origin=origin)
    try:
        with progress_bar("exporting") as progress:
            contents, is_new = export_dataset(
                directory, out, form, task=task, terms=terms, origins=origins, progress=progress
            )
    except OSError as error:
        raise TemporaryError(
            f"cannot export to {printable(out)}: {printable(error.strerror or error)}; make room, "
            "and call it again: it starts from the beginning"
        ) from error
    if as_json:
        print(json.dumps(summary_of(contents, form)))
    else:
        show(contents, out, is_new=is_new)
    if contents.damaged:
        raise ConfigurationError(
            told(contents.damaged, f"{len(contents.damaged)} captures were left out:")
        )
