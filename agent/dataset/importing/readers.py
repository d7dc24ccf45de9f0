"""Recognises by its content what a source is, and reads it.

What is not known is refused with what can be read: a wrong guess would be a wrong review.
"""

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

from agent.dataset.annotations.coco_file import is_coco
from agent.dataset.annotations.label_studio_export import is_label_studio
from agent.dataset.annotations.source import ReviewError, capture_in, text_of
from agent.dataset.annotations.verdict_table import csv_rows
from agent.dataset.importing.archive import is_archive, unpacked
from agent.dataset.importing.class_folders import classified_images, read_class_folders
from agent.dataset.importing.cvat import read_cvat, read_cvat_files
from agent.dataset.importing.image_labels import read_coco_files, read_yolo_folder
from agent.dataset.importing.json_items import first_character, json_items
from agent.dataset.importing.label_studio import (
    is_label_studio_min,
    read_label_studio,
    read_label_studio_min,
)
from agent.dataset.importing.said import Export
from agent.dataset.importing.verdict_rows import read_verdict_rows
from agent.dataset.records import Records
from agent.dataset.verdicts import FILE as VERDICTS
from agent.printable import printable

FORMS = (
    "a JSON export of Label Studio, `CVAT for images 1.1`, COCO, a folder of YOLO labels, or CSV "
    "or JSON with an `id` and a `verdict` for each capture; each also as a zip archive"
)

_FILES_MAX = 1_000_000
_PAPERS = frozenset({"notes.json", "package.json", "readme.txt", "classes.txt"})
_STORED = frozenset({"records", "clips"})  # folders of a dataset that hold no annotations


def read_source(source: Path, dataset: Path, records: Records) -> Export:
    """Return what a file, a folder or a zip archive says of the captures of a dataset.

    Raises `ReviewError` for a source that is not understood, with the reason.
    """
    with _opened(source) as place:
        try:
            found = _read(place, source, dataset, records)
        except ReviewError as error:
            if place == source:
                raise
            # The temporary folder means nothing to a person.
            raise ReviewError(str(error).replace(str(place), str(source))) from error
    return found


@contextmanager
def _opened(source: Path) -> Iterator[Path]:
    if source.is_dir():
        yield source
        return
    try:
        is_zip = is_archive(source)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ReviewError(f"cannot read {printable(source)}: {printable(why)}") from error
    if not is_zip:
        yield source
        return
    with unpacked(source) as folder:
        yield folder


def _read(place: Path, source: Path, dataset: Path, records: Records) -> Export:
    if place.is_dir():
        return _read_folder(place, source, dataset, records)
    if place.name == VERDICTS or place.suffix.lower() == ".jsonl":
        raise ReviewError(
            f"cannot import {printable(source)}: it belongs to a dataset; use `capture-agent "
            "dataset merge` with the folder that it lies in"
        )
    first = first_character(place)
    if first == "<":
        return read_cvat(place, records)
    if first == "[":
        return _read_array(place, records)
    if first == "{":
        return _read_object(place, records)
    try:
        rows = list(csv_rows(text_of(place)))
    except csv.Error as error:
        raise _unknown(place) from error
    if not rows or not {"id", "verdict"} <= rows[0].keys():
        raise _unknown(place)
    return read_verdict_rows(place, rows, records)


def _read_array(file: Path, records: Records) -> Export:
    items = json_items(file)
    head = list(islice(items, 1))
    whole = chain(head, items)
    if is_label_studio(head):
        return read_label_studio(file, whole, records)
    if is_label_studio_min(head):
        return read_label_studio_min(file, whole, records)
    if _has_verdicts(head):
        return read_verdict_rows(file, _objects(file, whole), records)
    raise _unknown(file)


def _is_read_array(file: Path) -> bool:
    """Whether a file holds an array that can be read: other arrays lie beside many exports."""
    if first_character(file) != "[":
        return False
    head = list(islice(json_items(file), 1))
    return is_label_studio(head) or is_label_studio_min(head) or _has_verdicts(head)


def _has_verdicts(head: Sequence[Any]) -> bool:
    return bool(head) and isinstance(head[0], dict) and {"id", "verdict"} <= head[0].keys()


def _objects(file: Path, items: Iterator[Any]) -> Iterator[Mapping[str, Any]]:
    for item in items:
        if not isinstance(item, dict):
            raise _unknown(file)
        yield item


def _read_object(file: Path, records: Records) -> Export:
    content = _json(file)
    if is_coco(content):
        return read_coco_files({file: content}, records)
    if content and all(isinstance(value, str) for value in content.values()):
        rows = ({"id": name, "verdict": word} for name, word in content.items())
        return read_verdict_rows(file, rows, records)
    raise _unknown(file)


def _read_folder(folder: Path, source: Path, dataset: Path, records: Records) -> Export:
    """Return what the only export in a folder says."""
    folder = _without_wrapping(folder)
    if folder.resolve() == dataset.resolve():
        raise ReviewError(
            f"cannot import {printable(source)}: it is the dataset itself; name its folder "
            "`labels`, if people edited the files there"
        )
    files = list(islice(_files(folder), _FILES_MAX + 1))
    if len(files) > _FILES_MAX:
        raise ReviewError(f"cannot read {printable(source)}: it has more than {_FILES_MAX} files")
    has_rows = any(
        path.suffix.lower() == ".txt" and capture_in(path.name, records) for path in files
    )
    by_suffix: dict[str, list[Path]] = {}
    for path in files:
        by_suffix.setdefault(path.suffix.lower(), []).append(path)
    coco = {path: content for path in by_suffix.get(".json", ()) if is_coco(content := _peek(path))}
    drawn = by_suffix.get(".xml", [])
    singles = [path for path in by_suffix.get(".json", ()) if _is_read_array(path)]
    singles += by_suffix.get(".csv", [])
    kinds = [bool(coco), has_rows, bool(drawn), *(True for _ in singles)]
    if sum(kinds) > 1:
        names = sorted(path.name for path in (*coco, *drawn, *singles))
        more = ["YOLO labels"] if has_rows else []
        raise ReviewError(
            f"cannot import {printable(source)}: it holds several exports "
            f"({printable(', '.join([*names, *more][:6]))}); name the one that counts"
        )
    if coco:
        return read_coco_files(coco, records)
    if drawn:
        return read_cvat_files(drawn, records)
    images = [] if has_rows or singles else classified_images(files, records)
    if images:
        return read_class_folders(folder, images, records)
    if singles:
        return _read(singles[0], source, dataset, records)
    return read_yolo_folder(folder, dataset, records)


def _without_wrapping(folder: Path) -> Path:
    """Return the only folder in a folder that has nothing else, as many archives are made."""
    for _ in range(3):
        inside = [each for each in islice(folder.iterdir(), 3) if each.name != "__MACOSX"]
        if len(inside) != 1 or not inside[0].is_dir() or inside[0].is_symlink():
            break
        folder = inside[0]
    return folder


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder that may be annotations; links to folders are not followed."""
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _STORED)
        for name in sorted(names):
            if name.lower() not in _PAPERS and not name.startswith("."):
                yield Path(where) / name


def _peek(file: Path) -> Any:
    """Return the content of a JSON file that holds an object; None for any other."""
    return _json(file) if first_character(file) == "{" else None


def _json(file: Path) -> Any:
    try:
        return json.loads(text_of(file))
    except (ValueError, RecursionError) as error:
        raise ReviewError(
            f"cannot read {printable(file)}: it is no valid JSON: {printable(error)}"
        ) from error


def _unknown(file: Path) -> ReviewError:
    return ReviewError(f"cannot read {printable(file)}: it is none of what can be read: {FORMS}")
