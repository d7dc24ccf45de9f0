"""`capture-agent dataset import`: what people did in other tools comes in as reviews."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli import console
from agent.cli.dataset.source import takes_buckets
from agent.cli.left_out import left_out_told
from agent.errors import ConfigurationError, DamagedDataset, TemporaryError
from agent.printable import printable

if TYPE_CHECKING:
    from agent.dataset.importing.plan import ImportPlan
    from agent.dataset.reviewed import ReviewedDataset

_TOOLS = {
    "label-studio": "Label Studio",
    "roboflow": "Roboflow",
    "cvat": "CVAT",
    "coco": "COCO",
    "yolo": "a folder of YOLO labels",
    "class-folders": "a folder of images by class",
    "import": "a table of verdicts",
}
_NAMED = 3  # captures of a list


@console.errors_shown
@takes_buckets
def import_(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Dataset folder of captures.")],
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="JSON export of Label Studio, `CVAT for images 1.1`, COCO, a folder of YOLO "
            "labels (Roboflow, CVAT and others), or CSV or JSON with id and verdict; each also as "
            "a zip archive.",
        ),
    ],
    by: Annotated[
        str, typer.Option(help="Whose reviews they are. [default: as the tool says, else the tool]")
    ] = "",
    reviewed: Annotated[
        bool,
        typer.Option(
            "--reviewed",
            help="A person looked at all images in SOURCE: boxes that are the model's own are "
            "right, and an image without boxes is empty.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be added, and write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Import what people corrected in Label Studio, Roboflow, CVAT or another tool as reviews.

    Example: capture-agent dataset import dataset roboflow-export.zip

    Each capture gets one line in verdicts.jsonl, and its corrected labels: right where a person
    looked and changed nothing, wrong where boxes were changed or removed, missing where some were
    only added. The same file twice adds nothing; a newer review stays.
    """
    from agent.dataset.importing.plan import ImportTerms, plan_import
    from agent.dataset.importing.readers import read_source
    from agent.dataset.records import part_folders
    from agent.dataset.reviewed import ReviewedDataset
    from agent.dataset.verdicts import problems_note
    from agent.files import Disk
    from agent.system import SystemClock

    if not directory.is_dir():
        raise ConfigurationError(
            f"cannot import into {printable(directory)}: there is no such folder"
        )
    if not any((each / "records").is_dir() for each in (directory, *part_folders(directory))):
        raise ConfigurationError(
            f"cannot import: there are no captures in {printable(directory)}; give the folder that "
            "holds images/ and records/"
        )
    if not source.exists():
        raise ConfigurationError(
            f"cannot import {printable(source)}: there is no such file or folder"
        )
    place = directory.absolute()
    dataset = ReviewedDataset(place, Disk(inside=place))
    records = {name: each.record for name, each in dataset.captures.items()}
    terms = ImportTerms(SystemClock().wall(), by=by, is_reviewed=reviewed)
    with left_out_told(dataset.skipped):
        plan = plan_import(read_source(source, directory, records), dataset, source, terms)
        _require_reviews(plan, source, directory)
        if not dry_run:
            _write(plan, dataset)
        for note in problems_note(dataset.problems):
            print(f"capture-agent: warning: {note}", file=sys.stderr)
        if as_json:
            print(json.dumps(_facts(plan, dry_run=dry_run), ensure_ascii=False))
        else:
            for line in _report(plan, directory, dry_run=dry_run):
                print(line)


def _write(plan: "ImportPlan", dataset: "ReviewedDataset") -> None:
    try:
        dataset.add(plan.lines)
    except DamagedDataset as error:
        raise ConfigurationError(
            f"the reviews are imported, but the labels are not: {error}"
        ) from error
    except OSError as error:
        raise TemporaryError(
            f"cannot import into {printable(dataset.directory)}: {error.strerror or error}; call "
            "it again: nothing is imported twice"
        ) from error


def _require_reviews(plan: "ImportPlan", source: Path, directory: Path) -> None:
    """Raise `ConfigurationError` where nothing in a source is a review of a capture."""
    where = f"cannot import {printable(source)}"
    if not plan.captures:
        seen = f"none of its {plan.foreign} images" if plan.foreign else "nothing in it"
        raise ConfigurationError(
            f"{where}: {seen} is a capture of {printable(directory)}; the id of a capture must be "
            "in the name of its image, as the agent delivers it"
        )
    if plan.lines or plan.known or plan.kept:
        return
    tool = _TOOLS[plan.tool]
    if plan.untouched:
        raise ConfigurationError(
            f"{where}: the labels of all {len(plan.untouched)} captures are the model's own, and "
            f"{tool} does not say whether a person looked. Correct them first; if all were looked "
            "at, add --reviewed"
        )
    if plan.not_shown:
        raise ConfigurationError(f"{where}: {_not_shown(plan)}")
    fix = (
        "a prediction is the model's own: submit the tasks, or add --reviewed if all were looked at"
        if plan.tool == "label-studio"
        else "if all were looked at, and nothing is in them, add --reviewed"
    )
    count = len(plan.unannotated) + len(plan.skipped)
    raise ConfigurationError(f"{where}: none of its {count} captures has an annotation; {fix}")


def _report(plan: "ImportPlan", directory: Path, *, dry_run: bool) -> Iterator[str]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(plan.verdicts.items()))
    done = "would be added to" if dry_run else "added to"
    tool = _TOOLS[plan.tool]
    yield f"{tool}: {plan.captures} captures of {printable(directory)}"
    yield f"reviews {done} verdicts.jsonl: {len(plan.lines)}" + (f" ({kinds})" if kinds else "")
    if plan.known:
        yield f"nothing new: {len(plan.known)} captures"
    if plan.kept or plan.replaced:
        both = sorted({*plan.kept, *plan.replaced})
        yield (
            f"different from another review: {len(both)} captures ({_some(both)}); of "
            f"{len(plan.kept)} the dataset has a newer review, which stays, and of "
            f"{len(plan.replaced)} an older one, which no longer counts"
        )
    if plan.unannotated:
        yield f"left out, without an annotation: {len(plan.unannotated)} captures"
    if plan.skipped:
        yield f"left out, skipped by a person: {len(plan.skipped)} captures"
    if plan.not_shown:
        yield f"left out: {_not_shown(plan)}"
    if plan.untouched:
        yield (
            f"left out, with the model's own labels: {len(plan.untouched)} captures; {tool} does "
            "not say whether a person looked. If all in it were looked at, add --reviewed. Until "
            "then only captures in which the model was wrong count as reviewed, and `evaluate` "
            "shows it worse than it is"
        )
    if plan.foreign:
        yield f"not of this dataset: {plan.foreign} images"


def _not_shown(plan: "ImportPlan") -> str:
    labels = sorted(set(plan.not_shown.values()))
    return (
        f"{len(plan.not_shown)} captures have objects of a class that the tool does not have "
        f"({printable(', '.join(labels[:_NAMED]))}), so nobody could judge them; add the class "
        "there, named as the model does"
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _facts(plan: "ImportPlan", *, dry_run: bool) -> dict[str, Any]:
    return {
        "tool": plan.tool,
        "captures": plan.captures,
        "added": len(plan.lines),
        "verdicts": dict(sorted(plan.verdicts.items())),
        "known": len(plan.known),
        "kept": plan.kept,
        "replaced": plan.replaced,
        "untouched": len(plan.untouched),
        "unannotated": len(plan.unannotated),
        "skipped": len(plan.skipped),
        "not_shown": len(plan.not_shown),
        "foreign": plan.foreign,
        "dry_run": dry_run,
    }
