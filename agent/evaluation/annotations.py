"""What people said of captures: corrected YOLO labels, COCO files, or a verdict on each.

All readers take the records of a dataset by id and answer by id, for the captures they speak of.
They raise `ReviewError`, which names the file and what is wrong in it.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.dataset import yolo
from agent.domain import Box
from agent.evaluation.box_matching import AnnotatedBox
from agent.record.summary import confident

Records = Mapping[str, Mapping[str, Any]]
Truth = Mapping[str, Sequence[AnnotatedBox]]

_ROW = 5  # class, centre, size
_GOOD, _BAD = frozenset({"ok", "pass", "good", "right"}), frozenset({"fail", "bad", "wrong"})
_NAME = re.compile(r"\s*(?:-|(\d+)\s*:)\s*(.+?)\s*")


class ReviewError(ValueError):
    """The labels cannot be used as they are."""


def yolo_labels(folder: Path, names: Sequence[str], records: Records) -> Truth:
    """Boxes of `<id>.txt` files; one without rows says that there is nothing in the image."""
    truth = {}
    for name, record in records.items():
        path = folder / f"{name}.txt"
        if path.is_file():
            truth[name] = list(_rows(path, names, record["image"]))
    return truth


def untouched(folder: Path, names: Sequence[str], records: Records) -> set[str]:
    """Captures whose label file is as the agent wrote it: the model's own boxes."""
    numbers = {name: number for number, name in enumerate(names)}
    same = set()
    for name, record in records.items():
        path = folder / f"{name}.txt"
        sure = confident(record)
        if path.is_file() and all(each["label"] in numbers for each in sure):
            size = record["image"]
            own = yolo.rows(sure, numbers, width=size["width"], height=size["height"])
            if path.read_text(encoding="utf-8") == own:
                same.add(name)
    return same


def class_names(file: Path) -> list[str]:
    """The `names` of a `data.yaml`: ours, or a list or a map in one of the usual forms."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ReviewError(f"cannot read {file}: {error.strerror}") from error
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("names:")), None)
    if start is None:
        raise ReviewError(f"cannot read {file}: it has no `names`")
    inline = lines[start].partition(":")[2].strip()
    if inline:
        parts = inline.strip("[]{} ").split(",")
        return [_unquoted(part.rpartition(":")[2]) for part in parts if part.strip()]
    names: list[str] = []
    for line in lines[start + 1 :]:
        match = _NAME.fullmatch(line)
        if match is None:
            break
        if match[1] is not None and int(match[1]) != len(names):
            raise ReviewError(f"cannot read {file}: its classes are not numbered 0, 1, 2, ...")
        names.append(_unquoted(match[2]))
    return names


def coco_labels(file: Path, content: Any, records: Records) -> Truth:
    """Boxes of a COCO file, by file name; an image without annotations has nothing in it."""
    try:
        labels = {each["id"]: str(each["name"]) for each in content["categories"]}
        found: dict[Any, tuple[str, float, float]] = {}
        truth: dict[str, list[AnnotatedBox]] = {}
        for image in content["images"]:
            name = Path(image["file_name"]).stem
            if name in records:
                size = records[name]["image"]
                across = size["width"] / (image.get("width") or size["width"])
                down = size["height"] / (image.get("height") or size["height"])
                found[image["id"]] = name, across, down
                truth[name] = []
        for each in content["annotations"]:
            if each["image_id"] in found:
                name, across, down = found[each["image_id"]]
                x, y, width, height = (float(side) for side in each["bbox"])
                box = Box(x * across, y * down, (x + width) * across, (y + height) * down)
                crowd = bool(each.get("iscrowd"))
                truth[name].append(AnnotatedBox(labels[each["category_id"]], box, is_crowd=crowd))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReviewError(f"cannot read {file} as COCO: {error!r}") from error
    return truth


def verdicts(file: Path, text: str) -> Mapping[str, bool]:
    """By id whether the frame is right: CSV with `id,verdict`, or JSON with the same."""
    try:
        content = json.loads(text) if file.suffix.lower() == ".json" else None
        if isinstance(content, dict):
            pairs = [(str(key), str(value)) for key, value in content.items()]
        elif content is not None:
            pairs = [(str(each["id"]), str(each["verdict"])) for each in content]
        else:
            table = csv.DictReader(io.StringIO(text), skipinitialspace=True)
            pairs = [(str(row["id"]), str(row["verdict"])) for row in table]
    except (KeyError, TypeError, ValueError) as error:
        raise ReviewError(
            f"cannot read {file}: it must hold an `id` and a `verdict` for each capture"
        ) from error
    said = {}
    for name, word in pairs:
        verdict = word.strip().lower()
        if verdict not in _GOOD | _BAD:
            raise ReviewError(f"cannot read {file}: the verdict {word!r} is neither ok nor fail")
        said[name.strip()] = verdict in _GOOD
    return said


def is_coco(content: Any) -> bool:
    """Whether a JSON file is COCO rather than verdicts."""
    return isinstance(content, dict) and {"images", "annotations", "categories"} <= content.keys()


def _rows(path: Path, names: Sequence[str], size: Mapping[str, Any]) -> Iterator[AnnotatedBox]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        parts = line.split()
        if not parts:
            continue
        try:
            label = dict(enumerate(names))[int(parts[0])]
            x, y, width, height = (float(part) for part in parts[1:_ROW])
        except (ValueError, KeyError) as error:
            raise ReviewError(
                f"cannot read {path}, line {number}: it must be a class of data.yaml, centre and "
                f"size, not {line!r}"
            ) from error
        across, down = size["width"], size["height"]
        yield AnnotatedBox(
            label,
            Box(
                (x - width / 2) * across,
                (y - height / 2) * down,
                (x + width / 2) * across,
                (y + height / 2) * down,
            ),
        )


def _unquoted(text: str) -> str:
    text = text.strip()
    if text.startswith('"'):
        try:
            return str(json.loads(text))
        except ValueError:
            pass
    return text.strip("'\"")
