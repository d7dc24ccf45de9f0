"""The clip of a capture as files that every tool opens.

clips/<id>/001.jpg, 002.jpg, ...    the frames, in order
clips/<id>/clip.mp4                 or in place of them one video, in which each has its own time
clips/<id>/times.json               of each frame its seconds from the capture, and the file that
                                    it is in; written last
"""

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from agent.errors import UnfitCapture
from agent.files import Disk, read_regular_file
from agent.record.validation import check_clip, split_clip

TIMES = "times.json"
VIDEO = "clip.mp4"
_FILE = re.compile(r"\d{1,6}\.jpg|clip\.mp4")
_TIMES_MAX = 1_000_000  # bytes
_JPEG_BEGIN, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


class ClipForm(StrEnum):
    """What the clip of a capture becomes."""

    FRAMES = "frames"  # the JPEGs as they were sent
    MP4 = "mp4"  # one video of them; a clip that cannot be decoded stays frames


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


def write_clip(
    disk: Disk, folder: Path, *, record: Mapping[str, Any], clip: bytes, form: ClipForm
) -> None:
    """Write a checked clip into `folder`, durably. Raises `OSError`."""
    frames = split_clip(record, clip)
    files = {f"{number:03d}.jpg": image for number, (_, image) in enumerate(frames, start=1)}
    names = list(files)
    if form is ClipForm.MP4 and (video := _video(record, frames)) is not None:
        files, names = {VIDEO: video}, [VIDEO] * len(frames)
    disk.make_directory(folder)
    for name, data in files.items():
        disk.write_durably(folder / name, data)
    rows = [{"file": name, "at": at} for name, (at, _) in zip(names, frames, strict=True)]
    disk.write_durably(folder / TIMES, json.dumps({"frames": rows}, indent=1).encode())


def copy_clip(disk: Disk, folder: Path, *, source: Path) -> None:
    """Copy the files of a clip that was written into `source`, durably.

    Raises `ValueError` if it is not a whole clip, `OSError`.
    """
    try:
        times = read_regular_file(source / TIMES, _TIMES_MAX)
        names = {row["file"] for row in json.loads(times)["frames"]}
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(f"{TIMES} of its clip is missing or invalid") from None
    if not all(isinstance(name, str) and _FILE.fullmatch(name) for name in names):
        raise ValueError(f"{TIMES} of its clip names files that no clip has")
    missing = sorted(name for name in names if not (source / name).is_file())
    if missing:
        raise ValueError(f"{missing[0]} of its clip is missing")
    disk.make_directory(folder)
    for name in sorted(names):
        disk.copy(source / name, folder / name)
        disk.sync_name(folder / name)
    disk.write_durably(folder / TIMES, times)


def is_written(disk: Disk, folder: Path) -> bool:
    """Return whether `folder` has a whole clip."""
    return disk.size(folder / TIMES) > 0


def _video(record: Mapping[str, Any], frames: list[tuple[float, bytes]]) -> bytes | None:
    from agent.dataset.clip_video import mp4_of  # loads PyAV, which the form `frames` needs not

    about = record["clip"]
    return mp4_of(frames, width=about["width"], height=about["height"])
