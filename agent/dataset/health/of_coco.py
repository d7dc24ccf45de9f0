"""Reads images with COCO files for their health check: of annotation tools, and exports."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.dataset.annotations.coco_file import is_coco
from agent.dataset.annotations.source import ReviewError, finite, text_of
from agent.dataset.health.of_yolo import SPLITS
from agent.dataset.health.paths import paths_inside
from agent.dataset.health.subject import HealthImage, HealthObject, Layout, ProblemKind, Subject
from agent.printable import printable

_PATTERNS = ("*.json", "annotations/*.json", "*/_annotations.coco.json", "*/annotations.json")
_NOT_COCO = frozenset({"health.json", "report.json"})
_SIDES = 4


def coco_files(directory: Path) -> list[Path]:
    """Return the files of `directory` that may have annotations."""
    found = {path for pattern in _PATTERNS for path in directory.glob(pattern)}
    return sorted(path for path in found if path.name not in _NOT_COCO and path.is_file())


def read_coco_folder(directory: Path) -> Subject | None:
    """Return the images of the COCO files in `directory`; None if none of its files is one."""
    subject = Subject(directory, Layout.COCO)
    found = False
    for file in coco_files(directory):
        try:
            content = json.loads(text_of(file))
        except (ReviewError, ValueError, RecursionError) as error:
            subject.add_problem(ProblemKind.BAD_FILE, file, printable(error))
            continue
        if is_coco(content):
            found = True
            _add(subject, file, content)
    return subject if found else None


def _add(subject: Subject, file: Path, content: Mapping[str, Any]) -> None:
    names = {}
    for category in _items(content["categories"]):
        names[_number(category.get("id"))] = str(category.get("name"))
    known = set(subject.names)
    subject.names += [name for name in dict.fromkeys(names.values()) if name not in known]
    by_image: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for annotation in _items(content["annotations"]):
        by_image[_number(annotation.get("image_id"))].append(annotation)
    split = _split(file)
    for image in _items(content["images"]):
        number = _number(image.get("id"))
        subject.images.append(_image(subject, file, split, image, names, by_image.pop(number, [])))
    for number, rest in by_image.items():
        why = f"{len(rest)} annotations of image {printable(number)}, which it does not list"
        subject.add_problem(ProblemKind.ORPHAN_LABEL, file, why)


def _items(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))


def _number(value: object) -> object:
    return value if isinstance(value, str | int) else None


def _split(file: Path) -> str:
    words = {file.parent.name, *file.stem.replace("-", "_").split("_")}
    found = next((name for name in SPLITS if name in words or f"{name}2017" in words), "")
    return "val" if found == "valid" else found


def _image(
    subject: Subject,
    file: Path,
    split: str,
    image: Mapping[str, Any],
    names: Mapping[object, str],
    annotations: list[Mapping[str, Any]],
) -> HealthImage:
    stated = str(image.get("file_name", ""))
    path = _path(subject, file, split, stated)
    name = Path(subject.name_of(path)).with_suffix("").as_posix()
    objects = []
    for annotation in annotations:
        try:
            objects.append(_object(image, annotation, names))
        except KeyError:
            why = f"category {printable(annotation.get('category_id'))} is not in the list"
            subject.add_problem(ProblemKind.UNKNOWN_CLASS, file, why, name)
        except (TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
            why = f"annotation {printable(annotation.get('id'))}: {printable(error)}"
            subject.add_problem(ProblemKind.BAD_ROW, file, why, name)
    return HealthImage(name, path, tuple(objects), split=split)


def _object(
    image: Mapping[str, Any], annotation: Mapping[str, Any], names: Mapping[object, str]
) -> HealthObject:
    label = names[_number(annotation.get("category_id"))]
    width, height = finite(image.get("width")), finite(image.get("height"))
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != _SIDES:
        raise ValueError("its `bbox` is no list of four numbers")
    left, top, across, down = map(finite, box)
    if across < 0 or down < 0:
        raise ValueError("its `bbox` has a negative width or height")
    right, bottom = finite((left + across) / width), finite((top + down) / height)
    return HealthObject(label, (left / width, top / height, right, bottom))


def _path(subject: Subject, file: Path, split: str, stated: str) -> Path:
    """Return where an image of a COCO file is; no place outside of the dataset is looked at."""
    top = subject.directory
    places = [
        file.parent / stated,
        file.parent / "images" / stated,
        top / stated,
        top / "images" / stated,
        top / split / stated,
        top / split / "images" / stated,
        top / "images" / split / stated,
    ]
    inside = paths_inside(top, places)
    if not stated or not inside:
        subject.add_problem(ProblemKind.OUTSIDE, file, printable(stated))
        return top / "images" / "unnamed"
    return next((each for each in inside if each.is_file()), inside[0])
