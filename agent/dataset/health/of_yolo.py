"""Reads a YOLO dataset, as trainers and annotation tools have it, for its health check.

`data.yaml` names the classes and, for each split, a folder of images, a text file that lists them,
or several of both. Without it, or if it leads nowhere, each folder `images` counts.
"""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from agent.dataset.annotations.source import ReviewError, finite, text_of
from agent.dataset.annotations.yolo_labels import class_names
from agent.dataset.annotations.yolo_rows import PoseShape, box_of_row
from agent.dataset.classes import CLASSES_MAX, placeholder
from agent.dataset.health.paths import paths_inside
from agent.dataset.health.subject import HealthImage, HealthObject, Layout, ProblemKind, Subject
from agent.printable import printable

IMAGES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
SPLITS = ("train", "val", "valid", "test")
_YAML = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
_LISTS = ("classes.txt", "obj.names")
_UNIT = {"width": 1, "height": 1}
_TOLERANCE = 0.01  # of the image: tools round
_BOX = 5  # columns: class, centre, size
_ROWS_MAX = 10_000  # of one label file
_IMAGES_MAX = 1_000_000


def yaml_of(directory: Path) -> Path | None:
    """Return the file that describes a YOLO dataset, if there is one."""
    return next((directory / name for name in _YAML if (directory / name).is_file()), None)


def is_yolo_folder(directory: Path) -> bool:
    """Return whether `directory` looks like a YOLO dataset."""
    return yaml_of(directory) is not None or any(True for _ in _image_folders(directory))


def read_yolo_folder(directory: Path) -> Subject:
    """Return the images of a YOLO dataset with the objects of their label files.

    Classes without a list of names are called `class 0`, `class 1`, and so on. Raises
    `ConfigurationError` for a list that cannot be read.
    """
    subject = Subject(directory, Layout.YOLO)
    file = yaml_of(directory)
    content = _content(file)
    lists = [directory / name for name in _LISTS if (directory / name).is_file()]
    if file is not None and content.get("names") is not None:
        subject.names = class_names(file)
    elif lists:
        subject.names = class_names(lists[0])
    is_named = bool(subject.names)
    if not is_named:
        subject.names = [placeholder(number) for number in range(CLASSES_MAX)]
    _read_images(subject, content)
    if not is_named:  # as many as are used
        used = set().union(*(each.labels for each in subject.images))
        count = max((n + 1 for n, name in enumerate(subject.names) if name in used), default=0)
        subject.names = subject.names[:count]
    return subject


def _read_images(subject: Subject, content: Mapping[Any, Any]) -> None:
    pose = _pose(content)
    splits: dict[Path, str] = {}
    for split, path in itertools.islice(_images(subject, content), _IMAGES_MAX):
        first = splits.setdefault(path, split)
        if len(splits) > len(subject.images):
            subject.images.append(_image(subject, split, path, pose))
        elif first != split:
            name = _name(subject, path)
            subject.add_problem(ProblemKind.IN_TWO_SPLITS, path, f"in {first} and in {split}", name)
    _note_orphans(subject, splits.keys())


def label_file(image: Path) -> Path:
    """Return the label file of an image: the last folder `images` in its path becomes `labels`."""
    parts = list(image.parts)
    for place in range(len(parts) - 2, 0, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _content(file: Path | None) -> Mapping[Any, Any]:
    if file is None:
        return {}
    try:
        content = yaml.safe_load(text_of(file))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ReviewError(f"cannot read {printable(file)}: {printable(error)}") from error
    return content if isinstance(content, dict) else {}


def _pose(content: Mapping[Any, Any]) -> PoseShape | None:
    stated = content.get("kpt_shape")
    if isinstance(stated, list) and len(stated) == 2 and all(type(n) is int for n in stated):  # noqa: PLR2004
        return PoseShape(*stated)
    return None


def _images(subject: Subject, content: Mapping[Any, Any]) -> Iterator[tuple[str, Path]]:
    """Yield split and path of each image, in order."""
    found = False
    for split in SPLITS:
        places = content.get(split)
        for place in places if isinstance(places, list) else [places]:
            if isinstance(place, str) and place:
                for path in _of_place(subject, content, place):
                    found = True
                    yield "val" if split == "valid" else split, path
    if found:
        return
    for folder in sorted(_image_folders(subject.directory)):
        around = {folder.name, folder.parent.name}
        split = next((name for name in SPLITS if name in around), "")
        for path in _files(folder):
            inner = split or next((name for name in SPLITS if name in path.parts), "")
            yield "val" if inner == "valid" else inner, path


def _of_place(subject: Subject, content: Mapping[Any, Any], place: str) -> Iterator[Path]:
    """Yield the images of one entry of `data.yaml`; no place outside of the dataset is read."""
    top = subject.directory
    root = str(content.get("path") or "")
    shortened = place
    while shortened.startswith("../"):  # as Roboflow exports it
        shortened = shortened[3:]
    choices = [top / root / place, top / place, top / shortened]
    inside = paths_inside(top, choices)
    for choice in inside:
        if choice.is_dir():
            yield from _files(choice)
            return
        if choice.is_file() and choice.suffix == ".txt":
            yield from _listed(subject, choice)
            return
    kind = ProblemKind.BAD_FILE if inside else ProblemKind.OUTSIDE
    subject.add_problem(kind, top / "data.yaml", f"cannot find the images of {printable(place)}")


def _listed(subject: Subject, file: Path) -> Iterator[Path]:
    top = subject.directory
    for line in text_of(file).splitlines():
        if not line.strip():
            continue
        choices = [file.parent / line.strip(), top / line.strip()]
        inside = paths_inside(top, choices)
        if not inside:
            subject.add_problem(ProblemKind.OUTSIDE, file, printable(line))
            continue
        yield next((each for each in inside if each.exists()), inside[0])


def _image_folders(directory: Path) -> Iterator[Path]:
    """Yield the folders named `images`, not those inside of another one."""
    for pattern in ("images", "*/images"):
        yield from (path for path in directory.glob(pattern) if path.is_dir())


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in IMAGES and not path.is_dir():
            yield path


def _image(subject: Subject, split: str, path: Path, pose: PoseShape | None) -> HealthImage:
    name = _name(subject, path)
    labels = label_file(path)
    objects: tuple[HealthObject, ...] | None = ()
    is_labelled = labels.exists()
    if is_labelled:
        try:
            objects = tuple(_objects(subject, labels, name, pose))
        except ReviewError as error:
            subject.add_problem(ProblemKind.BAD_FILE, labels, error, name)
            objects = None
    return HealthImage(name, path, objects, is_labelled=is_labelled, split=split)


def _name(subject: Subject, path: Path) -> str:
    return Path(subject.name_of(path)).with_suffix("").as_posix()


def _objects(
    subject: Subject, labels: Path, name: str, pose: PoseShape | None
) -> Iterator[HealthObject]:
    for number, line in enumerate(text_of(labels).splitlines()[:_ROWS_MAX], 1):
        parts = line.split()
        if not parts:
            continue
        try:
            found = box_of_row(parts, subject.names, _UNIT, pose)
        except ValueError as error:
            kind = _kind(parts, subject.names)
            why = f"line {number}: {printable(line)}: {error}"
            subject.add_problem(kind, labels, why, name)
            if kind is ProblemKind.BOX_OUTSIDE and len(parts) == _BOX:
                yield _whole(parts, subject.names)
            continue
        box = found.box
        yield HealthObject(found.label, (box.x_min, box.y_min, box.x_max, box.y_max))


def _whole(parts: Sequence[str], names: Sequence[str]) -> HealthObject:
    """Return the object of a box that reaches out of the image."""
    x, y, width, height = (min(max(float(part), -10.0), 10.0) for part in parts[1:])
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return HealthObject(names[int(parts[0])], box)


def _kind(parts: Sequence[str], names: Sequence[str]) -> ProblemKind:
    """Return what is wrong with a row."""
    try:
        number, values = int(parts[0]), [finite(part) for part in parts[1:]]
    except ValueError:
        return ProblemKind.BAD_ROW
    if not 0 <= number < len(names):
        return ProblemKind.UNKNOWN_CLASS
    is_outside = not all(-_TOLERANCE <= value <= 1 + _TOLERANCE for value in values[:4])
    return ProblemKind.BOX_OUTSIDE if is_outside and len(values) >= 4 else ProblemKind.BAD_ROW  # noqa: PLR2004


def _note_orphans(subject: Subject, images: Collection[Path]) -> None:
    """Note label files without an image."""
    known = {label_file(path) for path in images}
    folders = {path.parent for path in known if "labels" in path.parts}
    for folder in sorted(folders):
        for path in sorted(folder.glob("*.txt")):
            if path not in known:
                subject.add_problem(ProblemKind.ORPHAN_LABEL, path)
