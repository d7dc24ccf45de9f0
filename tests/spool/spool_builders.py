"""Builders of spools, with fakes or on the real disk."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from agent.domain import StoredCapture, Verdict, VerdictKind
from agent.files import Disk
from agent.ports import SendOrder
from agent.record.verdicts import line_text, verdict_line, verdicts_of
from agent.spool.reconciliation import Progress
from agent.spool.recovery import open_spool
from agent.spool.spool import Spool
from agent.spool.types import SpoolLimits
from tests.fakes.captures import FIRST_CAPTURE_MS
from tests.fakes.clock import ManualClock
from tests.fakes.disk.memory_index import Medium, MemoryIndex
from tests.fakes.disk.power_cut import ChooseKept, PowerCutDisk
from tests.fakes.log import quiet_log

OVERHEAD = 4_000_000 + 1_500_000 + 65_536
"""Bytes of a budget that are not for captures: reserve, journal, growth of the index."""


def clock() -> ManualClock:
    """Return a clock that stands still, one minute after the first capture."""
    return ManualClock(wall=FIRST_CAPTURE_MS / 1000 + 60)


@dataclass
class Machine:
    """A computer with a spool that can be started, killed, and lose power."""

    root: Path
    limits: SpoolLimits = field(default_factory=lambda: SpoolLimits(OVERHEAD + 40 * 4096))
    capacity: int = 1 << 40
    make_disk: Callable[[Path, int], PowerCutDisk] = PowerCutDisk
    make_index: Callable[[PowerCutDisk, Medium], MemoryIndex] = MemoryIndex
    make_order: Callable[[], SendOrder | None] = lambda: None

    def __post_init__(self) -> None:
        self.root.mkdir(exist_ok=True)
        self.disk = self.make_disk(self.root, self.capacity)
        self.medium = Medium()
        self.log = io.StringIO()
        self._process = ExitStack()

    def start(self) -> Spool:
        """Start the process; raise what `open_spool` raises."""
        self._process = ExitStack()
        self.spool = self._process.enter_context(
            open_spool(
                self.root,
                self.limits,
                clock=clock(),
                log=quiet_log(self.log),
                disk=self.disk,
                open_index=lambda _: self.make_index(self.disk, self.medium),
                order=self.make_order(),
            )
        )
        return self.spool

    def kill(self) -> None:
        """Kill the process: written data stays, and unsynced data stays unsynced."""
        self._process.close()
        self.disk.inject(None)

    def lose_index(self) -> None:
        """Lose the index, as a damaged one is lost; the process must not run."""
        self.medium = Medium()

    def lose_power(self, choose: ChooseKept) -> None:
        """Cut the power: unsynced data may be lost."""
        self._process.close()
        self.disk.cut_power(choose)


def fact_text(number: int, capture: str = "") -> str:
    """Return the line of a verdict; each number gives another one."""
    return line_text(
        verdict_line(
            Verdict(VerdictKind.RIGHT, "gate", 1_700_000_000.0, 1_700_000_000.0 + number, capture)
        )
    )


def facts_in(capture: StoredCapture) -> list[str]:
    """Return the lines of the verdicts in the record of a capture."""
    return [line_text(line) for line in verdicts_of(capture.record)]


def claimable(spool: Spool) -> dict[str, bytes]:
    """Return id, image and clip of every waiting capture; claim and release each."""
    return {capture.id: capture.image + capture.clip for capture in claim_all(spool)}


def claim_all(spool: Spool) -> list[StoredCapture]:
    """Claim every waiting capture, and release it."""
    found = []
    while capture := spool.claim():
        found.append(capture)
    for one in found:
        spool.release(one.id)
    return found


def counts_add_up(spool: Spool) -> bool:
    """Return whether `stored = delivered + rejected + damaged + evicted + waiting`."""
    counts = spool.counts()
    stored = counts.pop("stored", 0)
    return stored == sum(counts.values()) + spool.waiting()


def open_real(
    directory: Path,
    *,
    limit: int = 100_000_000,
    min_free: int = 0,
    log: io.StringIO | None = None,
    disk: Disk | None = None,
    progress: Progress = lambda _read, _of: None,
    evicts: bool = True,
) -> AbstractContextManager[Spool]:
    """Open a spool on the real disk with the real index."""
    return open_spool(
        directory,
        SpoolLimits(limit, min_free),
        clock=clock(),
        log=quiet_log(log),
        disk=disk,
        progress=progress,
        evicts=evicts,
    )
