"""Opens a dataset of any layout for its health check."""

from pathlib import Path

from agent.dataset.health.of_captures import is_capture_folder, read_capture_folder
from agent.dataset.health.of_coco import read_coco_folder
from agent.dataset.health.of_yolo import is_yolo_folder, read_yolo_folder
from agent.dataset.health.subject import Subject
from agent.errors import ConfigurationError
from agent.printable import printable


def read_subject(directory: Path) -> Subject:
    """Return the images and labels in `directory`.

    Raises `ConfigurationError` if it is no dataset of a known layout.
    """
    if not directory.is_dir():
        raise ConfigurationError(
            f"cannot check {printable(directory)}: it is no folder; name a dataset folder"
        )
    top = directory.absolute()
    if is_capture_folder(top):
        return read_capture_folder(top)
    # Of an export for several tools, the file with more facts is read.
    if not is_yolo_folder(top) or any(top.glob("*/_annotations.coco.json")):
        found = read_coco_folder(top)
        if found is not None:
            return found
    if is_yolo_folder(top):
        found = read_yolo_folder(top)
        if found.images or found.problems:
            return found
        coco = read_coco_folder(top)
        return coco if coco is not None else found
    raise ConfigurationError(
        f"cannot check {printable(directory)}: it has neither records/ (a dataset folder of the "
        "agent), nor data.yaml or images/ (YOLO), nor a COCO file; name the folder that does"
    )
