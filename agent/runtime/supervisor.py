"""The main thread: starts everybody, watches, reports each minute, stops in stream order."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from queue import Queue

from agent.logs import Log
from agent.ports import Clock, Notifier
from agent.runtime.inference import Chosen, Inference
from agent.runtime.mailbox import FrameCounts, Mailbox
from agent.runtime.reader import Reader
from agent.runtime.stats import Stats, percentile
from agent.runtime.uploader import Uploader
from agent.runtime.worker import Step, Worker
from agent.runtime.writer import Writer
from agent.spool.spool import Spool

STOP_S = 18.0
"""Seconds that a stop may take in all; systemd is told 20."""

SUMMARY_S = 60.0
TICK_S = 1.0
CLOCK_STEP_S = 5.0

_INFERENCE_PATIENCE_S = 60.0
_DISK_PATIENCE_S = 120.0  # a card that collects its garbage may hold a sync for long


class ExitCode(IntEnum):
    """How the daemon ends."""

    STOPPED = 0
    BUG = 1
    CONFIGURATION = 78


@dataclass(frozen=True, slots=True)
class Stations:
    """Everything that runs, wired."""

    readers: Sequence[Reader]
    mailbox: Mailbox
    inference: Inference
    inference_workers: int
    queue: "Queue[Chosen]"
    writer: Writer
    spool: Spool
    uploader: Uploader | None  # None: captures stay on disk
    upload_workers: int
    upload_patience: float  # seconds that one delivery may take
    stats: Stats


class Supervisor:
    """Runs the stations until a stop is asked for, all recordings have ended, or a bug shows."""

    def __init__(
        self,
        stations: Stations,
        *,
        clock: Clock,
        notifier: Notifier,
        log: Log,
        watchdog: float | None = None,
    ) -> None:
        """`watchdog` is the interval in seconds within which the service manager wants news."""
        self._stations = stations
        self._clock = clock
        self._notifier = notifier
        self._log = log
        self._watchdog = watchdog
        self._changed = threading.Event()
        self._stop = False
        self._readers = [
            self._worker(f"camera {reader.camera}", reader.step, patience=float("inf"))
            for reader in stations.readers
        ]
        self._inference = [
            self._worker(f"inference {n}", stations.inference.step, patience=_INFERENCE_PATIENCE_S)
            for n in range(stations.inference_workers)
        ]
        self._writer = self._worker("writer", stations.writer.step, patience=_DISK_PATIENCE_S)
        self._uploaders: list[Worker] = []
        if stations.uploader is not None:
            patience = stations.upload_patience + _DISK_PATIENCE_S
            self._uploaders = [
                self._worker(f"upload {n}", stations.uploader.step, patience=patience)
                for n in range(stations.upload_workers)
            ]
        self._workers = [*self._uploaders, self._writer, *self._inference, *self._readers]
        self._summary = _Summary(stations, log)
        self._wall_offset = clock.wall() - clock.monotonic()

    def stop(self) -> None:
        """Ask for an orderly stop; may be called from a signal handler."""
        self._stop = True
        self._changed.set()

    def run(self) -> ExitCode:
        """Start, watch, and stop in stream order; answers how the process should end."""
        began = self._clock.monotonic()
        for worker in self._workers:
            worker.start()
        self._notifier.notify("READY=1\nSTATUS=capturing")
        next_ping, next_summary = began, began + SUMMARY_S
        while not self._stop and not self._all_read() and not self._failed():
            now = self._clock.monotonic()
            if self._watchdog and now >= next_ping and self._progresses(now):
                self._notifier.notify("WATCHDOG=1")
                next_ping = now + self._watchdog / 3
            if now >= next_summary:
                self._summary.report()
                self._notifier.notify(f"STATUS={self._summary.line}")
                next_summary = now + SUMMARY_S
            self._watch_clock()
            self._changed.wait(TICK_S)
            self._changed.clear()
        return self._wind_down()

    def _wind_down(self) -> ExitCode:
        """Stop in stream order: what is in memory reaches the disk before we end."""
        stations = self._stations
        reason = "asked" if self._stop else "bug" if self._failed() else "recordings ended"
        self._notifier.notify("STOPPING=1\nSTATUS=writing what is in memory")
        self._log.info("agent stopping", reason=reason)
        deadline = self._clock.monotonic() + STOP_S
        for worker in self._readers:
            worker.stop()
        stations.mailbox.close()
        # A reader may hang in its driver; nothing waits for it.
        self._join(self._inference, deadline - STOP_S / 2, feed=reason == "recordings ended")
        stations.writer.finishing = True
        self._join([self._writer], deadline - 2, feed=reason == "recordings ended")
        stations.inference.abandoned.set()
        for worker in self._uploaders:
            worker.stop()
        with stations.spool.arrived:
            stations.spool.arrived.notify_all()
        self._join(self._uploaders, deadline)
        self._summary.report()
        code = self._exit_code()
        self._log.info("agent stopped", reason=reason, exit_code=int(code), **self._left())
        return code

    def _exit_code(self) -> ExitCode:
        if self._failed():
            return ExitCode.BUG
        if not self._stop and any(reader.failed for reader in self._stations.readers):
            return ExitCode.CONFIGURATION
        return ExitCode.STOPPED

    def _join(self, workers: Sequence[Worker], deadline: float, *, feed: bool = False) -> None:
        """Wait for workers to end; `feed`: nobody asked to stop, so they may take their time."""
        for worker in workers:
            while feed and not self._stop and not worker.join(TICK_S):
                now = self._clock.monotonic()
                if self._progresses(now):
                    self._notifier.notify("WATCHDOG=1")
                deadline = now + STOP_S / 2
            if not worker.join(deadline - self._clock.monotonic()):
                self._log.warning("stop overdue", worker=worker.name)

    def _left(self) -> dict[str, int]:
        return {
            "waiting": self._stations.spool.waiting(),
            "lost": self._stations.writer.pending,
        }

    def _all_read(self) -> bool:
        return all(worker.ended for worker in self._readers)

    def _failed(self) -> bool:
        return any(worker.failed for worker in self._workers)

    def _progresses(self, now: float) -> bool:
        """Whether every worker is within the time that its present step may take."""
        late = [worker.name for worker in self._workers if worker.overdue(now)]
        if late:
            self._log.critical("worker stalled", workers=",".join(late))
        return not late

    def _watch_clock(self) -> None:
        offset = self._clock.wall() - self._clock.monotonic()
        step = offset - self._wall_offset
        if abs(step) > CLOCK_STEP_S:
            self._log.warning("clock stepped", seconds=round(step, 1))
        self._wall_offset = offset

    def _worker(self, name: str, step: Step, *, patience: float) -> Worker:
        return Worker(
            name, step, patience=patience, clock=self._clock, log=self._log, changed=self._changed
        )


class _Summary:
    """One line a minute: what happened since the last one."""

    def __init__(self, stations: Stations, log: Log) -> None:
        self._stations = stations
        self._log = log
        self._before = FrameCounts(0, 0, 0)
        self.line = "capturing"

    def report(self) -> None:
        counts = self._stations.mailbox.counts()
        recent, seconds = self._stations.stats.take()
        uploader = self._stations.uploader
        by_rule = {
            name.removeprefix("captured/"): count
            for name, count in sorted(recent.items())
            if name.startswith("captured/")
        }
        waiting = self._stations.spool.waiting()
        self._log.info(
            "summary",
            frames_read=counts.offered - self._before.offered,
            frames_dropped=counts.dropped - self._before.dropped,
            frames_analysed=recent["analysed"],
            inference_p50_ms=round(percentile(seconds, 0.5) * 1000, 1),
            inference_p95_ms=round(percentile(seconds, 0.95) * 1000, 1),
            captured=recent["captured"],
            **{f"captured_{name}": count for name, count in by_rule.items()},
            stored=recent["stored"],
            delivered=recent["delivered"],
            evicted=recent["evicted"],
            rejected=recent["rejected"],
            waiting=waiting,
            upload="off" if uploader is None else uploader.state.value,
        )
        self._before = counts
        self.line = f"{recent['analysed']} frames a minute, {waiting} captures waiting"
