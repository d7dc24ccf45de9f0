"""`capture-agent dataset merge`: one dataset folder out of several."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent.cli import console
from agent.cli.dataset.source import takes_buckets


@console.errors_shown
@takes_buckets
def merge(
    sources: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Dataset folders.")],
    out: Annotated[Path, typer.Option("--out", help="New folder, or a dataset folder to extend.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Merge dataset folders: captures, clips, verdicts and corrected labels.

    Example: capture-agent dataset merge gate door --out all

    A capture that is in several of them is taken once. Classes keep their names, and get the
    numbers of the first folder. A merge that was interrupted is completed by calling it again.
    """
    from agent.cli.dataset.progress import progress_bar
    from agent.dataset.images import told
    from agent.dataset.merge import merge as merge_folders
    from agent.errors import ConfigurationError, DamagedDataset, TemporaryError
    from agent.files import Disk
    from agent.printable import printable

    disk = Disk(inside=out.absolute(), is_shared=True)
    try:
        with progress_bar("merging") as progress:
            merged = merge_folders(sources, out, disk, progress=progress)
    except DamagedDataset as error:
        raise ConfigurationError(str(error)) from error
    except OSError as error:
        raise TemporaryError(
            f"cannot merge into {printable(out)}: {printable(error.strerror or error)}; call it "
            "again: what is there is not copied twice"
        ) from error
    if as_json:
        print(
            json.dumps(
                {
                    "out": str(out),
                    "captures_added": merged.added,
                    "captures_known": merged.known,
                    "lines_added": merged.lines,
                    "renumbered": merged.renumbered,
                    "notes": merged.notes,
                    "problems": merged.problems,
                }
            )
        )
    else:
        print(
            f"merged into {printable(out)}: {merged.added} captures are new, {merged.known} were "
            f"there already; {merged.lines} lines of verdicts are new"
        )
        for source, changed in merged.renumbered.items():
            if changed:
                numbers = (f"{printable(name)} {a} -> {b}" for name, (a, b) in changed.items())
                print(f"class numbers of {printable(source)} changed: {', '.join(numbers)}")
    for note in merged.notes:
        print(f"capture-agent: warning: {note}", file=sys.stderr)
    if merged.problems:
        raise ConfigurationError(
            told(merged.problems, f"{len(merged.problems)} things were not merged:")
        )
