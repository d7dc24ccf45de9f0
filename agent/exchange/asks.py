"""What another process can ask the daemon, as names of files in the exchange folder.

The name of an ask says all, so the daemon never opens a file of others: a pipe, a link or a huge
file in its place has no effect. Both sides bound their time: the daemon forgets what nobody
fetches, the other side stops waiting.
"""

import contextlib
import itertools
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from agent.exchange.folder import read_file
from agent.files import Disk

MOST_ASKS = 16
"""Asks that are answered in one look at the folder."""

ANSWER_BYTES = 64_000_000
"""Largest answer that is read: a frame of each camera."""

_ASK, _ANSWER = ".ask", ".answer"
_MOST_NAMES = 1000  # that one look at the folder reads
_NAME = re.compile(
    r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([a-z]+)\.([A-Za-z0-9_-]{0,64})\.ask"
)


class AskKind(StrEnum):
    """What is asked."""

    CAPTURE = "capture"  # the next frame of a camera, or of each, as captures
    FRAMES = "frames"  # the newest frame of a camera, or of each, to look at
    STATE = "state"  # publish the state now


@dataclass(frozen=True, slots=True)
class Ask:
    """One question."""

    id: str  # UUID
    kind: AskKind
    camera: str = ""  # empty: each camera

    @property
    def name(self) -> str:
        """Name of the file that asks."""
        return f"{self.id}.{self.kind}.{self.camera}{_ASK}"

    @property
    def answer_name(self) -> str:
        """Name of the file that answers."""
        return f"{self.id}{_ANSWER}"


def parse_name(name: str) -> Ask | None:
    """Return the ask that a file name stands for; None for any other name."""
    match = _NAME.fullmatch(name)
    if match is None or match[2] not in set(AskKind):
        return None
    return Ask(match[1], AskKind(match[2]), match[3])


def asks(folder: Path) -> list[Ask]:
    """Return what is asked now, at most `MOST_ASKS`. Raises `OSError`."""
    found = (parse_name(name) for name in _names(folder))
    return list(itertools.islice((ask for ask in found if ask is not None), MOST_ASKS))


def clear(folder: Path, disk: Disk) -> None:
    """Remove what an earlier daemon left behind. Raises `OSError`."""
    for name in _names(folder):
        if name.endswith((_ASK, _ANSWER, ".tmp")):
            disk.remove(folder / name)


def put(folder: Path, ask: Ask) -> None:
    """Ask the daemon. Raises `OSError`."""
    Disk().publish(folder / ask.name, b"")


def fetch(folder: Path, ask: Ask) -> dict[str, Any] | None:
    """Return the answer; None if there is none yet. Raises `OSError` for one that is no answer."""
    try:
        answer = json.loads(read_file(folder / ask.answer_name, ANSWER_BYTES))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise OSError(f"the answer is not JSON: {error}") from error
    if not isinstance(answer, dict):
        raise OSError("the answer is not a JSON object")
    return answer


def withdraw(folder: Path, ask: Ask) -> None:
    """Remove the ask and its answer."""
    with contextlib.suppress(OSError):
        Disk().remove(folder / ask.name)
        Disk().remove(folder / ask.answer_name)


def _names(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in itertools.islice(entries, _MOST_NAMES):
            yield entry.name
