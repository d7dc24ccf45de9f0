"""Stops the one thread of a process that is inside a library, and holds it. For the machine inside.

    python3 hang.py PID LIBRARY

A stopped process would prove nothing about the agent: its main thread must live, see the worker
that hangs, and stop feeding the watchdog. So one thread is held, as a debugger holds it, and only
where it has given Python's lock away: inside the library.
"""

import ctypes
import os
import sys
import time
from pathlib import Path

_ATTACH, _DETACH = 16, 17  # ptrace(2)
_ALL = 0x40000000  # waitpid(2), __WALL: the threads of other processes too
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def inside(process: Path, thread: int, library: str) -> bool:
    """Whether a stopped thread's next instruction belongs to the library."""
    words = (process / "task" / str(thread) / "syscall").read_text("ascii").split()
    if words[0] != "-1":
        return False  # in the kernel, called from who knows where
    at = int(words[2], 16)
    for line in (process / "maps").read_text("utf-8").splitlines():
        start, _, end = line.split()[0].partition("-")
        if int(start, 16) <= at < int(end, 16):
            return library in line
    return False


def hold(pid: int, library: str) -> int:
    """The thread that is held from now on, until somebody kills its process."""
    process = Path(f"/proc/{pid}")
    for _ in range(10_000):
        for entry in (process / "task").iterdir():
            thread = int(entry.name)
            if thread == pid or _LIBC.ptrace(_ATTACH, thread, None, None):
                continue
            os.waitpid(thread, _ALL)
            if inside(process, thread, library):
                return thread
            _LIBC.ptrace(_DETACH, thread, None, None)
        time.sleep(0.003)
    sys.exit(f"no thread of {pid} was ever seen in {library}")


if __name__ == "__main__":
    held = hold(int(sys.argv[1]), sys.argv[2])
    while not os.WIFEXITED(status := os.waitpid(held, _ALL)[1]) and not os.WIFSIGNALED(status):
        pass  # stopped once more, by another signal
