"""What COCO files and YOLO labels say of captures, as many tools write them.

Neither says who looked at an image, and when.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.dataset.annotations.coco_file import read_coco
from agent.dataset.annotations.source import capture_in, require_first
from agent.dataset.annotations.yolo_labels import read_folder
from agent.dataset.importing.said import Export, Said
from agent.dataset.records import Records

_ROBOFLOW = re.compile(r"_(?:jpe?g|png)\.rf\.[0-9A-Za-z]+\.")
"""In the name of an image that Roboflow exported."""

_DARKNET = re.compile(r"obj_\w+_data")
"""The folder of labels in CVAT's export `YOLO 1.1`."""


def read_coco_files(files: Mapping[Path, Any], records: Records) -> Export:
    """Return what COCO files of one export say: Roboflow writes one for each split.

    Raises `ReviewError` for what is not understood, or a capture that is in two of them.
    """
    said: dict[str, Said] = {}
    labels: set[str] = set()
    sizes: dict[str, tuple[float, float]] = {}
    foreign, tools = 0, set()
    for file, content in files.items():
        found = read_coco(file, content, records)
        tool = _coco_tool(content)
        at = _export_time(content) if tool == "roboflow" else None
        for name, boxes in found.truth.items():
            require_first(name, said, file)
            said[name] = Said(boxes, at=at)
        labels |= found.labels
        sizes |= found.sizes
        foreign += found.foreign
        tools.add(tool)
    tool = tools.pop() if len(tools) == 1 else "coco"
    return Export(tool, said, foreign=foreign, labels=_shown(tool, labels), sizes=sizes)


def read_yolo_folder(folder: Path, dataset: Path, records: Records) -> Export:
    """Return what label files say; an image without one has no object.

    Raises `ReviewError` for what is not understood.
    """
    detected = {name: record for name, record in records.items() if "detections" in record}
    found = read_folder(folder, dataset, detected)
    truth = found.truth(detected)
    said = {name: Said(boxes) for name, boxes in truth.items()}
    said |= {name: Said(()) for name in found.images & detected.keys() - truth.keys()}
    names = list(_names(folder))
    tool = _yolo_tool(folder, names)
    foreign = {
        Path(name).stem
        for name in names
        if name.lower().endswith((".jpg", ".jpeg", ".png")) and capture_in(name, records) is None
    }
    return Export(tool, said, foreign=len(foreign), labels=_shown(tool, found.names))


def is_of_roboflow(name: str) -> bool:
    """Whether a file has a name as Roboflow gives it."""
    return bool(_ROBOFLOW.search(name))


def _shown(tool: str, labels: Sequence[str] | set[str]) -> frozenset[str] | None:
    """Return all labels that the tool can show.

    Roboflow lists those that some image has: it takes any label of an upload.
    """
    return None if tool == "roboflow" else frozenset(labels)


def _coco_tool(content: Mapping[str, Any]) -> str:
    info = content.get("info")
    about = " ".join(map(str, info.values())).lower() if isinstance(info, dict) else ""
    if any(is_of_roboflow(str(each["file_name"])) for each in content["images"]):
        return "roboflow"
    if "label studio" in about:
        return "label-studio"
    is_cvat = any(
        isinstance(each.get("attributes"), dict) and "occluded" in each["attributes"]
        for each in content["annotations"]
    )
    return "cvat" if is_cvat else "coco"


def _yolo_tool(folder: Path, names: Sequence[str]) -> str:
    if any(map(is_of_roboflow, names)):
        return "roboflow"
    if any(_DARKNET.fullmatch(part) for part in (folder.name, *_folders(folder))):
        return "cvat"
    return "label-studio" if (folder / "notes.json").is_file() else "yolo"


def _export_time(content: Mapping[str, Any]) -> float | None:
    """Return when the file was exported, in seconds since 1970 UTC, if it says so."""
    info = content.get("info")
    text = info.get("date_created") if isinstance(info, dict) else None
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return at.timestamp() if at is not None and at.tzinfo is not None else None


def _names(folder: Path) -> Iterator[str]:
    for _, _, names in os.walk(folder):
        yield from names


def _folders(folder: Path) -> Iterator[str]:
    for _, names, _ in os.walk(folder):
        yield from names
