"""What a file is, by its name alone."""

from agent.camera.images.folder import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from agent.pool.items import ItemKind

ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz"})

SUPPORTED = f"{' '.join(IMAGE_SUFFIXES)} and {' '.join(VIDEO_SUFFIXES)}"
"""The endings of what is read, for messages."""

OWN_FOLDERS = frozenset({"records", "labels", "clips", "classes", "unclassified", "devices"})
"""Folders of a dataset folder beside `images`: what is in them is no image of its own."""

OWN_FILES = frozenset({"data.yaml", "verdicts.jsonl", "report.json", "report.html", "ids.txt"})
"""Files of a dataset folder, and of a former choice."""

AGENT = "of the agent"
HIDDEN = "hidden"
LINK = "link"
OUTPUT = "in --out"
UNUSABLE = "unusable"
FOLDER = "folder"

_IMAGES = frozenset(IMAGE_SUFFIXES)
_VIDEOS = frozenset(VIDEO_SUFFIXES)
_LONGEST = 12  # characters of an ending; what is longer is a part of the name


def kind_of(name: str) -> ItemKind | None:
    """Return what a file of this name is; None for one that is not read."""
    suffix = _suffix(name)
    if suffix in _IMAGES:
        return ItemKind.IMAGE
    return ItemKind.RECORDING if suffix in _VIDEOS else None


def ending(name: str) -> str:
    """Return by which ending a file that is not read is counted."""
    if name in OWN_FILES:
        return AGENT
    suffix = _suffix(name)
    return suffix if 1 < len(suffix) <= _LONGEST and suffix.isprintable() else "no suffix"


def _suffix(name: str) -> str:
    """Return as `PurePath.suffix` does, in a tenth of its time: millions are asked for."""
    stem, _, last = name.rpartition(".")
    return f".{last.lower()}" if stem and last else ""
