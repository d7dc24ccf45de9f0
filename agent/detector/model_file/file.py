"""The file of a model: checks its checksum and its weight files, and that it does not change."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from agent.detector.model_file.external_data import external_files
from agent.detector.model_file.kind import other_kind, reason_against
from agent.errors import ModelUnusable

Loaded = TypeVar("Loaded")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model's file at the time when it was loaded."""

    path: Path
    sha256: str  # hex
    weight_files: frozenset[Path]  # other files with its weights, in its folder or below
    stamps: Mapping[Path, tuple[int, ...] | None]  # identity of each file; see `_identity`

    def require_unchanged(self) -> None:
        """Raise `OSError` if a file of the model was replaced or written to since loading."""
        changed = [str(path) for path, stamp in self.stamps.items() if _identity(path) != stamp]
        if changed:
            raise OSError(f"{', '.join(changed)} changed since it was loaded")


def checksum(path: Path) -> str:
    """Return the file's sha256 in hex; raises `ModelUnusable`."""
    try:
        reason = reason_against(path, path.stat().st_mode)
        if reason is not None:  # opening a pipe would wait for ever
            raise ModelUnusable(f"cannot read the model {path}: {reason}")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:  # a path with a null byte is a `ValueError`
        raise ModelUnusable(
            f"cannot read the model {path}: {getattr(error, 'strerror', error)}; set AGENT_MODEL "
            "to an ONNX file"
        ) from error


def load_verified(
    path: Path, expected: str | None, load: Callable[[frozenset[Path]], Loaded]
) -> tuple[ModelFile, Loaded]:
    """Check the file, load it, and check that it did not change in the meantime.

    Args:
        path: The model.
        expected: The sha256 in hex that it must have, or None for any.
        load: Reads the file; it gets the other files with weights of the model.

    Returns:
        The file, and the result of `load`.

    Raises:
        ModelUnusable: It cannot be read, has another checksum, has weights outside of its folder,
            or was replaced while it was read; and the errors of `load`.
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
            kind = other_kind(path, opened)
            if kind is not None:
                raise ModelUnusable(f"cannot load the model {path} (AGENT_MODEL): {kind}")
            beside = external_files(path, opened)
    except OSError as error:
        raise ModelUnusable(f"cannot read the model {path}: {error.strerror}") from error
    before |= {each: _identity(each) for each in beside}
    if beside and expected is not None:
        names = ", ".join(sorted(each.name for each in beside))
        raise ModelUnusable(
            f"cannot use the model {path}: AGENT_MODEL_SHA256 does not cover its weights in "
            f"{names}; export it in a single file, or unset AGENT_MODEL_SHA256"
        )
    loaded = load(beside)
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
    """Return values that change when a file is replaced or written to; None if it is missing."""
    try:
        now = path.stat()
    except OSError:
        return None
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns
