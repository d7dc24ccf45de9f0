"""Takes captures out of a dataset folder again: those that nobody has worked on."""

from collections.abc import Collection, Iterator
from pathlib import Path

from agent.dataset.captures import DatasetCapture
from agent.dataset.edited_labels import edited_labels
from agent.dataset.records import part_folders, read_record
from agent.dataset.reviews import is_review, standing_reviews
from agent.dataset.verdicts import read_verdicts
from agent.files import Disk


def stored_captures(directory: Path, ids: Collection[str]) -> list[DatasetCapture]:
    """Return those of `ids` that the dataset has, sorted by id; only their records are read.

    Raises `ConfigurationError` for a record that is not valid.
    """
    found = []
    for folder in (directory, *part_folders(directory)):
        for name in ids:
            path = folder / "records" / f"{name}.json"
            if path.is_file():
                found.append(DatasetCapture(name, read_record(path), folder))
    return sorted(found, key=lambda each: each.id)


def worked_on(directory: Path, captures: Collection[DatasetCapture]) -> list[DatasetCapture]:
    """Return the captures that a person reviewed, or whose label file somebody changed.

    Raises `ConfigurationError` if the reviews cannot be read.
    """
    lines = read_verdicts(directory).lines
    reviewed = {line["id"] for line in lines if is_review(line)}
    untouched = [each for each in captures if each.id not in reviewed]
    edited = {each.id for each in edited_labels(untouched, standing_reviews(lines))}
    return [each for each in captures if each.id in reviewed or each.id in edited]


def remove_capture(capture: DatasetCapture, disk: Disk) -> None:
    """Remove all files of a capture, its record first: without it the capture is not stored.

    A power cut may bring any of them back; call it again. Raises `OSError`.
    """
    disk.remove(capture.record_path)
    for path in _others(capture):
        disk.remove(path)
    disk.remove_tree(capture.folder / "clips" / capture.id)


def _others(capture: DatasetCapture) -> Iterator[Path]:
    yield capture.image_path
    yield capture.label_path
    classes = capture.folder / "classes"
    folders = sorted(classes.iterdir()) if classes.is_dir() else []
    for folder in (*folders, capture.folder / "unclassified"):
        if folder.is_dir() and not folder.is_symlink():
            yield folder / f"{capture.id}.jpg"
