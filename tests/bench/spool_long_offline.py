"""A device that was offline for weeks: a spool in which 100,000 captures wait beside one of 1,000.

    python -m tests.bench.spool_long_offline [CAPTURES] [FOLDER]

The record files are written without syncs, and recovery adopts them: that is how long the
rebuilding of a lost index takes. Puts and claims take turns between the two spools, so that what
else the computer does falls on both alike.
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
from tests.spool.spool_builders import FIRST_CAPTURE_MS, new_capture, open_real

LIMIT = 1 << 40
FEW = 1000
ROUNDS = 200


def main(arguments: Sequence[str]) -> None:
    """How many captures wait, and the folder to work in; or what a process of its own measures."""
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
    """Figures of one spool by itself; each start is one of a new process."""
    with open_real(root, limit=LIMIT):
        pass
    fill(root, captures)
    os.sync()  # nobody has a thousand files that are not on the medium yet
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
    """Write whole record files, unsynced and without rows."""
    for number in range(captures):
        one = new_capture(number, value=number % 1000 / 1000, size=1000)
        data = record.encode({**one.record, "sequence": number}, one.image)
        entry = SpoolEntry(one.id, one.lane, one.value, number, len(data))
        (root / "cache" / "records" / file_name(entry)).write_bytes(data)


def by_turns(roots: dict[int, Path]) -> dict[int, dict[str, str]]:
    """Medians of puts of 20 kB, and of claims with their acknowledgements."""
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
    """Of any value, so that it goes anywhere in the index."""
    spool.put([new_capture(number, value=number * 389 % 1000 / 1000, size=20_000)])


def deliver(spool: Spool, _number: int) -> None:
    """Deliver one."""
    capture = spool.claim()
    assert capture
    spool.acknowledge(capture.id)


def start(root: Path) -> tuple[float, float, float]:
    """Open a spool: seconds, seconds of CPU, and the most that this process ever held, in MB."""
    with ExitStack() as opened:
        wall, cpu = timed(lambda: opened.enter_context(open_real(root, limit=LIMIT)))
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.partition("VmHWM:")[2].split()[0])
    return wall, cpu, peak / 1024


def _start_in_a_process(root: Path) -> tuple[float, float, float]:
    command = [sys.executable, "-m", "tests.bench.spool_long_offline", "start", str(root)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    wall, cpu, peak = map(float, answer.stdout.split())
    return wall, cpu, peak


def timed(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and seconds of this process's CPU."""
    began, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - began, time.process_time() - cpu


if __name__ == "__main__":
    main(sys.argv[1:])
