"""Where the exchange folder is, and how a file in it is read without trusting what lies there."""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from agent.files import Disk

_NAME_LENGTH = 12  # hex digits of the spool's path: two daemons of one unit must not meet


def exchange_path(runtime_directory: str | None, spool: Path, *, in_spool: Path) -> Path:
    """Return the exchange folder of the daemon of `spool`.

    `runtime_directory` is what systemd put in RUNTIME_DIRECTORY: a folder in memory that belongs to
    the service. Without it, `in_spool` is used: it has the right owner in a container and without a
    login session too, and nothing is written outside of the state directory.
    """
    first = (runtime_directory or "").partition(":")[0]
    if not first.startswith("/"):
        return in_spool
    return Path(first) / hashlib.sha256(os.fsencode(spool.absolute())).hexdigest()[:_NAME_LENGTH]


def prepare(path: Path, disk: Disk) -> None:
    """Create the folder; raises `OSError` when it is a link or belongs to another user."""
    disk.make_directory(path)
    with opened(path, user=os.geteuid()):
        pass


@contextlib.contextmanager
def opened(path: Path, *, user: int) -> Iterator[Path]:
    """Yield a path to the folder that stays the same folder whatever becomes of its name.

    Raises `OSError` when it is missing, a link, of a user other than `user`, or open to others.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(descriptor)
        if found.st_uid != user or found.st_mode & 0o022:
            raise PermissionError(f"{path} belongs to another user, or others may write into it")
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def read_file(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file of at most `most` bytes; never waits.

    Raises `OSError` for a link, a pipe, a device, and a larger file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(f"{path} has more than {most} bytes")
    return data
