"""The file that holds a model: whole, the one expected, and reaching for nothing elsewhere."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agent.detector.external import external_files
from agent.errors import ConfigurationError

Loaded = TypeVar("Loaded")


def checksum(path: Path) -> str:
    """Return the file's sha256 in hex; raises `ConfigurationError`."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the model {path}: {error.strerror}; set AGENT_MODEL to an ONNX file"
        ) from error


def verified(path: Path, expected: str | None, load: Callable[[], Loaded]) -> tuple[str, Loaded]:
    """Check the file, load it, and make sure that it was the same file all the while.

    Args:
        path: The model.
        expected: The sha256 in hex that it must have, or None for any.
        load: Reads the file.

    Returns:
        The sha256 in hex, and what `load` gave.

    Raises:
        ConfigurationError: It cannot be read, is another one, takes weights from outside of its
            folder, or was replaced while it was read; or as `load` does.
    """
    found = checksum(path)
    before = _identity(path)
    if expected is not None and found != expected.strip().lower():
        raise ConfigurationError(
            f"cannot use the model {path}: its sha256 is {found}, but AGENT_MODEL_SHA256 is "
            f"{expected}; replace the file or the setting"
        )
    with path.open("rb") as file:
        beside = external_files(path, file)
    if beside and expected is not None:
        names = ", ".join(sorted(each.name for each in beside))
        raise ConfigurationError(
            f"cannot use the model {path}: AGENT_MODEL_SHA256 does not cover its weights in "
            f"{names}; export it in a single file, or unset AGENT_MODEL_SHA256"
        )
    loaded = load()
    if beside is None:
        raise ConfigurationError(
            f"cannot use the model {path}: it is written in a way that hides where its weights "
            "are; export it again"
        )
    if _identity(path) != before:
        raise ConfigurationError(
            f"cannot use the model {path}: it was replaced while it was being read; try again, "
            "and put a new model in place by renaming it"
        )
    return found, loaded


def _identity(path: Path) -> tuple[int, ...] | None:
    """What changes when a file is replaced or written to; None where it is gone."""
    try:
        now = path.stat()
    except OSError:
        return None
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns
