"""Measures the memory that a piece of code takes at most."""

import subprocess
import sys

_BEGIN = """
import sys
from pathlib import Path

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))

def begin():
    # Forget the peak so far: that of the parent process is inherited.
    Path("/proc/self/clear_refs").write_text("5")
    global before
    before = peak()
"""


def peak_memory(code: str, *arguments: str, data: bytes = b"") -> tuple[str, int]:
    """Run `code` in another process, whose standard input is `data`.

    Returns what it printed, and the bytes that it took at most after it called `begin()`.
    """
    done = subprocess.run(
        [sys.executable, "-c", f"{_BEGIN}\n{code}\nprint(peak() - before)", *arguments],
        input=data,
        capture_output=True,
        check=True,
    )
    *printed, last = done.stdout.decode().splitlines()
    return "\n".join(printed), int(last) * 1024
