"""Reads folders of YOLO labels as annotation tools export them.

Each tool names the classes in a file of its own; rows are of any task (`yolo_rows`).
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.dataset.annotations.source import ReviewError, Truth, capture_in, text_of
from agent.dataset.annotations.yolo_rows import PoseShape, box_of_row, pose_of
from agent.dataset.records import Records
from agent.printable import printable

_YAML = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
_LISTS = ("classes.txt", "obj.names")
_IMAGES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
_LINE_SHOWN = 200  # characters of a row


@dataclass(frozen=True, slots=True)
class LabelFolder:
    """The label files of a folder and of those in it, by capture."""

    names: Sequence[str]  # the label of each class number
    files: Mapping[str, Path]
    images: frozenset[str]  # captures whose image lies there too, so that it was looked at
    pose: PoseShape | None = None  # the `kpt_shape` of its YAML file

    def truth(self, records: Records) -> Truth:
        """Return the boxes by capture; raise `ReviewError` for a row that is not understood."""
        return {
            name: list(_rows(path, self.names, records[name], pose_of(self.pose, records[name])))
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
    names, place = _names(folder, dataset)
    return LabelFolder(names, files, frozenset(images), _pose(place))


def class_names(file: Path) -> list[str]:
    """Return the names in a YAML file with `names`, or in a list with a name a line."""
    if file.suffix not in {".yaml", ".yml"}:
        lines = text_of(file).splitlines()
        while lines and not lines[-1].strip():
            lines.pop()
        if not lines or not all(line.strip() for line in lines):
            raise ReviewError(f"cannot read {printable(file)}: it must have a name in each line")
        return [line.strip() for line in lines]
    names = _content(file).get("names")
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


def _content(file: Path) -> Mapping[Any, Any]:
    """Return what a YAML file holds; nothing if it is not an object."""
    try:
        content = yaml.safe_load(text_of(file))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ReviewError(f"cannot read {printable(file)}: {printable(error)}") from error
    return content if isinstance(content, dict) else {}


def _pose(place: Path) -> PoseShape | None:
    """Return the keypoints that a YAML file in a folder states, if it has one that does."""
    for file in (place / name for name in _YAML if (place / name).is_file()):
        stated = _content(file).get("kpt_shape")
        if stated is None:
            continue
        fits = isinstance(stated, list) and len(stated) == 2  # noqa: PLR2004
        if not fits or not all(isinstance(each, int) and each > 0 for each in stated):
            raise ReviewError(f"cannot read {printable(file)}: `kpt_shape` must be two numbers")
        if stated[1] not in {2, 3}:
            raise ReviewError(
                f"cannot read {printable(file)}: the second number of `kpt_shape` must be 2 or 3, "
                f"not {stated[1]}"
            )
        return PoseShape(*stated)
    return None


def _names(folder: Path, dataset: Path) -> tuple[list[str], Path]:
    """Return the class names of the nearest folder that has them, from `folder` upwards.

    That folder comes with them.
    """
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
            return first, place
        if place == dataset:
            break
    if inside and (dataset / _YAML[0]).is_file():
        return class_names(dataset / _YAML[0]), dataset
    raise ReviewError(
        f"cannot use {printable(folder)}: nothing names its classes; put the data.yaml, "
        "classes.txt or obj.names of the export beside the labels"
    )


def _rows(
    path: Path, names: Sequence[str], record: Mapping[str, Any], pose: PoseShape | None
) -> Iterator[AnnotatedBox]:
    for number, line in enumerate(text_of(path).splitlines(), 1):
        parts = line.split()
        if not parts:
            continue
        try:
            yield box_of_row(parts, names, record["image"], pose)
        except ValueError as error:
            raise ReviewError(
                f"cannot read {printable(path)}, line {number}: "
                f"'{printable(line, _LINE_SHOWN)}': {error}"
            ) from error
