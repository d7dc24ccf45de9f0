"""Opens a dataset of any layout for its health check."""

from pathlib import Path

from agent.dataset.health.manifest import add_manifest
from agent.dataset.health.of_captures import is_capture_folder, read_capture_folder
from agent.dataset.health.of_coco import read_coco_folder
from agent.dataset.health.of_folders import read_class_folders, split_folders
from agent.dataset.health.of_yolo import is_yolo_folder, read_yolo_folder
from agent.dataset.health.subject import Subject
from agent.errors import ConfigurationError
from agent.printable import printable


def read_subject(directory: Path) -> Subject:
    """Return the images and labels in `directory`.

    Raises `ConfigurationError` if it is no dataset of a known layout.
    """
    found = _read(directory)
    # One order for all layouts: of captures that of time.
    found.images.sort(key=lambda each: (each.path.name, each.name))
    return found


def _read(directory: Path) -> Subject:
    if not directory.is_dir():
        raise ConfigurationError(
            f"cannot check {printable(directory)}: it is no folder; name a dataset folder"
        )
    top = directory.absolute()
    if is_capture_folder(top):
        return read_capture_folder(top)
    found = _exported(top)
    if found is not None:
        add_manifest(found)
        return found
    raise ConfigurationError(
        f"cannot check {printable(directory)}: it has neither records/ (a dataset folder of the "
        "agent), nor data.yaml or images/ (YOLO), nor a COCO file, nor train/CLASS/; name the "
        "folder that does"
    )


def _exported(top: Path) -> Subject | None:
    """Return a dataset of another layout than the agent's own; None if it has none of them."""
    is_yolo = is_yolo_folder(top)
    if not is_yolo or not any(top.rglob("labels")):  # the images of a COCO file may lie alike
        coco = read_coco_folder(top)
        if coco is not None:
            return coco
    if is_yolo:
        return read_yolo_folder(top)
    return read_class_folders(top) if split_folders(top) else None
