"""A pool's rows as lines of text files, and an analyser without a model."""

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.errors import ConfigurationError
from agent.pool.items import PoolItem
from agent.pool.rows import PoolRow


class TextPart:
    """A part: a line for each row and for each finished item."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, int] = {}
        self._finished: set[str] = set()
        for kind, key, _ in lines(path):
            if kind == "row":
                self._rows[key] = self._rows.get(key, 0) + 1
            else:
                self._finished.add(key)

    def is_finished(self, key: str) -> bool:
        return key in self._finished

    def next_frame(self, key: str) -> int:
        return self._rows.get(key, 0)

    def add(self, row: PoolRow) -> None:
        self._write("row", row.key, row.problem or row.camera)

    def finish(self, key: str) -> None:
        self._finished.add(key)
        self._write("finished", key, "")

    def close(self) -> None:
        self._write("sealed", "", "")

    def _write(self, *fields: str) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(fields) + "\n")


@dataclass(frozen=True)
class TextStore:
    """A folder of parts. It can be pickled, and opens itself."""

    folder: Path

    def __call__(self) -> "TextStore":
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def finished(self) -> frozenset[str]:
        return frozenset(key for kind, key, _ in self.lines() if kind == "finished")

    def part(self, name: str) -> TextPart:
        return TextPart(self.folder / f"{name}.txt")

    def lines(self) -> list[tuple[str, str, str]]:
        return [each for path in sorted(self.folder.glob("*.txt")) for each in lines(path)]

    def rows(self) -> list[tuple[str, str]]:
        return sorted((key, text) for kind, key, text in self.lines() if kind == "row")


def lines(path: Path) -> list[tuple[str, str, str]]:
    if not path.exists():
        return []
    return [tuple(json.loads(line)) for line in path.read_text().splitlines()]


@dataclass(frozen=True)
class SlowAnalyser:
    """Makes one row of an item; the name of an item may ask for more.

    `kill` in it ends the process the first time, `fatal` each time.
    """

    marks: Path
    seconds: float = 0.0

    def __call__(self) -> "SlowAnalyser":
        (self.marks / f"pid-{os.getpid()}").touch()
        return self

    def rows(self, item: PoolItem, *, first_frame: int = 0) -> Iterator[PoolRow]:
        time.sleep(self.seconds)
        name = item.key.rpartition("/")[2]
        mark = self.marks / f"killed-{name}"
        if "fatal" in name or ("kill" in name and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if "refused" in name:
            raise ConfigurationError(f"cannot read {item.key}: the bucket refuses the key")
        if "bug" in name:
            raise ZeroDivisionError(name)
        problem = "it is no image" if "unreadable" in name else ""
        yield PoolRow(item.key, camera=item.camera, problem=problem)
