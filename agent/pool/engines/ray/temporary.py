"""The private folder of a Ray that is started for one run: its logs and sockets."""

import os
import shutil
import tempfile
from pathlib import Path

from agent.errors import ConfigurationError
from agent.printable import printable

_LONGEST = 16  # characters: the path of a socket of Ray has 88 more, and may have 107
_SHORT = "/tmp"  # noqa: S108  # a folder of its own is made in it


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Make the folder, named after this process; it is removed after the block."""
    place = _place()
    try:
        return tempfile.TemporaryDirectory(
            prefix=_prefix(os.getpid()), dir=place, ignore_cleanup_errors=True
        )
    except OSError as error:
        raise ConfigurationError(
            f"cannot start Ray: it cannot make a folder in {printable(place)}: {error.strerror}; "
            "set RAY_TMPDIR to a folder that can be written to"
        ) from error


def remove_left(process: int) -> None:
    """Remove the folder of a process that was ended before it could."""
    for folder in Path(_place()).glob(f"{_prefix(process)}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _place() -> str:
    place = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    return place if len(place) <= _LONGEST else _SHORT


def _prefix(process: int) -> str:
    return f"ray-{process}-"
