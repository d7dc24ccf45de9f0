"""Exports a dataset folder: reads it, chooses and splits, writes."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from agent.dataset.captures import DatasetCapture, read_captures
from agent.dataset.edited_labels import edited_labels, edited_note
from agent.dataset.export.choose import choose, tasks_of
from agent.dataset.export.contents import Contents
from agent.dataset.export.options import ExportFormat, SourceOfTest
from agent.dataset.export.write import write_export
from agent.dataset.records import require_none_skipped
from agent.dataset.reviews import LabelOrigin, standing_reviews
from agent.dataset.splits import SplitTerms
from agent.dataset.verdicts import problems_note, read_verdicts
from agent.dataset.yolo import LabelForm
from agent.errors import ConfigurationError
from agent.files import Disk
from agent.printable import printable
from agent.settings.units import parse_duration

_LONGEST_S = 366 * 86400.0
_SHORTEST_BLOCK_S = 1.0


def export_dataset(
    directory: Path,
    out: Path,
    form: ExportFormat,
    *,
    task: str | None,
    terms: SplitTerms,
    origins: Collection[LabelOrigin],
    progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> tuple[Contents, bool]:
    """Export the captures of `directory` into `out`; return what it is made of, and if it is new.

    Raises `ConfigurationError`, `TemporaryError`, `OSError`.
    """
    _check_folders(directory, out)
    skipped: list[str] = []
    captures = _of_task(directory, task, skipped)
    if form is ExportFormat.COCO and "classes" in captures[0].record:
        raise ConfigurationError(
            "cannot export a classifier's captures as coco: COCO has no classes of whole images; "
            "use --format yolo or cvat"
        )
    verdicts = read_verdicts(directory)
    reviews = standing_reviews(verdicts.lines)
    contents = choose(
        captures,
        reviews,
        name=directory.resolve().name,
        terms=terms,
        origins=origins,
        progress=progress,
    )
    edited = edited_note(edited_labels(captures, reviews), directory)
    invalid = problems_note(verdicts.problems)
    contents = replace(
        contents,
        damaged=[*skipped, *contents.damaged],
        notes=[*contents.notes, *invalid, *edited],
    )
    if not contents.captures:
        reasons = "; ".join(f"{count} {why}" for why, count in contents.left_out.items())
        raise ConfigurationError(
            f"cannot export {printable(directory)}: no capture is left to export: {reasons}"
        )
    disk = Disk(inside=out.absolute(), is_shared=True)
    is_new = write_export(contents, form, out, disk, progress=progress)
    return contents, is_new


def terms_of(
    *, block: str, gap: str, val: float, test: SourceOfTest, origin: str
) -> tuple[SplitTerms, list[LabelOrigin]]:
    """Return what the options say; raise `ConfigurationError` with all that is wrong."""
    problems: list[str] = []
    seconds: dict[str, float] = {}
    for name, text, least in (("--block", block, _SHORTEST_BLOCK_S), ("--gap", gap, 0.0)):
        try:
            value = parse_duration(text)
        except ValueError as error:
            problems.append(f"{name} {printable(text)}: {error}")
            continue
        if isinstance(value, float) and least <= value <= _LONGEST_S:
            seconds[name] = value
        else:
            problems.append(f"{name} {printable(text)}: must be from {least:g}s to 366d")
    if not 0 <= val < 1:  # also false for NaN
        problems.append(f"--val {val}: must be from 0 to below 1")
    known = [each.value for each in LabelOrigin]
    names = [name.strip() for name in origin.split(",") if name.strip()]
    wrong = [name for name in names if name not in known]
    if wrong or not names:
        problems.append(
            f"--origin {printable(origin)}: must be some of {','.join(known)}, with commas"
        )
    if problems:
        raise ConfigurationError("\n".join(f"cannot export: {each}" for each in problems))
    terms = SplitTerms(seconds["--block"], seconds["--gap"], val, test is SourceOfTest.RANDOM)
    return terms, [LabelOrigin(name) for name in dict.fromkeys(names)]


def _of_task(directory: Path, task: str | None, skipped: list[str]) -> list[DatasetCapture]:
    """Return the captures of a task; the task need not be named if there is one only.

    `skipped` gets what is wrong with each record that is left out.
    """
    by_task = tasks_of(read_captures(directory, skipped=skipped))
    if not by_task:
        require_none_skipped(skipped)
        raise ConfigurationError(
            f"cannot export {printable(directory)}: it has no captures; give a dataset folder, "
            "which holds images/ and records/"
        )
    found = ", ".join(f"{name} ({len(each)} captures)" for name, each in sorted(by_task.items()))
    if task is None and len(by_task) > 1:
        raise ConfigurationError(
            f"cannot export {printable(directory)}: it has captures of several tasks: {found}. "
            "Choose one with --task"
        )
    if task is not None and task not in by_task:
        raise ConfigurationError(
            f"cannot export --task {printable(task)}: {printable(directory)} has {found}"
        )
    return by_task[task or next(iter(by_task))]


def _check_folders(directory: Path, out: Path) -> None:
    if not directory.is_dir():
        raise ConfigurationError(f"cannot export {printable(directory)}: there is no such folder")
    here, there = directory.resolve(), out.resolve()
    if there.is_relative_to(here) or here.is_relative_to(there):
        raise ConfigurationError(
            f"cannot export {printable(directory)} to {printable(out)}: one is inside of the "
            "other; choose a folder beside it"
        )
    above = directory.absolute().parent
    if LabelForm.of_folder(directory.name) and (above / "records").is_dir():
        raise ConfigurationError(
            f"cannot export {printable(directory)}: it is the part of a dataset; what people said "
            f"of it is in {printable(above)}. Export that one with --task {directory.name}"
        )
