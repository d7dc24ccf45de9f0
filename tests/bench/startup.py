"""What a command costs before it does anything: `python -m tests.bench.startup`.

Prints the processor seconds of each command (median of seven, taken by turns) and their ratio to a
Python that does nothing.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

COMMAND = str(Path(sys.executable).with_name("capture-agent"))
ROUNDS = 7
CALLS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "--version": [COMMAND, "--version"],
    "--help": [COMMAND, "--help"],
    "status": [COMMAND, "status"],
    "status --json": [COMMAND, "status", "--json"],
    "env": [COMMAND, "env"],
}


def processor_seconds(words: list[str], folder: str) -> float:
    """User and system time of one run."""
    before = os.times()
    subprocess.run(words, check=False, cwd=folder, stdout=subprocess.DEVNULL)
    after = os.times()
    spent = after.children_user + after.children_system
    return spent - before.children_user - before.children_system


def main() -> None:
    taken: dict[str, list[float]] = {name: [] for name in CALLS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for name, words in CALLS.items():
                taken[name].append(processor_seconds(words, folder))
    bare = median(taken["python -c pass"])
    for name, seconds in taken.items():
        print(f"{name:16} {median(seconds):.2f} s of CPU, {median(seconds) / bare:5.1f} x bare")


if __name__ == "__main__":
    main()
