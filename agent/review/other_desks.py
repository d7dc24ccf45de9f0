"""What the pages of other `review` processes on the same folder hold.

Each process is a desk: it keeps a lock of its own as long as it runs, and writes what its pages
hold into a small file beside it. The system frees a lock however its process ends, so what a desk
left behind that was killed is found and removed. One more lock lets one desk at a time hand out
captures.

All of it decides only what is handed out. Where it is not possible, as on a file system without
locks, two desks hand out the same captures, and no verdict is lost.
"""

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from agent.files import Disk
from agent.ports import Clock

FOLDER = ".desks"

CLAIM_S = 30.0
"""Seconds that a claim lasts after the last call of the page that holds it."""

_LOCK = "lock"
_OWN_LOCK = ".lock"
_PAGES = ".json"
_WAIT_S = 2.0  # seconds that another desk may need to hand out captures
_RENEWED_S = 10.0  # seconds after which pages are written again although they hold the same
_LARGEST = 1_000_000  # bytes of the pages of one desk


@dataclass(frozen=True, slots=True)
class OpenPage:
    """A page that somebody reviews on."""

    by: str  # who sits before it; empty while nobody said
    seen_at: float  # wall clock of its last call, in seconds
    holding: tuple[str, ...]  # ids of captures


class OtherDesks:
    """The desks of one dataset folder besides this one. Thread-safe."""

    def __init__(self, directory: Path, disk: Disk, clock: Clock) -> None:
        """`directory` is that of the dataset; absolute."""
        self._folder = directory / FOLDER
        self._disk = disk
        self._clock = clock
        self._name = uuid4().hex
        self._is_open = False
        self._written: tuple[float, object] = (-math.inf, None)

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Let others see this desk until the block ends; without it nobody does."""
        own = self._folder / (self._name + _OWN_LOCK)
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):
                self._disk.make_directory(self._folder)
                stack.enter_context(self._disk.locked(own, seconds=0))
                self._is_open = True
            try:
                yield
            finally:
                self._is_open = False
                self._remove(self._name)

    @contextlib.contextmanager
    def turn(self, own: Callable[[], Sequence[OpenPage]]) -> Iterator[Sequence[OpenPage]]:
        """Yield the pages of other desks, none of which hands out captures during the block.

        Afterwards `own` is asked for the pages of this desk, for the others.
        """
        with contextlib.ExitStack() as stack:
            pages: list[OpenPage] = []
            if self._is_open:
                with contextlib.suppress(OSError):
                    lock = self._disk.locked(self._folder / _LOCK, seconds=_WAIT_S)
                    stack.enter_context(lock)
                    pages.extend(self._read())
            yield pages
            if self._is_open:
                with contextlib.suppress(OSError):
                    self._write(own())

    def _read(self) -> Iterator[OpenPage]:
        now = self._clock.wall()
        for name in list(self._disk.file_names(self._folder)):
            desk = name.removesuffix(_OWN_LOCK)
            if desk in (name, self._name) or self._has_ended(desk):
                continue
            try:
                data, _ = self._disk.beginning(self._folder / (desk + _PAGES), _LARGEST)
                found = [_page(each) for each in json.loads(data)]
            except (OSError, ValueError, TypeError, KeyError, RecursionError):  # none yet
                continue
            yield from (page for page in found if abs(now - page.seen_at) < CLAIM_S)

    def _has_ended(self, desk: str) -> bool:
        """Whether a desk runs no more; then what it left is removed."""
        try:
            with self._disk.locked(self._folder / (desk + _OWN_LOCK), seconds=0):
                self._remove(desk)
        except BlockingIOError:
            return False
        return True

    def _remove(self, desk: str) -> None:
        for end in (_PAGES, _OWN_LOCK):
            with contextlib.suppress(OSError):
                self._disk.remove(self._folder / (desk + end))

    def _write(self, pages: Sequence[OpenPage]) -> None:
        now = self._clock.monotonic()
        holding = [(page.by, page.holding) for page in pages]
        at, known = self._written
        if known == holding and now - at < _RENEWED_S:
            return
        rows = [{"by": each.by, "at": each.seen_at, "holding": each.holding} for each in pages]
        self._disk.publish(self._folder / (self._name + _PAGES), json.dumps(rows).encode())
        self._written = (now, holding)


def _page(row: dict[str, Any]) -> OpenPage:
    """Return a page as another desk wrote it."""
    holding = tuple(str(each) for each in row["holding"])
    return OpenPage(str(row["by"]), float(row["at"]), holding)
