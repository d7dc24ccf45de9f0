"""Delivers the waiting captures without a daemon, until none is left or uploads are stuck."""

import contextlib
from collections.abc import Callable
from queue import Empty, SimpleQueue

from agent.logs import Log
from agent.ports import Clock, UploadTarget
from agent.runtime.stats import Stats
from agent.runtime.uploader import Uploader
from agent.runtime.worker import Worker
from agent.spool.spool import Spool
from agent.upload.backoff import Backoff, UploadState
from agent.upload.upload_window import UploadWindow

GIVE_UP_S = 20.0
"""How long uploads may be stuck, by the endpoint or the local disk, before `Drain` gives up."""

_TICK_S = 0.1


class Drain:
    """Deliver everything in a spool once. `reason` says why captures are left."""

    def __init__(
        self,
        spool: Spool,
        target: UploadTarget,
        backoff: Backoff,
        *,
        workers: int,
        clock: Clock,
        log: Log,
        window: UploadWindow | None = None,
    ) -> None:
        self._spool = spool
        self._clock = clock
        self._stats = Stats()
        self._ended_for: str | None = None  # why `run` stopped waiting
        self._uploader = Uploader(
            spool, target, backoff, stats=self._stats, clock=clock, log=log, window=window
        )
        self._ended: SimpleQueue[None] = SimpleQueue()
        self._workers = [
            Worker(
                f"upload {n}",
                self._uploader.step,
                timeout=float("inf"),
                clock=clock,
                log=log,
                ended=lambda: self._ended.put(None),
                close=self._uploader.close,
            )
            for n in range(workers)
        ]

    def run(self, progressed: Callable[[], None]) -> None:
        """Deliver, and call `progressed` about every 0.1 s.

        Returns when nothing is left, the endpoint blocks uploads or is unavailable too long, or the
        upload window is closed.
        """
        for worker in self._workers:
            worker.start()
        flowed_at = self._clock.monotonic()
        while self._spool.waiting() and not self.failed:
            now = self._clock.monotonic()
            if not self._uploader.is_stuck:
                flowed_at = now
            if self._uploader.state is UploadState.BLOCKED or now - flowed_at > GIVE_UP_S:
                break
            self._ended_for = self._uploader.closed or self._spool.wait_reason()
            if self._ended_for:
                break
            progressed()
            with contextlib.suppress(Empty):
                self._ended.get(timeout=_TICK_S)
        for worker in self._workers:
            worker.stop()
        deadline = self._clock.monotonic() + GIVE_UP_S
        for worker in self._workers:
            worker.join(deadline - self._clock.monotonic())
        progressed()

    @property
    def delivered(self) -> int:
        """Captures that the endpoint confirmed."""
        return self._stats.total()["delivered"]

    @property
    def rejected(self) -> int:
        """Captures that were moved to `rejected/`."""
        return self._stats.total()["rejected"]

    @property
    def last_rejection(self) -> str | None:
        """Why the latest of them was rejected."""
        return self._uploader.last_rejection

    @property
    def failed(self) -> bool:
        """Whether a bug ended it; its traceback is in the log."""
        return any(worker.failed for worker in self._workers)

    @property
    def reason(self) -> str:
        """Why captures still wait."""
        return (
            self._uploader.closed
            or self._uploader.last_error
            or self._spool.wait_reason()
            or self._ended_for  # a credit may have accrued since
            or "no response yet"
        )
