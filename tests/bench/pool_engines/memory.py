"""The memory of a process and of all that it started."""

import os
import threading
from pathlib import Path
from typing import Self


class Memory:
    """Looks at the memory of this process and of all that it started, a few times a second."""

    def __init__(self) -> None:
        self._peaks: dict[str, int] = {}  # bytes
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def peak(self) -> dict[str, int]:
        """Return megabytes by kind of process: their own pages, and their part of shared ones."""
        return {name: round(size / 1e6) for name, size in sorted(self._peaks.items())}

    def _look(self) -> None:
        while not self._is_over.wait(0.5):
            now: dict[str, int] = {}
            for process, command in descendants(os.getpid()).items():
                kind = kind_of(command)
                now[kind] = now.get(kind, 0) + proportional(process)
            for kind, size in now.items():
                self._peaks[kind] = max(size, self._peaks.get(kind, 0))


def kind_of(command: str) -> str:
    """Return what a process is by its command line."""
    kinds = {
        "ray::MapWorker": "workers",
        "multiprocessing.spawn": "workers",
        "ray::": "Ray's idle workers",
        "raylet/raylet": "raylet and object store",
        "ray.driver": "driver",
        "gcs_server": "Ray's services",
        "/ray/": "Ray's services",
    }
    return next((kind for part, kind in kinds.items() if part in command), "command")


def descendants(root: int) -> dict[int, str]:
    """Return process id and command line of a process and all below it."""
    parents, commands = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
            commands[int(folder.name)] = (folder / "cmdline").read_bytes().decode(errors="replace")
        except (OSError, ValueError):
            continue
        parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found = {root: commands[root]}
    while more := {
        p: commands[p] for p, above in parents.items() if above in found and p not in found
    }:
        found |= more
    return found


def proportional(process: int) -> int:
    """Return the proportional set size in bytes."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next(
        (int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0
    )
