"""Whether OUT may be used: it must be new, empty, or of an earlier call of this command.

    OUT/.pool/              what the analysis kept, with the settings that it was made with
    OUT/.pool/choice.json   the captures that this command put there, or was putting there

`choice.json` is written before the first capture of a choice is stored, so that after a kill at any
point the next call knows which captures are its own.
"""

import contextlib
import errno
import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NoReturn, Protocol

from agent.dataset.bucket import Bucket
from agent.errors import ConfigurationError, TemporaryError
from agent.files import Disk, is_disk_full
from agent.printable import printable
from agent.record.verdicts import is_capture_id

KEPT = ".pool"
"""The folder of what is kept for the next call."""

_CHOICE = "choice.json"
_LOCK = "lock"
_PROCESS_BYTES = 12
_LOCK_S = 0.5  # until a call is refused


class Files(Protocol):
    """The files in `.pool`, of a folder or a bucket; errors are those that a command shows."""

    @property
    def name(self) -> str:
        """Where it is, for messages."""

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file; None without it."""

    def write(self, name: str, data: bytes) -> None:
        """Put a whole file under a name, durably."""


class ChoiceFile:
    """Which captures of the output are the command's own."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def ids(self) -> frozenset[str]:
        """Return their ids; raise `ConfigurationError` if the file is damaged."""
        data = self._files.read(_CHOICE)
        if data is None:
            return frozenset()
        try:
            return _ids(data)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ConfigurationError(
                f"cannot go on in {self._files.name}: its {_CHOICE} is damaged: "
                f"{printable(error)}; name another --out"
            ) from error

    def note(self, ids: Collection[str]) -> None:
        """Keep, durably, which they are."""
        self._files.write(_CHOICE, json.dumps({"schema": 1, "ids": sorted(ids)}).encode())


def check_folder(directory: Path) -> None:
    """Raise `ConfigurationError` for a folder that must not be written; nothing is made."""
    kept = directory / KEPT
    try:
        is_used = directory.exists() and any(directory.iterdir())
        if is_used and (kept.is_symlink() or not kept.is_dir()):
            raise ConfigurationError(
                f"cannot use --out {printable(directory)}: it is not empty, and no pool was "
                "written there; name a new folder"
            )
        if is_used and not os.access(directory, os.W_OK | os.X_OK):
            _refuse(directory, os.strerror(errno.EACCES))
    except OSError as error:
        _refuse(directory, error.strerror or str(error))


@contextlib.contextmanager
def owned_folder(directory: Path, disk: Disk) -> Iterator[None]:
    """Make the folder, and keep other calls out; raises `TemporaryError` while one is there.

    Where the file system has no locks, as some network mounts, none is kept out.
    """
    with contextlib.ExitStack() as held:
        try:
            disk.make_directory(directory / KEPT)
            held.enter_context(disk.locked(directory / KEPT / _LOCK, seconds=_LOCK_S))
            disk.overwrite(directory / KEPT / _LOCK, str(os.getpid()).encode())
        except BlockingIOError:
            raise TemporaryError(
                f"cannot use --out {printable(directory)}: another `capture-agent pool` works "
                f"there, {_owner(directory, disk)}; wait until it ends, or name another folder"
            ) from None
        except OSError as error:
            _refuse(directory, error.strerror or str(error), is_full=is_disk_full(error))
        yield


def check_prefix(bucket: Bucket) -> None:
    """Raise `ConfigurationError` for a prefix that has objects, and none of this command."""
    folders, objects = bucket.level()
    if (folders or objects) and KEPT not in {each.rpartition("/")[2] for each in folders}:
        raise ConfigurationError(
            f"cannot use --out {bucket.name}: there are other objects, and no pool was written "
            "there; name a new prefix"
        )


def _owner(directory: Path, disk: Disk) -> str:
    """Return the process that holds the lock, as far as it could say so on a full disk."""
    with contextlib.suppress(OSError):
        process = disk.beginning(directory / KEPT / _LOCK, _PROCESS_BYTES)[0].decode(
            "ascii", "replace"
        )
        if process.isdigit():
            return f"the process {process}"
    return "a process of its own"


def _refuse(directory: Path, why: str, *, is_full: bool = False) -> NoReturn:
    fix = "make room there" if is_full else "name a folder that you may write to"
    raise ConfigurationError(f"cannot use --out {printable(directory)}: {why}; {fix}")


def _ids(data: bytes) -> frozenset[str]:
    ids = json.loads(data)["ids"]
    if not isinstance(ids, list) or not all(is_capture_id(each) for each in ids):
        raise ValueError("it has no list of ids")
    return frozenset(ids)
