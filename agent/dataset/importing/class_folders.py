"""What a folder of images by class says of a classifier's captures, as Roboflow exports it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.dataset.annotations.source import ReviewError, capture_in, require_first
from agent.dataset.annotations.spelling import require_labels_of_model
from agent.dataset.classes import class_folder
from agent.dataset.importing.image_labels import is_of_roboflow
from agent.dataset.importing.said import Export, Said, classes_of, verdict_on
from agent.dataset.records import Records
from agent.domain import Box
from agent.printable import printable

_IMAGES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
_SPLITS = frozenset({"train", "valid", "val", "test", "images", "all"})
_NONE = frozenset({"unclassified", "unlabeled"})
"""Folders of images without a class: the agent's own, and Roboflow's."""


def classified_images(files: Sequence[Path], records: Records) -> list[tuple[str, Path]]:
    """Return the images of a classifier's captures, each with the capture's id."""
    found = []
    for path in files:
        if path.suffix.lower() in _IMAGES:
            name = capture_in(path.name, records)
            if name is not None and "classes" in records[name]:
                found.append((name, path))
    return found


def read_class_folders(
    folder: Path, images: Sequence[tuple[str, Path]], records: Records
) -> Export:
    """Return what the folders of images say: each has the name of its class, or of a verdict.

    Raises `ReviewError` for an image in no such folder, or in two.
    """
    said: dict[str, Said] = {}
    for name, path in images:
        label = path.parent.name
        if path.parent == folder or label.casefold() in _SPLITS:
            raise ReviewError(
                f"cannot read {printable(folder)}: its image of the capture {name} is in no folder "
                "that is named by a class"
            )
        require_first(name, said, folder)
        label = _class_of_folder(label, records[name])
        verdict = verdict_on(label, records[name])
        classes = () if label.casefold() in _NONE else (label,)
        said[name] = Said(verdict=verdict) if verdict else Said(labels=classes)
    nowhere = Box(0.0, 0.0, 0.0, 0.0)
    named = {
        name: [AnnotatedBox(label, nowhere) for label in each.labels or ()]
        for name, each in said.items()
    }
    require_labels_of_model(folder, named, records)
    is_roboflow = any(is_of_roboflow(path.name) for _, path in images)
    return Export("roboflow" if is_roboflow else "class-folders", said)


def _class_of_folder(name: str, record: Mapping[str, Any]) -> str:
    """Return the class whose folder has this name; the agent escapes what files cannot be named."""
    if name in classes_of(record):
        return name
    label = unquote(name)
    return label if label and class_folder(label) == name else name
