# ruff: noqa: E402  # a bench prints its result, and finds what the tests build
"""A device that was offline for weeks: start, status, put and claim with many captures waiting.

    python tests/bench/spool_long_offline.py [CAPTURES] [FOLDER]

The record files are written without syncs, and recovery adopts them: that is also how long the
rebuilding of a lost index takes.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

sys.path[:0] = [str(Path(__file__).parents[1] / "spool"), str(Path(__file__).parents[2])]

from spool_builders import FIRST_CAPTURE_MS, draft, open_real

from agent.spool import record
from agent.spool.record import Entry
from agent.spool.spool import Spool
from agent.spool.status import read_status

LIMIT = 1 << 40


def main(arguments: Sequence[str]) -> None:
    """How many captures wait, and the folder to work in."""
    many = int(arguments[0]) if arguments else 100_000
    base = arguments[1] if len(arguments) > 1 else None
    for captures in (1000, many):
        with tempfile.TemporaryDirectory(dir=base) as folder:
            report(Path(folder) / "spool", captures)


def report(root: Path, captures: int) -> None:
    """Print one spool's figures."""
    with open_real(root, limit=LIMIT):
        pass
    fill(root, captures)
    print(f"{captures} captures wait")
    before = memory()
    with took("start, with a lost index"), open_real(root, limit=LIMIT):
        pass
    began = time.perf_counter()
    with open_real(root, limit=LIMIT) as spool:
        print(f"  start: {time.perf_counter() - began:.2f} s")
        assert spool.waiting() == captures
        print(f"  memory: {memory() - before:.0f} MB more at the most")
        with took("status"):
            assert read_status(root, now=FIRST_CAPTURE_MS / 1000).waiting == captures
        numbers = iter(range(captures, captures + 1000))
        timed("put", lambda: spool.put([draft(next(numbers), size=20_000)]))
        timed("claim and acknowledge", lambda: finish(spool))


def fill(root: Path, captures: int) -> None:
    """Write whole record files, unsynced and without rows."""
    for number in range(captures):
        one = draft(number, value=number % 1000 / 1000, size=1000)
        data = record.encode({**one.record, "sequence": number}, one.image)
        entry = Entry(one.id, one.lane, one.value, number, len(data))
        (root / "cache" / "records" / entry.name).write_bytes(data)


def finish(spool: Spool) -> None:
    """Deliver one."""
    capture = spool.claim()
    assert capture
    spool.acknowledge(capture.id)


def timed(what: str, action: Callable[[], object]) -> None:
    """Print the median of a hundred times."""
    durations = []
    for _ in range(100):
        began = time.perf_counter()
        action()
        durations.append(time.perf_counter() - began)
    print(f"  {what}: {1000 * median(durations):.2f} ms")


@contextmanager
def took(what: str) -> Iterator[None]:
    """Print how long it took."""
    began = time.perf_counter()
    yield
    print(f"  {what}: {time.perf_counter() - began:.2f} s")


def memory() -> float:
    """The most that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
