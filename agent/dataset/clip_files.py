"""The clip of a capture as files that every tool opens.

clips/<id>/001.jpg, 002.jpg, ...    the frames, in order
clips/<id>/times.json               of each its file and its seconds from the capture, written last
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.errors import UnfitCapture
from agent.files import Disk
from agent.record.validation import check_clip, split_clip

TIMES = "times.json"
_JPEG_BEGIN, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


def require_clip(record: Mapping[str, Any], clip: bytes) -> None:
    """Check that `clip` is the one that a record describes, and that it has JPEGs.

    Raises `UnfitCapture`, with the reason.
    """
    try:
        check_clip(record, clip)
    except ValueError as error:
        raise UnfitCapture(f"cannot store {record.get('id')}: {error}") from error
    for _, image in split_clip(record, clip):
        if not (image.startswith(_JPEG_BEGIN) and image.endswith(_JPEG_END)):
            raise UnfitCapture(f"cannot store {record.get('id')}: its clip is not of JPEGs")


def write_clip(disk: Disk, folder: Path, record: Mapping[str, Any], clip: bytes) -> None:
    """Write the frames of a checked clip into `folder`, durably. Raises `OSError`."""
    disk.make_directory(folder)
    rows = []
    for number, (at, image) in enumerate(split_clip(record, clip), start=1):
        name = f"{number:03d}.jpg"
        disk.write_durably(folder / name, image)
        rows.append({"file": name, "at": at})
    disk.write_durably(folder / TIMES, json.dumps({"frames": rows}, indent=1).encode())


def is_written(disk: Disk, folder: Path) -> bool:
    """Return whether `folder` has a whole clip."""
    return disk.size(folder / TIMES) > 0
