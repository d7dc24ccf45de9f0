"""A device that was offline for weeks: a spool with 100,000 captures, compared with one of 1,000.

    python -m tests.bench.spool_long_offline [CAPTURES] [FOLDER]

The record files are written without syncs and without index rows, so the first start shows how long
it takes to rebuild a lost index. Puts and claims alternate between the two spools, so that other
load on the computer affects both.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import median

from agent.domain import SpoolEntry
from agent.record import file_format as record
from agent.record.file_format import file_name
from agent.spool.spool import Spool
from agent.spool.status import read_status
from tests.fakes.captures import FIRST_CAPTURE_MS, new_capture
from tests.spool.spool_builders import open_real

LIMIT = 1 << 40
FEW = 1000
ROUNDS = 200


def main(arguments: Sequence[str]) -> None:
    """Print the results for both spools; with `start FOLDER`, measure one start and print it."""
    if arguments[:1] == ["start"]:
        print(*start(Path(arguments[1])))
        return
    many = int(arguments[0]) if arguments else 100_000
    base = arguments[1] if len(arguments) > 1 else None
    with tempfile.TemporaryDirectory(dir=base) as folder:
        roots = {captures: Path(folder) / str(captures) for captures in (FEW, many)}
        columns = {captures: alone(root, captures) for captures, root in roots.items()}
        for captures, figures in by_turns(roots).items():
            columns[captures] |= figures
    print(f"{'captures that wait':40}" + "".join(f"{captures:>12,}" for captures in columns))
    for name in columns[many]:
        print(f"{name:40}" + "".join(f"{column[name]:>12}" for column in columns.values()))


def alone(root: Path, captures: int) -> dict[str, str]:
    """Return the results of one spool; each start is measured in a new process."""
    with open_real(root, limit=LIMIT):
        pass
    fill(root, captures)
    os.sync()  # a real spool has no unsynced files
    _, _, memory_empty = _start_in_a_process(root.with_name("empty"))
    lost, lost_cpu, _ = _start_in_a_process(root)
    began, cpu, memory = _start_in_a_process(root)
    with open_real(root, limit=LIMIT) as spool:
        assert spool.waiting() == captures
        status, status_cpu = timed(lambda: read_status(root, now=FIRST_CAPTURE_MS / 1000))
    return {
        "start": f"{began:.2f} s",
        "start, CPU": f"{cpu:.2f} s",
        "start with a lost index": f"{lost:.2f} s",
        "start with a lost index, CPU": f"{lost_cpu:.2f} s",
        "status": f"{status:.2f} s",
        "status, CPU": f"{status_cpu:.2f} s",
        "memory, most at start": f"{memory - memory_empty:+.0f} MB",
    }


def fill(root: Path, captures: int) -> None:
    """Write complete record files, without syncs and without rows in the index."""
    for number in range(captures):
        one = new_capture(number, value=number % 1000 / 1000, size=1000)
        data = record.encode({**one.record, "sequence": number}, one.image)
        entry = SpoolEntry(one.id, one.lane, one.value, number, len(data))
        (root / "cache" / "records" / file_name(entry)).write_bytes(data)


def by_turns(roots: dict[int, Path]) -> dict[int, dict[str, str]]:
    """Return median times of puts of 20 kB, and of claims with their acknowledgements."""
    figures: dict[int, dict[str, str]] = {captures: {} for captures in roots}
    with ExitStack() as opened:
        spools = {
            captures: opened.enter_context(open_real(root, limit=LIMIT))
            for captures, root in roots.items()
        }
        numbers = count(max(roots))
        for name, action in (("put", put), ("claim and acknowledge", deliver)):
            took: dict[int, list[tuple[float, float]]] = {captures: [] for captures in spools}
            for _ in range(ROUNDS):
                number = next(numbers)
                for captures, spool in spools.items():
                    took[captures].append(timed(lambda: action(spool, number)))  # noqa: B023
            for captures, durations in took.items():
                wall, cpu = (1000 * median(each) for each in zip(*durations, strict=True))
                figures[captures][name] = f"{wall:.2f} ms"
                figures[captures][f"{name}, CPU"] = f"{cpu:.2f} ms"
    return figures


def put(spool: Spool, number: int) -> None:
    """Put a capture whose value, and so its place in the index, varies with `number`."""
    spool.put([new_capture(number, value=number * 389 % 1000 / 1000, size=20_000)])


def deliver(spool: Spool, _number: int) -> None:
    """Claim and acknowledge one capture."""
    capture = spool.claim()
    assert capture
    spool.acknowledge(capture.id)


def start(root: Path) -> tuple[float, float, float]:
    """Open a spool; return wall seconds, CPU seconds, and the peak memory of the process in MB."""
    with ExitStack() as opened:
        wall, cpu = timed(lambda: opened.enter_context(open_real(root, limit=LIMIT)))
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.partition("VmHWM:")[2].split()[0])
    return wall, cpu, peak / 1024


def _start_in_a_process(root: Path) -> tuple[float, float, float]:
    command = [sys.executable, "-m", "tests.bench.spool_long_offline", "start", str(root)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    wall, cpu, peak = map(float, done.stdout.split())
    return wall, cpu, peak


def timed(action: Callable[[], object]) -> tuple[float, float]:
    """Return wall seconds, and CPU seconds of this process."""
    began, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - began, time.process_time() - cpu


if __name__ == "__main__":
    main(sys.argv[1:])
