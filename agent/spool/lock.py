"""The lock of the one process that writes a spool, and what that process says of itself in it."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.errors import SpoolUnavailable, TemporaryError

_PID_BYTES = 12  # fixed width: overwriting in place works on a full disk
_FACTS_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that owns a spool."""

    process: int
    is_daemon: bool  # it runs cameras and can be asked for captures; others only empty the spool


@contextlib.contextmanager
def owned(lock: Path, *, exchange: Path | None = None) -> Iterator[None]:
    """Hold the lock; the kernel releases it when the process ends in any way.

    `exchange` is given by the daemon alone: the folder where others find its state. In the lock
    of another owner the folder of the latest daemon stays.

    Raises `TemporaryError` while another process holds it, `OSError` when the disk refuses.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        _take(descriptor, lock)
        facts: dict[str, object] = {"daemon": exchange is not None}
        folder = exchange or exchange_folder(lock)
        if folder is not None and len(json.dumps(str(folder))) < _FACTS_BYTES // 2:
            facts["exchange"] = str(folder)
        text = str(os.getpid()).ljust(_PID_BYTES) + json.dumps(facts).ljust(_FACTS_BYTES)
        with contextlib.suppress(OSError):  # first use on a full disk: others see no pid
            os.pwrite(descriptor, text.encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def held(lock: Path) -> Iterator[None]:
    """Hold the lock without writing to its disk.

    Raises `TemporaryError` while another process holds it, `SpoolUnavailable` when there is no
    spool or it cannot be read.
    """
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise SpoolUnavailable(f"cannot open {lock}: {error.strerror}") from error
    try:
        _take(descriptor, lock)
        yield
    finally:
        os.close(descriptor)


def owner_of(lock: Path) -> Owner | None:
    """Return the process that holds the lock, None when no process does.

    Reads from `/proc` whether the process named in the file holds it: trying to take the lock could
    make a starting daemon fail, and `/proc/locks` may skip a line while other locks change.
    """
    try:
        holder = int(lock.read_bytes()[:_PID_BYTES])
        inode = lock.stat().st_ino
        descriptors = list(Path(f"/proc/{holder}/fdinfo").iterdir())
    except (OSError, ValueError):
        return None
    if not any(_is_locked(one, inode) for one in descriptors):
        return None
    return Owner(holder, is_daemon=_facts(lock).get("daemon") is True)


def exchange_folder(lock: Path) -> Path | None:
    """Return the folder where the latest daemon of this spool publishes its state."""
    folder = _facts(lock).get("exchange")
    return Path(folder) if isinstance(folder, str) and folder.startswith("/") else None


def _facts(lock: Path) -> dict[str, object]:
    try:
        facts = json.loads(lock.read_bytes()[_PID_BYTES:])
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _take(descriptor: int, lock: Path) -> None:
    """Lock an open file. Raises `TemporaryError` while another process holds the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, _PID_BYTES, 0).decode("ascii", "replace").strip()
        raise TemporaryError(
            f"cannot use the spool {lock.parent}: another capture-agent (process "
            f"{holder or 'unknown'}) owns it. Stop that one first, or set AGENT_SPOOL_DIR to "
            "another folder."
        ) from None


def _is_locked(descriptor: Path, inode: int) -> bool:
    try:
        lines = descriptor.read_text(encoding="ascii").splitlines()
    except OSError:  # closed after it was listed
        return False
    return any(" FLOCK " in line and f":{inode} " in line for line in lines)
