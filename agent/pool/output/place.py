"""Whether OUT may be used: it must be new, empty, or of an earlier call of this command.

    OUT/.pool/          what the analysis kept, with the settings that it was made with
    OUT/.pool/choice.json   the captures that this command put there, or was putting there

`choice.json` is written before the first capture of a choice is stored, so that after a kill at any
point the next call knows which captures are its own.
"""

import errno
import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NoReturn

from agent.errors import ConfigurationError
from agent.files import Disk, is_disk_full, read_regular_file
from agent.printable import printable
from agent.record.verdicts import is_capture_id

KEPT = ".pool"
"""The folder of what is kept for the next call."""

_CHOICE = "choice.json"
_LARGEST = 1_000_000_000  # bytes of a choice of 20 million images


class OutFolder:
    """The folder that the command writes into."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self.directory = directory.absolute()
        self.kept = self.directory / KEPT
        self._disk = disk

    def prepare(self, after: Sequence[Path]) -> None:
        """Make the folder; raise `ConfigurationError` where the command must not write.

        `after` are the folders of former choices.
        """
        self._check_after(after)
        try:
            is_used = self.directory.exists() and any(self.directory.iterdir())
            if is_used and (self.kept.is_symlink() or not self.kept.is_dir()):
                raise ConfigurationError(
                    f"cannot use --out {printable(self.directory)}: it is not empty, and no pool "
                    "was written there; name a new folder"
                )
            self._disk.make_directory(self.kept)
            if not os.access(self.directory, os.W_OK | os.X_OK):
                self._refuse(os.strerror(errno.EACCES))
        except OSError as error:
            self._refuse(error.strerror or str(error), is_full=is_disk_full(error))

    def _refuse(self, why: str, *, is_full: bool = False) -> NoReturn:
        fix = "make room there" if is_full else "name a folder that you may write to"
        raise ConfigurationError(f"cannot use --out {printable(self.directory)}: {why}; {fix}")

    def _check_after(self, after: Sequence[Path]) -> None:
        out = self.directory.resolve()
        for each in after:
            if each.resolve() == out:
                raise ConfigurationError(
                    f"cannot use --after {printable(each)}: it is --out itself; name a new folder "
                    "for --out to go on from it"
                )

    def own_captures(self) -> frozenset[str]:
        """Return the ids of the captures that this command put here, or was putting here."""
        path = self.kept / _CHOICE
        try:
            return _ids(read_regular_file(path, _LARGEST))
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise ConfigurationError(
                f"cannot go on in {printable(self.directory)}: {printable(path)} cannot be read: "
                f"{printable(why)}; name a new folder"
            ) from error

    def note_captures(self, ids: Collection[str]) -> None:
        """Keep, durably, which captures are this command's own."""
        text = json.dumps({"schema": 1, "ids": sorted(ids)})
        self._disk.write_durably(self.kept / _CHOICE, text.encode())


def _ids(data: bytes) -> frozenset[str]:
    ids = json.loads(data)["ids"]
    if not isinstance(ids, list) or not all(is_capture_id(each) for each in ids):
        raise ValueError("it has no list of ids")
    return frozenset(ids)
