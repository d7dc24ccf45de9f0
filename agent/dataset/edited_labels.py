"""Label files that somebody changed by hand: `verdicts.jsonl` does not know of it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from agent.dataset import yolo
from agent.dataset.captures import DatasetCapture
from agent.dataset.class_list import stored_classes
from agent.dataset.classes import number_of
from agent.dataset.reviews import Review, objects_of
from agent.files import read_regular_file
from agent.printable import printable

_DIGITS = 3  # of normalized coordinates: versions and tools round differently
_LARGEST = 10_000_000  # bytes of a label file


def edited_labels(
    captures: Iterable[DatasetCapture], reviews: Mapping[str, Review]
) -> list[DatasetCapture]:
    """Return the captures whose label file is neither the model's nor what their review says.

    One without a label file, or with one that cannot be read, is not among them. The model's own
    labels stay in the file if another program wrote the review: nobody changed them.
    """
    forms: dict[Path, tuple[list[str], yolo.LabelForm] | None] = {}
    found = []
    for capture in captures:
        if "detections" not in capture.record:
            continue
        if capture.folder not in forms:
            forms[capture.folder] = _form(capture.folder)
        form = forms[capture.folder]
        if form is not None and _is_edited(capture, reviews.get(capture.id), *form):
            found.append(capture)
    return found


def edited_note(edited: list[DatasetCapture], directory: Path) -> list[str]:
    """Return a warning for people; none if no label file was changed."""
    if not edited:
        return []
    folder = printable(directory)
    told = (
        f"label files that were changed by hand: {len(edited)}, such as "
        f"{printable(edited[0].label_path)}. Labels are made from records and reviews, so the "
        "changes do not count here. To make reviews of them: capture-agent dataset import "
        f"{folder} {folder}/labels"
    )
    return [told]


def _is_edited(
    capture: DatasetCapture, review: Review | None, names: list[str], form: yolo.LabelForm
) -> bool:
    try:
        text = read_regular_file(capture.label_path, _LARGEST).decode()
    except (OSError, ValueError):
        return False
    image = capture.record["image"]
    for known in (objects_of(capture.record, review), objects_of(capture.record)):
        if known.objects is None:
            continue
        numbers = [number_of(list(names), each) for each in known.objects]
        expected = yolo.rows(
            known.objects, numbers, width=image["width"], height=image["height"], form=form
        )
        if text == expected or _rows(text) == _rows(expected):
            return False
    return True


def _rows(text: str) -> list[tuple[object, ...]]:
    """Return the rows of a label file, rounded, in any order; a word that is no number stays."""
    return sorted(
        (tuple(_rounded(word) for word in line.split()) for line in text.splitlines()), key=repr
    )


def _rounded(word: str) -> object:
    try:
        return round(float(word), _DIGITS)
    except ValueError:
        return word


def _form(folder: Path) -> tuple[list[str], yolo.LabelForm] | None:
    try:
        return stored_classes(folder)
    except (OSError, ValueError):
        return None
