"""One process writes a spool; others may ask which one it is."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from agent.errors import SpoolUnavailable, TemporaryError

_KERNEL_LOCKS = Path("/proc/locks")
_PID_BYTES = 12  # of a fixed width: rewriting it in place needs no room on a full disk


@contextlib.contextmanager
def owned(lock: Path) -> Iterator[None]:
    """Hold the lock; the kernel gives it back when the process ends, however it ends.

    Raises `TemporaryError` while another process holds it, `SpoolUnavailable` when the disk
    refuses.
    """
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
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
        with contextlib.suppress(OSError):  # the first time on a full disk: others see no name
            os.pwrite(descriptor, str(os.getpid()).ljust(_PID_BYTES).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def owner_process(lock: Path) -> int | None:
    """The process that holds the lock now, None when nobody does.

    Read from the kernel's list of locks: trying the lock could keep a starting daemon from it.
    """
    try:
        holder = lock.read_text(encoding="ascii").strip()
        inode = lock.stat().st_ino
        locks = _KERNEL_LOCKS.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
    for line in locks.splitlines():
        fields = line.split()
        if fields[1] == "FLOCK" and fields[4] == holder and fields[5].endswith(f":{inode}"):
            return int(holder)
    return None
