"""The cost of durability: a put of 100 kB, compared with the plain file operations.

    python -m tests.bench.spool_put [FOLDER] [--rounds N]

Prints the median time of a durable put, and of write, fsync, rename and fsync of the folder, which
alternate, and their ratio; then, if strace is installed, the flushes and bytes written per capture
from put to acknowledgement.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from agent.files import Disk
from tests.fakes.captures import new_capture
from tests.spool.spool_builders import open_real

SIZE = 100_000
_WRITES = {"write", "pwrite64", "pwritev", "writev"}
_FLUSHES = {"fsync", "fdatasync"}
_CALL = re.compile(r"(\w+)\(.*= (\d+)$", re.MULTILINE)


def main(arguments: Sequence[str]) -> None:
    """Print the results; with `FOLDER deliver GROUP CAPTURES`, run the traced process."""
    if arguments[1:2] == ["deliver"]:
        deliver(Path(arguments[0]), group=int(arguments[2]), captures=int(arguments[3]))
        return
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("folder", nargs="?", help="the folder for the spools")
    parser.add_argument("--rounds", type=int, default=150)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for group in (1, 4, 8):
            ours, raw = durations(Path(folder) / str(group), group, options.rounds)
            print(
                f"put in groups of {group}: {1000 * ours:.2f} ms per capture, plain files "
                f"{1000 * raw:.2f} ms, ratio {ours / raw:.2f}"
            )
        if shutil.which("strace"):
            for group in (1, 4, 8):
                captures = 8 * -(-options.rounds // 3)
                flushes, written = calls(Path(folder) / f"traced{group}", group, captures)
                print(
                    f"put to acknowledgement in groups of {group}: {flushes:.2f} flushes, "
                    f"{written / 1000:.1f} kB, {written / SIZE:.2f} x the capture"
                )


def durations(folder: Path, group: int, rounds: int) -> tuple[float, float]:
    """Return median seconds per capture: of the spool, and of plain files."""
    folder.mkdir()
    image = os.urandom(SIZE)
    disk = Disk()
    (folder / "raw").mkdir()
    ours, raw = [], []
    with open_real(folder / "spool", limit=1 << 34) as spool:
        for number in range(0, rounds * group, group):
            captures = [new_capture(number + one, size=SIZE) for one in range(group)]
            began = time.perf_counter()
            spool.put(captures)
            middle = time.perf_counter()
            for one in range(group):
                disk.write_durably(folder / "raw" / f"{number + one}", image)
            raw.append((time.perf_counter() - middle) / group)
            ours.append((middle - began) / group)
    return median(ours), median(raw)


def deliver(folder: Path, *, group: int, captures: int) -> None:
    """Put and acknowledge this number of captures."""
    with open_real(folder, limit=1 << 34) as spool:
        for number in range(0, captures, group):
            spool.put([new_capture(number + one, size=SIZE) for one in range(group)])
            for _ in range(group):
                capture = spool.claim()
                assert capture
                spool.acknowledge(capture.id)


def calls(folder: Path, group: int, captures: int) -> tuple[float, float]:
    """Return flushes and bytes written per capture, without those of start and stop."""
    idle = _traced(folder.with_name("idle"), group, captures=0)
    busy = _traced(folder, group, captures=captures)
    busy.subtract(idle)
    return busy["flushes"] / captures, busy["bytes"] / captures


def _traced(folder: Path, group: int, *, captures: int) -> Counter[str]:
    log = folder.with_suffix(".strace")
    names = ",".join(sorted(_WRITES | _FLUSHES))
    command = ["strace", "-f", "-qq", "-e", f"trace={names}", "-o", str(log), sys.executable]
    subprocess.run(
        [
            *(*command, "-m", "tests.bench.spool_put"),
            *(str(folder), "deliver", str(group), str(captures)),
        ],
        check=True,
    )
    shutil.rmtree(folder)
    found: Counter[str] = Counter()
    for name, result in _CALL.findall(log.read_text()):
        found["bytes" if name in _WRITES else "flushes"] += int(result) if name in _WRITES else 1
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
