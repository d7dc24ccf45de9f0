"""What durability costs: a capture of 100 kB against the bare file operations, in one run.

    python -m tests.bench.spool_put [FOLDER]

Prints the time of a durable put over that of write, fsync, rename and fsync of the folder, taken
by turns (medians), and the flushes and bytes written over the life of a capture (put, claim,
acknowledge), as strace counts them where it is installed.
"""

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
from tests.spool.spool_builders import new_capture, open_real

SIZE = 100_000
ROUNDS = 150
LIVES = 400
_WRITES = {"write", "pwrite64", "pwritev", "writev"}
_FLUSHES = {"fsync", "fdatasync"}
_CALL = re.compile(r"(\w+)\(.*= (\d+)$", re.MULTILINE)


def main(arguments: Sequence[str]) -> None:
    """The first argument is the folder to work in."""
    base = arguments[0] if arguments else None
    if arguments[1:] and arguments[1] == "live":
        live(Path(arguments[0]), group=int(arguments[2]), lives=int(arguments[3]))
        return
    with tempfile.TemporaryDirectory(dir=base) as folder:
        for group in (1, 4, 8):
            ours, raw = durations(Path(folder) / str(group), group)
            print(
                f"put in groups of {group}: {1000 * ours:.2f} ms a capture, raw files "
                f"{1000 * raw:.2f} ms, ratio {ours / raw:.2f}"
            )
        if shutil.which("strace"):
            for group in (1, 4, 8):
                flushes, written = calls(Path(folder) / f"traced{group}", group)
                print(
                    f"life in groups of {group}: {flushes:.2f} flushes, {written / 1000:.1f} kB, "
                    f"{written / SIZE:.2f} x the capture"
                )


def durations(folder: Path, group: int) -> tuple[float, float]:
    """Median seconds a capture: of the spool, and of the same number of bare files."""
    folder.mkdir()
    image = os.urandom(SIZE)
    disk = Disk()
    (folder / "raw").mkdir()
    ours, raw = [], []
    with open_real(folder / "spool", limit=1 << 34) as spool:
        for number in range(0, ROUNDS * group, group):
            captures = [new_capture(number + one, size=SIZE) for one in range(group)]
            began = time.perf_counter()
            spool.put(captures)
            middle = time.perf_counter()
            for one in range(group):
                disk.write_durably(folder / "raw" / f"{number + one}", image)
            raw.append((time.perf_counter() - middle) / group)
            ours.append((middle - began) / group)
    return median(ours), median(raw)


def live(folder: Path, *, group: int, lives: int) -> None:
    """So many captures come and go."""
    with open_real(folder, limit=1 << 34) as spool:
        for number in range(0, lives, group):
            spool.put([new_capture(number + one, size=SIZE) for one in range(group)])
            for _ in range(group):
                capture = spool.claim()
                assert capture
                spool.acknowledge(capture.id)


def calls(folder: Path, group: int) -> tuple[float, float]:
    """Flushes and bytes written a capture, without those of a start and a stop."""
    idle = _traced(folder.with_name("idle"), group, lives=0)
    busy = _traced(folder, group, lives=LIVES)
    busy.subtract(idle)
    return busy["flushes"] / LIVES, busy["bytes"] / LIVES


def _traced(folder: Path, group: int, *, lives: int) -> Counter[str]:
    log = folder.with_suffix(".strace")
    names = ",".join(sorted(_WRITES | _FLUSHES))
    command = ["strace", "-f", "-qq", "-e", f"trace={names}", "-o", str(log), sys.executable]
    subprocess.run(
        [*command, "-m", "tests.bench.spool_put", str(folder), "live", str(group), str(lives)],
        check=True,
    )
    shutil.rmtree(folder)
    found: Counter[str] = Counter()
    for name, answer in _CALL.findall(log.read_text()):
        found["bytes" if name in _WRITES else "flushes"] += int(answer) if name in _WRITES else 1
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
