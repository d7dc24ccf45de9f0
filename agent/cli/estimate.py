"""`capture-agent estimate`: how good the model is, from the random captures alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agent.dataset.annotations.coco_file import coco_labels, is_coco
from agent.dataset.annotations.label_studio_export import is_label_studio, label_studio_boxes
from agent.dataset.annotations.model_boxes import compared_boxes, is_untouched
from agent.dataset.annotations.source import Truth, text_of
from agent.dataset.annotations.spelling import require_labels_of_model
from agent.dataset.annotations.verdict_table import verdicts
from agent.dataset.annotations.yolo_labels import read_folder
from agent.dataset.records import Records, part_folders, read_records
from agent.dataset.verdicts import FILE as VERDICTS
from agent.domain import Task
from agent.errors import ConfigurationError
from agent.evaluation.intervals import Estimate
from agent.evaluation.metrics import OfLabel, Reviewed, by_label, counted, failure_rate
from agent.printable import printable
from agent.record.shapes import task_of

METHOD = (
    "weighted ratios over randomly drawn frames, linearised variance, Wilson intervals with the "
    "effective sample size"
)

_BY_BOUNDS = "Outlines, keypoints and rotated boxes are measured by the upright boxes around them."

_BIASED = (
    "those were chosen because of what the model said of them, so an average over them says "
    "nothing of the model"
)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a review holds, by id."""

    truth: Truth
    verdicts: Mapping[str, bool]


def estimate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Dataset folder of captures.")],
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Folder of corrected YOLO labels, a COCO file, a JSON export of Label Studio, or "
            "verdicts as CSV or JSON (id, verdict: ok or fail). [default: DIR/labels]"
        ),
    ] = None,
    reviewed: Annotated[
        bool,
        typer.Option(
            "--reviewed",
            help="All random captures were looked at: labels as the agent wrote them are right, "
            "and an image without a label file is empty.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Estimate precision, recall and failure rate from reviewed captures of the random lane.

    Example: capture-agent estimate dataset --labels verdicts.csv

    Each with its 95 % interval. Captures of the score lane are never averaged over: without
    reviewed random captures the exit code is 78.
    """
    records = _records(directory)
    drawn = {name: record for name, record in records.items() if record["lane"] == "random"}
    if not drawn:
        raise ConfigurationError(
            f"cannot estimate: none of the {len(records)} captures in {directory} was drawn at "
            f"random; {_BIASED}; keep AGENT_RANDOM_SHARE above 0"
        )
    said = _read(labels or directory / "labels", directory, records, is_reviewed=reviewed)
    frames = _frames(drawn, said)
    if not frames:
        others = len({*said.truth, *said.verdicts} & records.keys())
        also = f"; {others} of other lanes have one, but {_BIASED}" if others else ""
        if not any(
            "detections" in record or name in said.verdicts for name, record in drawn.items()
        ):
            also += ". A classifier's captures have no boxes: give verdicts"
        raise ConfigurationError(
            f"cannot estimate: none of the {len(drawn)} random captures has a label or verdict"
            f'{also}. Review the random captures: their records say "lane": "random"'
        )
    rate = failure_rate(frames)
    measured = by_label(frames)
    left_out = len(records) - len(drawn)
    if as_json:
        print(json.dumps(_facts(rate, measured, frames, len(drawn), left_out), ensure_ascii=False))
        return
    _show(rate, measured, frames, len(drawn), left_out)
    if any(box.is_bounds for name in drawn for box in said.truth.get(name, ())) or any(
        task_of(record) is not Task.DETECT for record in drawn.values()
    ):
        print(_BY_BOUNDS)
    for part in part_folders(directory):
        print(f"Captures of another task are in {printable(part)}: estimate them by themselves.")


def _records(directory: Path) -> Records:
    records = read_records(directory)
    if not records:
        raise ConfigurationError(
            f"cannot estimate: there are no captures in {directory}; give the folder that holds "
            "images/ and records/"
        )
    return records


def _read(labels: Path, directory: Path, records: Records, *, is_reviewed: bool) -> _Said:
    """The review, whichever form it has."""
    if labels.is_dir():
        truth = _folder_truth(labels, directory, records, is_reviewed=is_reviewed)
    elif not labels.exists():
        raise ConfigurationError(f"cannot read --labels {labels}: there is no such file or folder")
    else:
        if labels.name == VERDICTS:
            raise ConfigurationError(
                f"cannot use {labels} as a review: people gave these verdicts unasked, so the "
                "frames are no random sample, and of `unobjected` nobody has looked; give a file "
                "of a review of the random captures"
            )
        text = text_of(labels)
        content = None
        if labels.suffix.lower() == ".json":
            try:
                content = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise ConfigurationError(f"cannot read {labels}: it is no JSON: {error}") from error
        if is_coco(content):
            truth = coco_labels(labels, content, records)
        elif is_label_studio(content):
            truth = label_studio_boxes(labels, content, records)
        else:
            return _Said({}, verdicts(labels, text, records))
    require_labels_of_model(labels, truth, records)
    drawn = [name for name in truth if records[name]["lane"] == "random"]
    untouched = all(is_untouched(records[name], truth[name]) for name in drawn)
    if drawn and untouched and not is_reviewed:
        raise ConfigurationError(
            f"cannot estimate: every label of a random capture in {labels} is the model's own. "
            "Correct them first; if you looked at all and the model was right, add --reviewed"
        )
    return _Said(truth, {})


def _folder_truth(labels: Path, directory: Path, records: Records, *, is_reviewed: bool) -> Truth:
    """The boxes of a folder of label files; many tools write none for an empty image."""
    detected = {name: record for name, record in records.items() if "detections" in record}
    folder = read_folder(labels, directory, detected)
    if not folder.files and not folder.images and any(labels.rglob("*.txt")):
        raise ConfigurationError(
            f"cannot use {printable(labels)}: no file in it has the id of a capture of "
            f"{printable(directory)} in its name; export the labels under the names of the images"
        )
    truth = dict(folder.truth(detected))
    truth |= {name: [] for name in folder.images & detected.keys() - truth.keys()}
    missing = [
        name
        for name, record in detected.items()
        if record["lane"] == "random" and name not in truth
    ]
    if is_reviewed:
        truth |= {name: [] for name in missing}
    elif missing and truth and all(truth.values()):
        raise ConfigurationError(
            f"cannot estimate: {len(missing)} random captures have no label file in {labels}, and "
            "none of its files is empty, so they may be images with nothing in them. If all were "
            "looked at, add --reviewed; else export empty images too"
        )
    return truth


def _frames(drawn: Records, said: _Said) -> list[Reviewed]:
    frames = []
    for name, record in drawn.items():
        weight = float(record["sampling"]["weight"])
        if name in said.truth and "detections" in record:
            found = counted(compared_boxes(record, said.truth[name]), said.truth[name])
            frames.append(Reviewed(weight, found.is_perfect, found))
        elif name in said.verdicts:
            frames.append(Reviewed(weight, said.verdicts[name]))
    return frames


def _facts(
    rate: Estimate | None,
    measured: Sequence[OfLabel],
    frames: Sequence[Reviewed],
    drawn: int,
    left_out: int,
) -> dict[str, Any]:
    together = measured[0] if measured else None
    return {
        "random_captures": drawn,
        "reviewed": len(frames),
        "left_out": left_out,
        "failure_rate": asdict(rate) if rate else None,
        "precision": asdict(together.precision) if together and together.precision else None,
        "recall": asdict(together.recall) if together and together.recall else None,
        "labels": {
            each.label: {
                "precision": asdict(each.precision) if each.precision else None,
                "recall": asdict(each.recall) if each.recall else None,
            }
            for each in measured[1:]
        },
        "measured_by": "upright boxes",
        "confidence": 0.95,
        "method": METHOD,
    }


def _show(
    rate: Estimate | None,
    measured: Sequence[OfLabel],
    frames: Sequence[Reviewed],
    drawn: int,
    left_out: int,
) -> None:
    table = Table("", "estimate", "95 % interval", "from", box=None, padding=(0, 3, 0, 0))
    table.add_row("failure rate", *_cells(rate, "frames"))
    for each in measured:
        name = "" if each.label is None else f" {escape(printable(each.label))}"
        table.add_row(f"precision{name}", *_cells(each.precision, "boxes"))
        table.add_row(f"recall{name}", *_cells(each.recall, "objects"))
    screen = Console(highlight=False, emoji=False)
    screen.print(table)
    screen.print(f"{len(frames)} of {drawn} random captures reviewed.", soft_wrap=True)
    if len(frames) < drawn:
        screen.print(
            "That is right only if chance decided which; better review all.", soft_wrap=True
        )
    if left_out:
        screen.print(f"{left_out} captures of other lanes left out: {_BIASED}.", soft_wrap=True)
    screen.print(f"Method: {METHOD}.", soft_wrap=True)


def _cells(estimate: Estimate | None, unit: str) -> tuple[str, str, str]:
    if estimate is None:
        return "unknown", "", f"no {unit}"
    return (
        f"{estimate.value:.3f}",
        f"{estimate.low:.3f} to {estimate.high:.3f}",
        f"{estimate.cases:g} {unit}",
    )
