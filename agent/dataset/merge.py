"""Merges dataset folders into one: captures, clips, facts of `verdicts.jsonl`, corrected labels.

Every step can be repeated: captures that are there are not copied again, lines are added once, and
labels follow `verdicts.jsonl`. So a merge that was interrupted is completed by calling it again.

Labels are not copied but written again from the records and reviews, by the names of the classes:
two folders may number them differently. The target keeps its own numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.dataset.captures import DatasetCapture, read_captures
from agent.dataset.class_list import stored_classes
from agent.dataset.classes import number_of, with_classes_of, with_names
from agent.dataset.clip_files import is_written
from agent.dataset.edited_labels import edited_labels, edited_note
from agent.dataset.folder import Dataset
from agent.dataset.images import UnusableCapture, image_bytes, problem
from agent.dataset.merge_checks import check_contradictions, check_folders, is_same
from agent.dataset.reviewed import ReviewedDataset
from agent.dataset.reviews import Review, objects_of, standing_reviews
from agent.dataset.verdicts import VerdictLog, read_verdicts, verdict_texts
from agent.dataset.yolo import LabelForm, form_of_record
from agent.errors import UnfitCapture
from agent.files import Disk

_THREADS = 4  # that write at once: most of the time is spent waiting for the disk


@dataclass(slots=True)
class Merged:
    """What a merge did."""

    added: int = 0  # captures
    known: int = 0  # captures of the sources that were there already
    lines: int = 0  # of verdicts.jsonl that are new
    problems: list[str] = field(default_factory=list)  # what was left out, and why
    notes: list[str] = field(default_factory=list)  # warnings for people
    renumbered: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    """By source, its classes that have another number in the target: before and after."""


def merge(
    sources: Sequence[Path],
    out: Path,
    disk: Disk,
    *,
    progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> Merged:
    """Add all that is in `sources` to the dataset `out`, which is made if it is missing.

    `progress` gets the number of captures that are done, and of all. Nothing is written if two
    folders contradict each other.

    Raises:
        ConfigurationError: A folder is no dataset, `verdicts.jsonl` cannot be read, or the same id
            has two images.
        DamagedDataset: `data.yaml` of `out` is missing or not ours.
        OSError: The disk refuses. Call it again.
    """
    check_folders(sources, out)
    by_place = {source.resolve(): source for source in reversed(sources)}  # each folder once
    sources = [source for source in reversed(by_place.values()) if not is_same(source, out)]
    merged = Merged()
    found = {source: read_captures(source, skipped=merged.problems) for source in sources}
    damaged: list[str] = []
    there = read_captures(out, skipped=damaged)
    check_contradictions({out: there, **found})
    # First, so that what an interrupted merge leaves is known as a dataset.
    disk.make_directory(out.absolute() / "records")
    texts: list[bytes] = []
    reviews: dict[Path, Mapping[str, Review]] = {}
    for source in sources:
        lines, problems = verdict_texts(source)
        texts += lines
        merged.problems += problems
        reviews[source] = standing_reviews(read_verdicts(source).lines)
        edited = edited_labels(found[source].values(), reviews[source])
        merged.notes += edited_note(edited, source)

    dataset = Dataset(out, disk)
    for source in sources:
        merged.renumbered[str(source)] = _take_names(dataset, found[source], reviews[source])
    copies: dict[str, list[DatasetCapture]] = {}
    for captures in found.values():
        for name, capture in captures.items():
            copies.setdefault(name, []).append(capture)
    _copy(dataset, list(copies.values()), merged, disk, progress)
    if damaged:  # of some a source had a whole copy
        damaged.clear()
        read_captures(out, there, skipped=damaged)
        merged.problems += damaged
    if texts:
        merged.lines = VerdictLog(out.absolute(), disk).add_lines(texts)
        ReviewedDataset(out, disk).write_labels()
    return merged


def _copy(
    dataset: Dataset,
    copies: Sequence[Sequence[DatasetCapture]],
    merged: Merged,
    disk: Disk,
    progress: Callable[[int, int], object],
) -> None:
    """Store captures, of each the first copy that is not damaged; note those that have none."""

    def take(of_one: Sequence[DatasetCapture]) -> tuple[bool | None, list[str]]:
        """Return whether it is new, None if it was left out; and what is wrong with it."""
        wrong = []
        for capture in of_one:
            try:
                return _take(dataset, capture, disk)
            except (UnusableCapture, UnfitCapture) as error:
                wrong.append(problem(capture, error))
        return None, wrong

    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="merge")
    try:
        for done, (is_new, wrong) in enumerate(pool.map(take, copies), start=1):
            merged.added += is_new is True
            merged.known += is_new is False
            merged.problems += wrong
            progress(done, len(copies))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _take(dataset: Dataset, capture: DatasetCapture, disk: Disk) -> tuple[bool, list[str]]:
    """Store one capture, without its clip where that is damaged; return what is wrong with it."""
    image, record = image_bytes(capture), capture.record_path.read_bytes()
    clip = capture.folder / "clips" / capture.id
    if capture.record.get("clip") is None:
        return dataset.take(record, image), []
    if is_written(disk, clip):
        try:
            return dataset.take(record, image, clip), []
        except ValueError as error:
            why = str(error)
    else:
        why = "its clip is missing"
    return dataset.take(record, image), [problem(capture, f"{why}; the image was merged")]


def _take_names(
    dataset: Dataset, captures: Mapping[str, DatasetCapture], reviews: Mapping[str, Review]
) -> dict[str, tuple[int, int]]:
    """Give every class of a source a number in the target, in the order of the captures.

    Returns the classes whose number differs: before and after.
    """
    by_folder: dict[Path, list[DatasetCapture]] = {}
    for capture in captures.values():
        if "detections" in capture.record:
            by_folder.setdefault(capture.folder, []).append(capture)
    changed: dict[str, tuple[int, int]] = {}
    for folder, here in by_folder.items():
        before, form = _class_list(folder)
        form = form or form_of_record(here[0].record)
        names = with_names(dataset.names(form), before)
        for capture in here:
            names = with_classes_of(names, capture.record)
            objects = _known_objects(capture.record, reviews.get(capture.id))
            for each in objects:
                number_of(names, each)
        dataset.take_names(names, form)
        after = dataset.names(form)
        changed |= {
            name: (number, after.index(name))
            for number, name in enumerate(before)
            if name in after and after.index(name) != number
        }
    return changed


def _known_objects(record: Mapping[str, Any], review: Review | None) -> Sequence[Mapping[str, Any]]:
    known = objects_of(record, review)
    return (known if known.is_known else objects_of(record)).objects or ()


def _class_list(folder: Path) -> tuple[list[str], LabelForm | None]:
    """Return the class list of a source; none if it was lost: labels are made from records."""
    try:
        return stored_classes(folder)
    except (OSError, ValueError):
        return [], None
