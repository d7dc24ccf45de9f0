"""Folders as people and devices leave them; listing looks at no content."""

from pathlib import Path

from agent.dataset.folder import Dataset
from agent.files import Disk
from tests.fakes.captures import capture_id, stored_capture


def with_files(folder: Path, *names: str) -> Path:
    """Make files with their folders; return the folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def with_captures(folder: Path, *numbers: int) -> Path:
    """Store captures in a dataset folder, as a receiver does; return the folder."""
    dataset = Dataset(folder, Disk())
    for number in numbers:
        capture = stored_capture(number)
        dataset.store(capture.record_json, capture.image)
    return folder


def with_delivered(folder: Path, *numbers: int) -> Path:
    """Write captures into a folder as devices deliver them to a bucket; return the folder."""
    folder.mkdir(parents=True)
    for number in numbers:
        capture = stored_capture(number)
        (folder / f"{capture_id(number)}.json").write_bytes(capture.record_json)
        (folder / f"{capture_id(number)}.jpg").write_bytes(capture.image)
    return folder
