"""Reads folders of YOLO labels as annotation tools export them.

Each tool names the classes in a file of its own; a row is a box, or the corners of a polygon.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from agent.dataset.records import Records
from agent.domain import Box
from agent.evaluation.annotations import ReviewError, Truth, capture_in, finite, text_of
from agent.evaluation.box_matching import AnnotatedBox
from agent.printable import printable

_YAML = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
_LISTS = ("classes.txt", "obj.names")
_IMAGES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
_BOX = 5  # columns: class, centre, size
_BOX_WITH_CONFIDENCE = 6
_POLYGON = 7  # columns at least: class and three corners
_TOLERANCE = 0.01  # tools round, and let a box reach a little out of the image


@dataclass(frozen=True, slots=True)
class LabelFolder:
    """The label files of a folder and of those in it, by capture."""

    names: Sequence[str]  # the label of each class number
    files: Mapping[str, Path]
    images: frozenset[str]  # captures whose image lies there too, so that it was looked at

    def truth(self, records: Records) -> Truth:
        """Return the boxes by capture; raise `ReviewError` for a row that is not understood."""
        return {
            name: list(_rows(path, self.names, records[name]["image"]))
            for name, path in self.files.items()
            if name in records
        }


def read_folder(folder: Path, dataset: Path, records: Records) -> LabelFolder:
    """Look at what an annotation tool exported to `folder`.

    `dataset` is the folder of the records: only labels inside of it have its class numbers.

    Raises `ReviewError` where the classes have no names, or two files speak of one capture.
    """
    files: dict[str, Path] = {}
    images = set()
    for path in sorted(folder.rglob("*")):
        name = capture_in(path.name, records)
        if name is None:
            continue
        if path.suffix.lower() in _IMAGES:
            images.add(name)
        elif path.suffix.lower() == ".txt":
            if name in files and text_of(files[name]) != text_of(path):
                raise ReviewError(
                    f"cannot use {printable(folder)}: {printable(files[name].name)} and "
                    f"{printable(path.name)} differ and are of one capture; export without "
                    "augmentation"
                )
            files[name] = path
    beside = folder.parent / "images"
    if folder.parent.resolve() != dataset.resolve() and beside.is_dir():
        images |= {name for path in beside.rglob("*") if (name := capture_in(path.name, records))}
    return LabelFolder(_names(folder, dataset), files, frozenset(images))


def class_names(file: Path) -> list[str]:
    """Return the names in a YAML file with `names`, or in a list with a name a line."""
    if file.suffix not in {".yaml", ".yml"}:
        lines = text_of(file).splitlines()
        while lines and not lines[-1].strip():
            lines.pop()
        if not lines or not all(line.strip() for line in lines):
            raise ReviewError(f"cannot read {printable(file)}: it must have a name in each line")
        return [line.strip() for line in lines]
    try:
        content = yaml.safe_load(text_of(file))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ReviewError(f"cannot read {printable(file)}: {printable(error)}") from error
    names = content.get("names") if isinstance(content, dict) else None
    if names is None:
        raise ReviewError(f"cannot read {printable(file)}: it has no `names`")
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise ReviewError(
                f"cannot read {printable(file)}: its classes are not numbered 0, 1, 2, ..."
            )
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not all(isinstance(n, str | int | float) for n in names):
        raise ReviewError(
            f"cannot read {printable(file)}: `names` must be a list of names, or a name for each "
            "class number"
        )
    return [str(name) for name in names]


def _names(folder: Path, dataset: Path) -> list[str]:
    """Return the class names of the nearest folder that has them, from `folder` upwards."""
    inside = folder.resolve().is_relative_to(dataset.resolve())
    for place in itertools.islice((folder, *folder.parents), 3):
        found = [place / name for name in (*_YAML, *_LISTS) if (place / name).is_file()]
        if found:
            lists = {str(path.name): class_names(path) for path in found}
            first = lists[found[0].name]
            for name, other in lists.items():
                if other != first:
                    raise ReviewError(
                        f"cannot use {printable(folder)}: {found[0].name} and {name} in "
                        f"{printable(place)} name other classes; keep the one of the labels"
                    )
            return first
        if place == dataset:
            break
    if inside:
        return class_names(dataset / _YAML[0])
    raise ReviewError(
        f"cannot use {printable(folder)}: nothing names its classes; put the data.yaml, "
        "classes.txt or obj.names of the export beside the labels"
    )


def _rows(path: Path, names: Sequence[str], size: Mapping[str, Any]) -> Iterator[AnnotatedBox]:
    for number, line in enumerate(text_of(path).splitlines(), 1):
        parts = line.split()
        if not parts:
            continue
        try:
            yield _row(parts, names, size)
        except ValueError as error:
            raise ReviewError(
                f"cannot read {printable(path)}, line {number}: '{printable(line)}': {error}"
            ) from error


def _row(parts: Sequence[str], names: Sequence[str], size: Mapping[str, Any]) -> AnnotatedBox:
    try:
        place = int(parts[0])
    except ValueError:
        raise ValueError(
            f"its class, '{printable(parts[0], 40)}', must be a whole number; columns are "
            "separated by spaces"
        ) from None
    if not 0 <= place < len(names):
        raise ValueError(f"class {place} has no name; there are {len(names)}")
    values = [finite(part) for part in parts[1:]]
    if not all(-_TOLERANCE <= value <= 1 + _TOLERANCE for value in values):
        raise ValueError("its numbers must be from 0 to 1, as shares of the image")
    if len(parts) == _BOX:
        x, y, width, height = values
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    elif len(parts) >= _POLYGON and len(parts) % 2:
        across, down = values[::2], values[1::2]
        corners = (min(across), min(down), max(across), max(down))
    else:
        kind = (
            "a prediction with its confidence" if len(parts) == _BOX_WITH_CONFIDENCE else "no row"
        )
        raise ValueError(
            f"{len(parts)} columns are {kind}; it must be a class, centre and size, or a class and "
            "the corners of a polygon"
        )
    left, top, right, bottom = corners
    width, height = size["width"], size["height"]
    return AnnotatedBox(
        names[place], Box(left * width, top * height, right * width, bottom * height)
    )
