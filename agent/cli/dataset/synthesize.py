"""`capture-agent dataset synthesize`: variants of reviewed captures for what a dataset lacks."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.dataset.synthesis.folder import SynthesisReport
    from agent.dataset.synthesis.needs import Need

_SHOWN = 12  # gaps


@console.errors_shown
def synthesize(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Dataset folder.")],
    credits_: Annotated[
        int,
        typer.Option(
            "--credits", min=1, max=100_000, help="Variants that the folder may have in all."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Dataset folder for the variants. [default: DIR]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Another seed draws others.")] = 0,
    most_of_one: Annotated[
        int, typer.Option("--per-parent", min=1, max=1000, help="Variants of one capture at most.")
    ] = 4,
    never_flip: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help="Mirror no image with such an object; repeatable."),
    ] = None,
    flips: Annotated[bool, typer.Option("--flip/--no-flip", help="Mirror images.")] = True,
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="N|LABEL=N", help="Objects wanted, as `dataset health` takes it."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make variants of reviewed captures: other light, smaller, larger, moved, mirrored.

    Example: capture-agent dataset synthesize dataset --credits 200

    `dataset health` says which classes, lights, places and sizes are missing; the largest gap comes
    first. Labels are exact. Variants are for training alone: random captures have none, and no
    command measures with them. They help least of all that you can do: review comes first.
    """
    from contextlib import ExitStack

    from agent import __version__
    from agent.cli.dataset.health import targets_of
    from agent.cli.dataset.progress import progress_bar
    from agent.dataset.health.check import HealthTerms, measured_health
    from agent.dataset.health.gaps import gaps
    from agent.dataset.images import told
    from agent.dataset.synthesis.folder import SynthesisTerms
    from agent.dataset.synthesis.folder import synthesize as make
    from agent.dataset.synthesis.needs import needs_of
    from agent.errors import ConfigurationError, DamagedDataset, TemporaryError
    from agent.files import Disk
    from agent.printable import printable
    from agent.system import SystemClock

    if not (directory / "records").is_dir():
        raise ConfigurationError(
            f"cannot synthesize from {printable(directory)}: it is no dataset folder of captures; "
            "name one that `receive`, `export` or `replay` wrote"
        )
    folder = (out or directory).absolute()
    terms = SynthesisTerms(
        credits_, seed, most_of_one, flips=flips, never_flip=tuple(never_flip or ())
    )
    measured = directory.absolute() / "health"  # what `dataset health` read is not read again
    with ExitStack() as stack:
        advance = stack.enter_context(progress_bar("measuring images"))
        health = measured_health(
            directory,
            now=SystemClock().wall(),
            agent=__version__,
            terms=HealthTerms(targets_of(target or [])),
            out=measured if measured.is_dir() and not dry_run else None,
            advance=advance,
        )
    needs = needs_of(gaps(health.report))
    try:
        with progress_bar("making variants") as advance:
            report = make(
                directory.absolute(),
                folder,
                Disk(inside=folder, is_shared=True),
                needs,
                terms,
                dry_run=dry_run,
                made=lambda count: advance(count, credits_),
            )
    except DamagedDataset as error:
        raise ConfigurationError(str(error)) from error
    except OSError as error:
        raise TemporaryError(
            f"cannot synthesize into {printable(folder)}: {printable(error.strerror or error)}; "
            "what was made is there. Make room, and call it again"
        ) from error
    if as_json:
        print(json.dumps({**report.facts(), "out": str(folder), "dry_run": dry_run}))
    else:
        _show(report, needs, folder, dry_run=dry_run)
    for note in report.notes:
        print(f"capture-agent: warning: {note}", file=sys.stderr)
    if report.problems:
        raise ConfigurationError(
            told(report.problems, f"{len(report.problems)} captures were left out:")
        )


def _show(
    report: "SynthesisReport", needs: "Sequence[Need]", folder: Path, *, dry_run: bool
) -> None:
    from collections import Counter

    from agent.printable import printable

    verb = "would make" if dry_run else "made"
    print(
        f"{verb} {len(report.made)} variants of {report.parents} reviewed captures; "
        f"{report.existing} were there, {report.left} of {report.terms.credits} credits are left"
    )
    left_out = ", ".join(f"{count} {reason}" for reason, count in report.left_out.items())
    if left_out:
        print(f"captures without variants: {left_out}")
    counts = Counter(variant.need for variant in report.made)
    for need in needs[:_SHOWN]:
        left = max(0, round(report.missing.get(need, need.missing)))
        print(f"  {printable(need)}: {round(need.missing)} missing, {counts[need]} made for it, "
              f"{left} still missing")  # fmt: skip
    if len(needs) > _SHOWN:
        print(f"  and {len(needs) - _SHOWN} more gaps; --json has all")
    if not needs:
        print("nothing is missing that variants could give: see `capture-agent dataset health`")
    elif not report.parents:
        print("no capture can be a parent: review some with `capture-agent review`")
    if report.made and not dry_run:
        print(f"dataset: {printable(folder)}")
