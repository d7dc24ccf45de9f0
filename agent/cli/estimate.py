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

from agent.domain import Box
from agent.errors import ConfigurationError
from agent.evaluation import annotations as review
from agent.evaluation.box_matching import AnnotatedBox, match_boxes
from agent.evaluation.intervals import Estimate
from agent.evaluation.metrics import OfLabel, Reviewed, by_label, failure_rate
from agent.record.summary import confident, sides

METHOD = (
    "weighted ratios over randomly drawn frames, linearised variance, Wilson intervals with the "
    "effective sample size"
)

_BIASED = (
    "those were chosen because of what the model said of them, so an average over them says "
    "nothing of the model"
)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a review holds, by id."""

    truth: review.Truth
    verdicts: Mapping[str, bool]


def estimate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Dataset folder of captures.")],
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Folder of corrected YOLO labels, a COCO file, or verdicts as CSV or JSON "
            "(id, verdict: ok or fail). [default: DIR/labels]"
        ),
    ] = None,
    reviewed: Annotated[
        bool,
        typer.Option("--reviewed", help="Labels that are as the agent wrote them were looked at."),
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
    try:
        said = _read(labels or directory / "labels", directory, records, is_reviewed=reviewed)
    except (review.ReviewError, OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(str(error)) from error
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
    else:
        _show(rate, measured, frames, len(drawn), left_out)


def _records(directory: Path) -> dict[str, dict[str, Any]]:
    records = {}
    for path in sorted((directory / "records").glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            is_whole = record["lane"] != "random" or record["sampling"]["weight"] > 0
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"cannot read the record {path}: {error!r}") from error
        if not is_whole:
            raise ConfigurationError(f"cannot use the record {path}: its weight is not above 0")
        records[path.stem] = record
    if not records:
        raise ConfigurationError(
            f"cannot estimate: there are no captures in {directory}; give the folder that holds "
            "images/ and records/"
        )
    return records


def _read(labels: Path, directory: Path, records: review.Records, *, is_reviewed: bool) -> _Said:
    """The review, whichever form it has."""
    if labels.is_dir():
        beside = [labels / "data.yaml", labels.parent / "data.yaml", directory / "data.yaml"]
        file = next((each for each in beside if each.is_file()), beside[-1])
        names = review.class_names(file)
        detected = {name: record for name, record in records.items() if "detections" in record}
        drawn = {name: each for name, each in detected.items() if each["lane"] == "random"}
        truth = review.yolo_labels(labels, names, detected)
        same = review.untouched(labels, names, drawn)
        if same and same == truth.keys() & drawn.keys() and not is_reviewed:
            raise ConfigurationError(
                f"cannot estimate: every label of a random capture in {labels} is the model's own. "
                "Correct them first; if you looked at all and the model was right, add --reviewed"
            )
        return _Said(truth, {})
    if not labels.exists():
        raise ConfigurationError(f"cannot read --labels {labels}: there is no such file or folder")
    text = labels.read_text(encoding="utf-8-sig")
    if labels.suffix.lower() == ".json":
        try:
            content = json.loads(text)
        except ValueError as error:
            raise ConfigurationError(f"cannot read {labels}: it is no JSON: {error}") from error
        if review.is_coco(content):
            return _Said(review.coco_labels(labels, content, records), {})
    return _Said({}, review.verdicts(labels, text))


def _frames(drawn: review.Records, said: _Said) -> list[Reviewed]:
    frames = []
    for name, record in drawn.items():
        weight = float(record["sampling"]["weight"])
        if name in said.truth and "detections" in record:
            found = match_boxes(_reported(record), said.truth[name])
            frames.append(Reviewed(weight, found.is_perfect, found))
        elif name in said.verdicts:
            frames.append(Reviewed(weight, said.verdicts[name]))
    return frames


def _reported(record: Mapping[str, Any]) -> list[AnnotatedBox]:
    """What the application acted on: detections at or above their threshold."""
    try:
        return [
            AnnotatedBox(each["label"], Box(*sides(each)), each["confidence"])
            for each in confident(record)
        ]
    except ValueError as error:
        raise ConfigurationError(f"cannot use the record {record['id']}: {error}") from error


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
        name = "" if each.label is None else f" {escape(each.label)}"
        table.add_row(f"precision{name}", *_cells(each.precision, "boxes"))
        table.add_row(f"recall{name}", *_cells(each.recall, "objects"))
    screen = Console(highlight=False)
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
