"""What people said of captures: boxes in COCO files or YOLO labels, or a verdict on each.

All readers take the records of a dataset and answer by the ids of captures. Annotation tools put
text of their own around a file's name, so an id is found anywhere in it. What is not understood is
refused: a wrong guess would be a wrong figure.
"""

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.dataset.classes import labels_of_model
from agent.dataset.records import Records
from agent.domain import Box
from agent.errors import ConfigurationError
from agent.evaluation.box_matching import AnnotatedBox
from agent.files import read_regular_file
from agent.printable import printable
from agent.record.shapes import bounds

Truth = Mapping[str, Sequence[AnnotatedBox]]
"""The boxes of each capture that has an annotation; none where nothing is in the image."""

FILE_MAX = 500_000_000
"""Bytes of one file of annotations."""

_GOOD, _BAD = frozenset({"ok", "pass", "good", "right"}), frozenset({"fail", "bad", "wrong"})
_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class ReviewError(ConfigurationError):
    """The annotations cannot be used as they are."""


def text_of(file: Path) -> str:
    """Return the text of a file; UTF-8, or UTF-16 with its mark, as spreadsheets write it.

    Raises `ReviewError`, as all functions of this module do.
    """
    try:
        data = read_regular_file(file, FILE_MAX)
        return data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8-sig")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ReviewError(f"cannot read {printable(file)}: {printable(why)}") from error


def capture_in(name: str, records: Records) -> str | None:
    """Return the id that stands in a file's name, or None if none of `records` has it."""
    return next((found for found in _ID.findall(name.lower()) if found in records), None)


def require_labels_of_model(
    file: Path, truth: Truth, records: Mapping[str, Mapping[str, Any]]
) -> None:
    """Raise `ReviewError` where labels are the model's in another spelling, or none is the model's.

    Tools change letters and spaces (`Traffic-Light`); such a box would match nothing.
    """
    listed, reported = set[str](), set[str]()
    for record in records.values():
        listed |= set(labels_of_model(record))
        reported |= {str(each["label"]) for each in record.get("detections", [])}
    spelled = {_folded(label): label for label in sorted(listed | reported)}
    said = {each.label for name in truth if name in records for each in truth[name]}
    for label in sorted(said - listed - reported):
        if _folded(label) in spelled:
            raise ReviewError(
                f"cannot use {printable(file)}: it names a class '{printable(label)}', and the "
                f"model '{printable(spelled[_folded(label)])}'; rename the class in the list of "
                "classes, or in the COCO file, as the model does"
            )
    if said and listed and said.isdisjoint(listed | reported):
        theirs, ours = (", ".join(sorted(each)[:5]) for each in (said, listed))
        raise ReviewError(
            f"cannot use {printable(file)}: none of its classes ({printable(theirs)}) is one of "
            f"the model's ({printable(ours)}); name them as the model does"
        )


def _folded(label: str) -> str:
    return " ".join(re.split(r"[\s_-]+", label.casefold().strip()))


def coco_labels(file: Path, content: Any, records: Records) -> Truth:
    """Return the boxes of a COCO file; an image without annotations has nothing in it."""
    try:
        labels = {each["id"]: str(each["name"]) for each in content["categories"]}
        found: dict[Any, tuple[str, float, float]] = {}
        truth: dict[str, list[AnnotatedBox]] = {}
        for image in content["images"]:
            name = capture_in(str(image["file_name"]), records)
            if name is not None:
                require_first(name, truth, file)
                size = records[name]["image"]
                across = size["width"] / (image.get("width") or size["width"])
                down = size["height"] / (image.get("height") or size["height"])
                found[image["id"]] = name, across, down
                truth[name] = []
        for each in content["annotations"]:
            if each["image_id"] in found:
                name, across, down = found[each["image_id"]]
                left, top, right, bottom = _coco_sides(each)
                box = Box(left * across, top * down, right * across, bottom * down)
                truth[name].append(
                    AnnotatedBox(
                        labels[each["category_id"]],
                        box,
                        is_crowd=bool(each.get("iscrowd")),
                        is_bounds=bool(each.get("segmentation") or each.get("keypoints")),
                    )
                )
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ReviewError(
            f"cannot read {printable(file)} as COCO: {printable(repr(error))}"
        ) from error
    return truth


def _coco_sides(annotation: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Return the sides of an annotation's `bbox`; without one, of its polygons."""
    bbox, polygons = annotation.get("bbox"), annotation.get("segmentation")
    if not bbox and isinstance(polygons, list) and polygons:
        numbers = [[finite(number) for number in polygon] for polygon in polygons]
        points = [point for each in numbers for point in zip(each[::2], each[1::2], strict=True)]
        return bounds(points)
    x, y, width, height = (finite(side) for side in annotation["bbox"])
    return x, y, x + width, y + height


def verdicts(file: Path, text: str, records: Records) -> Mapping[str, bool]:
    """Return by id whether the frame is right: CSV with `id,verdict`, or JSON with the same.

    Columns may be separated by commas, semicolons or tabs; the id may be the image's file name.
    """
    try:
        pairs = list(_json_pairs(text) if file.suffix.lower() == ".json" else _csv_pairs(text))
    except (KeyError, TypeError, ValueError, RecursionError, csv.Error) as error:
        raise ReviewError(
            f"cannot read {printable(file)}: it must hold an `id` and a `verdict` for each capture"
        ) from error
    said: dict[str, bool] = {}
    for name, word in pairs:
        verdict = word.strip().lower()
        if verdict not in _GOOD | _BAD:
            raise ReviewError(
                f"cannot read {printable(file)}: the verdict '{printable(word)}' is neither ok "
                "nor fail"
            )
        capture = capture_in(name, records) or name.strip()
        if said.setdefault(capture, verdict in _GOOD) is not (verdict in _GOOD):
            raise ReviewError(
                f"cannot read {printable(file)}: it says both ok and fail of {printable(capture)}"
            )
    return said


def is_coco(content: Any) -> bool:
    """Whether a JSON file is COCO rather than verdicts."""
    return isinstance(content, dict) and {"images", "annotations", "categories"} <= content.keys()


def finite(value: object) -> float:
    """Return a number of a file; raise `ValueError` if it is not a finite one."""
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise ValueError(f"{number} is not a finite number")
    return number


def require_first(name: str, truth: Mapping[str, object], file: Path) -> None:
    """Raise `ReviewError` for a second image of a capture."""
    if name in truth:
        raise ReviewError(
            f"cannot use {printable(file)}: it has several images of the capture {name}; export "
            "without augmentation"
        )


def _json_pairs(text: str) -> Iterator[tuple[str, str]]:
    content = json.loads(text)
    if isinstance(content, dict):
        yield from ((str(key), str(value)) for key, value in content.items())
    else:
        yield from ((str(each["id"]), str(each["verdict"])) for each in content)


def _csv_pairs(text: str) -> Iterator[tuple[str, str]]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    table = csv.DictReader(io.StringIO(text), skipinitialspace=True, delimiter=delimiter)
    for row in table:
        cells = {str(key).strip().lower(): str(value) for key, value in row.items()}
        if any(cell.strip() for cell in cells.values()):
            yield cells["id"], cells["verdict"]
