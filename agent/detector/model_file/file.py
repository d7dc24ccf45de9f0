"""The file that holds a model: whole, the one expected, and reaching for nothing elsewhere."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from agent.detector.model_file.external_data import external_files
from agent.errors import ModelUnusable

Loaded = TypeVar("Loaded")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model's file as it was when it was loaded."""

    path: Path
    sha256: str  # hex
    beside: frozenset[Path]  # other files that hold its weights, in its folder or below
    stamps: Mapping[Path, tuple[int, ...] | None]  # what told each of them from another

    def require_unchanged(self) -> None:
        """Raise `OSError` if a file of it was replaced or written to since."""
        changed = [str(path) for path, stamp in self.stamps.items() if _identity(path) != stamp]
        if changed:
            raise OSError(f"{', '.join(changed)} changed since it was loaded")


def checksum(path: Path) -> str:
    """Return the file's sha256 in hex; raises `ModelUnusable`."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnusable(
            f"cannot read the model {path}: {error.strerror}; set AGENT_MODEL to an ONNX file"
        ) from error


def verified(
    path: Path, expected: str | None, load: Callable[[], Loaded]
) -> tuple[ModelFile, Loaded]:
    """Check the file, load it, and make sure that it was the same file all the while.

    Args:
        path: The model.
        expected: The sha256 in hex that it must have, or None for any.
        load: Reads the file.

    Returns:
        The file, and what `load` gave.

    Raises:
        ModelUnusable: It cannot be read, is another one, takes weights from outside of its
            folder, or was replaced while it was read; or as `load` does.
    """
    found = checksum(path)
    before = {path: _identity(path)}
    if expected is not None and found != expected.strip().lower():
        raise ModelUnusable(
            f"cannot use the model {path}: its sha256 is {found}, but AGENT_MODEL_SHA256 is "
            f"{expected}; replace the file or the setting"
        )
    try:
        with path.open("rb") as opened:
            beside = external_files(path, opened)
    except OSError as error:
        raise ModelUnusable(f"cannot read the model {path}: {error.strerror}") from error
    before |= {each: _identity(each) for each in beside or ()}
    if beside and expected is not None:
        names = ", ".join(sorted(each.name for each in beside))
        raise ModelUnusable(
            f"cannot use the model {path}: AGENT_MODEL_SHA256 does not cover its weights in "
            f"{names}; export it in a single file, or unset AGENT_MODEL_SHA256"
        )
    loaded = load()
    if beside is None:
        raise ModelUnusable(
            f"cannot use the model {path}: it is written in a way that hides where its weights "
            "are; export it again"
        )
    file = ModelFile(path, found, beside, before)
    try:
        file.require_unchanged()
    except OSError as error:
        raise ModelUnusable(
            f"cannot use the model {path}: it was replaced while it was being read; try again, "
            "and put a new model in place by renaming it"
        ) from error
    return file, loaded


def _identity(path: Path) -> tuple[int, ...] | None:
    """What changes when a file is replaced or written to; None where it is gone."""
    try:
        now = path.stat()
    except OSError:
        return None
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns
