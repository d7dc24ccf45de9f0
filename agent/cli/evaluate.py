"""`capture-agent evaluate`: how good the model is, from the reviewed random captures alone."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import console
from agent.cli.dataset.source import takes_buckets
from agent.cli.left_out import left_out_told
from agent.errors import ConfigurationError
from agent.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.dataset.records import Records
    from agent.evaluation.comparison_words import ComparedModel
    from agent.evaluation.evaluation import Evaluation
    from agent.evaluation.reviewed import ReviewedCaptures

_BIASED = (
    "those were chosen because of what the model said of them, so an average over them says "
    "nothing of the model"
)


@takes_buckets
def evaluate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Dataset folder of captures.")],
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Folder of corrected YOLO labels, a COCO file, a JSON export of Label Studio, or "
            "verdicts as CSV or JSON (id, verdict: ok or fail). [default: the reviews in "
            "DIR/verdicts.jsonl; without any, DIR/labels]"
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
    model: Annotated[
        Path | None,
        typer.Option(
            help="Another model: run it on the same images and say which of the two is better.",
            metavar="OTHER.onnx",
        ),
    ] = None,
    model_format: Annotated[
        str | None, typer.Option(help="Of --model. [default: AGENT_MODEL_FORMAT]")
    ] = None,
    model_labels: Annotated[
        str | None,
        typer.Option(help="Of --model: a list or a file. [default: AGENT_MODEL_LABELS]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    page: Annotated[
        Path | None, typer.Option("--report", help="Also write one HTML page to look at.")
    ] = None,
) -> None:
    """Measure the model on the reviewed random captures: failure rate, precision, recall, AP.

    Example: capture-agent evaluate dataset --report evaluation.html

    Each figure has its 95 % interval. Captures that a rule chose are never averaged over: without
    reviewed random captures the exit code is 78.
    """
    from agent.dataset.records import part_folders, read_records
    from agent.evaluation.comparison_words import comparison_facts
    from agent.evaluation.evaluation import evaluate as evaluated
    from agent.evaluation.facts import facts_of
    from agent.evaluation.reviewed import read_reviewed

    console.require_writable(page, "--report")
    console.require_replaceable(page, "--report", console.HTML)
    skipped: list[str] = []
    with left_out_told(skipped):
        records = read_records(directory, skipped=skipped)
        _require_random(records, directory)
        said = read_reviewed(directory, labels, records, is_reviewed=reviewed)
        found = evaluated(records, said)
        if not found.frames:
            raise _nothing_reviewed(records, said)
        other = None
        if model is not None:
            other = _compared(found, model, directory, model_format, model_labels)
        if page is not None:
            _write_page(page, found, other, directory)
        if as_json:
            facts = facts_of(found)
            if other is not None:
                facts["comparison"] = comparison_facts(other)
            print(json.dumps(facts, ensure_ascii=False))
        else:
            _show(found, other)
            for part in part_folders(directory):
                print(
                    f"Captures of another task are in {printable(part)}: evaluate them by "
                    "themselves."
                )


def _require_random(records: "Records", directory: Path) -> None:
    if not records:
        if not directory.is_dir():
            raise ConfigurationError(
                f"cannot evaluate {printable(directory)}: there is no such folder"
            )
        raise ConfigurationError(
            f"cannot evaluate: there are no captures in {printable(directory)}; give the folder "
            "that holds images/ and records/"
        )
    if not any(record["lane"] == "random" for record in records.values()):
        raise ConfigurationError(
            f"cannot evaluate: none of the {len(records)} captures in {printable(directory)} was "
            f"drawn at random; {_BIASED}; keep AGENT_RANDOM_SHARE above 0"
        )


def _nothing_reviewed(records: "Records", said: "ReviewedCaptures") -> ConfigurationError:
    from agent.evaluation.needed_reviews import TARGET, needed_from_nothing

    drawn = {name: record for name, record in records.items() if record["lane"] == "random"}
    others = len(said.truth.keys() - drawn.keys())
    also = f"; {others} of other lanes have one, but {_BIASED}" if others else ""
    if not any("detections" in record for record in drawn.values()):
        also += ". A classifier's captures have no boxes: give verdicts"
    return ConfigurationError(
        f"cannot evaluate: none of the {len(drawn)} random captures has a label or verdict{also}. "
        'Review the random captures: their records say "lane": "random". '
        f"{needed_from_nothing()} reviews give each share to {TARGET * 100:g} points or better"
    )


def _compared(
    found: "Evaluation",
    model: Path,
    directory: Path,
    model_format: str | None,
    model_labels: str | None,
) -> "ComparedModel":
    """Run the other model and compare it; the model's settings are those of the environment."""
    from agent.evaluation.compared_model import compared_model
    from agent.factories.model import detector_of, inference_workers

    settings = console.settings()
    own: dict[str, object] = {
        "model": model,
        "model_sha256": None,
        "floor": found.floor,
        "redact": (),
    }
    if model_format is not None:
        own["model_format"] = model_format
    if model_labels is not None:
        own["model_labels"] = model_labels
    settings = settings.model_copy(update=own)
    try:
        detector = detector_of(settings)
    except ConfigurationError as error:  # its fix names the setting; here it is an option
        raise ConfigurationError(re.sub(r"AGENT_MODEL\b", "--model", str(error))) from error
    with console.progress("comparing", len(found.frames), "images") as advance:
        return compared_model(
            found,
            detector,
            settings.all_thresholds,
            lambda name: directory / "images" / f"{name}.jpg",
            workers=inference_workers(settings),
            progress=advance,
        )


def _write_page(
    page: Path, found: "Evaluation", other: "ComparedModel | None", directory: Path
) -> None:
    from agent.evaluation.page import page_of
    from agent.files import Disk

    try:
        Disk().write(page.absolute(), page_of(found, other, directory).encode())
    except OSError as error:
        raise ConfigurationError(
            f"cannot write --report {printable(page)}: {error.strerror}"
        ) from error


def _show(found: "Evaluation", other: "ComparedModel | None") -> None:
    from rich.console import Console

    from agent.evaluation.advice import warnings_of
    from agent.evaluation.comparison_words import remarks_on, sentence_of
    from agent.evaluation.tables import (
        audit_table,
        comparison_table,
        figures_table,
        labels_tables,
        lanes_table,
        rules_table,
    )

    screen = Console(highlight=False, emoji=False)
    for warning in warnings_of(found):
        screen.print(f"WARNING: {warning}.", soft_wrap=True, markup=False)
    if other is not None:
        screen.print(f"{sentence_of(other)}.", soft_wrap=True, markup=False)
        for remark in remarks_on(other):
            screen.print(f"{remark}.", soft_wrap=True, markup=False)
        screen.print(comparison_table(other))
    for table in (figures_table(found), *labels_tables(found)):
        screen.print(table)
    for line in _limits(found):
        screen.print(line, soft_wrap=True, markup=False)
    for outcomes in (lanes_table(found), rules_table(found), audit_table(found)):
        if outcomes is not None:
            screen.print(outcomes)


def _limits(found: "Evaluation") -> "Iterator[str]":
    """Yield what the figures rest on."""
    from agent.evaluation.advice import needed_of, notes_of
    from agent.evaluation.facts import METHOD

    yield f"{len(found.frames)} of {found.random_captures} random captures reviewed."
    if len(found.frames) + found.unusable < found.random_captures:
        yield "That is right only if chance decided which; better review all."
    if found.unusable:
        yield f"{found.unusable} random captures cannot be judged, and are left out."
    if found.left_out:
        yield f"{found.left_out} captures of other lanes left out: {_BIASED}."
    yield from (f"{note}." for note in notes_of(found))
    wanted = [f"{name} {count}" for name, count in needed_of(found).items() if count]
    if wanted:
        yield (
            "More reviewed random captures for an interval of \u00b15 points: about "
            f"{', '.join(wanted)}."
        )
    yield f"Method: {METHOD}."
