"""The lock of the one process that writes a spool, and the facts that it publishes to others."""

import contextlib
import fcntl
import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.errors import SpoolUnavailable, TemporaryError

_PID_BYTES = 12  # fixed width: overwriting in place works on a full disk
_FACTS_BYTES = 2000

Publish = Callable[[Mapping[str, object]], None]
"""Publishes facts to other processes; not flushed, and valid only while the process runs."""


@contextlib.contextmanager
def owned(lock: Path) -> Iterator[Publish]:
    """Hold the lock; the kernel releases it when the process ends in any way.

    Yields a function that publishes facts to other processes.

    Raises `TemporaryError` while another process holds it, `SpoolUnavailable` when the disk
    refuses.
    """
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise SpoolUnavailable(f"cannot open {lock}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, _PID_BYTES, 0).decode("ascii", "replace").strip()
            raise TemporaryError(
                f"cannot use the spool {lock.parent}: another capture-agent (process "
                f"{holder or 'unknown'}) owns it. Stop that one first, or set AGENT_SPOOL_DIR to "
                "another folder."
            ) from None
        with contextlib.suppress(OSError):  # first use on a full disk: others see no pid
            os.pwrite(descriptor, str(os.getpid()).ljust(_PID_BYTES + _FACTS_BYTES).encode(), 0)
        yield functools.partial(_publish, descriptor)
    finally:
        os.close(descriptor)


def owner_process(lock: Path) -> int | None:
    """Return the id of the process that holds the lock, None when no process does.

    Reads from `/proc` whether the process named in the file holds it: trying to take the lock could
    make a starting daemon fail, and `/proc/locks` may skip a line while other locks change.
    """
    try:
        holder = int(lock.read_bytes()[:_PID_BYTES])
        inode = lock.stat().st_ino
        descriptors = list(Path(f"/proc/{holder}/fdinfo").iterdir())
    except (OSError, ValueError):
        return None
    return holder if any(_is_locked(one, inode) for one in descriptors) else None


def published(lock: Path) -> dict[str, Any]:
    """Return the facts that the lock's holder published last; empty when there are none."""
    try:
        facts = json.loads(lock.read_bytes()[_PID_BYTES:])
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _publish(descriptor: int, facts: Mapping[str, object]) -> None:
    text = json.dumps(facts).encode()
    if len(text) <= _FACTS_BYTES:
        with contextlib.suppress(OSError):
            os.pwrite(descriptor, text.ljust(_FACTS_BYTES), _PID_BYTES)


def _is_locked(descriptor: Path, inode: int) -> bool:
    try:
        lines = descriptor.read_text(encoding="ascii").splitlines()
    except OSError:  # closed after it was listed
        return False
    return any(" FLOCK " in line and f":{inode} " in line for line in lines)
