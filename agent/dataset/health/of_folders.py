"""Reads a classifier's dataset, a folder for each class in each split, for its health check."""

from pathlib import Path

from agent.dataset.health.of_yolo import IMAGES, SPLITS
from agent.dataset.health.subject import HealthImage, Layout, Subject


def split_folders(directory: Path) -> list[Path]:
    """Return the folders of splits in which images lie in a folder of their class."""
    found = [directory / split for split in SPLITS]
    return [folder for folder in found if any(True for _ in _images(folder))]


def read_class_folders(directory: Path) -> Subject:
    """Return the images of `train/CLASS/`, `val/CLASS/` and `test/CLASS/`."""
    subject = Subject(directory, Layout.FOLDERS)
    names = set()
    for folder in split_folders(directory):
        split = "val" if folder.name == "valid" else folder.name
        names |= {path.name for path in folder.iterdir() if path.is_dir()}
        for path in sorted(_images(folder)):
            name = Path(subject.name_of(path)).with_suffix("").as_posix()
            subject.images.append(HealthImage(name, path, (), (path.parent.name,), split=split))
    subject.names = sorted(names)
    return subject


def _images(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*/*") if path.suffix.lower() in IMAGES]
