"""The start-up cost of each command: `python -m tests.bench.startup [--rounds N]`.

Prints the CPU seconds of each command (the median of several rounds) and their ratio to a Python
that does nothing.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

COMMAND = str(Path(sys.executable).with_name("capture-agent"))
CALLS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "--version": [COMMAND, "--version"],
    "--help": [COMMAND, "--help"],
    "status": [COMMAND, "status"],
    "status --json": [COMMAND, "status", "--json"],
    "env": [COMMAND, "env"],
}


def cpu_seconds(words: list[str], folder: str) -> float:
    """Return user and system time of one run."""
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run(words, check=False, cwd=folder, stdout=subprocess.DEVNULL)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition(":")[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    taken: dict[str, list[float]] = {name: [] for name in CALLS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for name, words in CALLS.items():
                taken[name].append(cpu_seconds(words, folder))
    bare = median(taken["python -c pass"])
    for name, seconds in taken.items():
        print(f"{name:16} {median(seconds):.2f} s of CPU, {median(seconds) / bare:5.1f} x bare")


if __name__ == "__main__":
    main()
