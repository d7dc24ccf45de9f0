"""Delivers what waits without a daemon: the same uploader, until nothing is left or it is stuck."""

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
"""How long the far side, or the local disk, may be in the way before it counts as away."""

_TICK_S = 0.1


class Drain:
    """One emptying of a spool. `reason` says why something is left."""

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
        """Deliver; calls `progressed` now and then.

        Returns when all is done, the far side holds or is away too long, or the window is closed.
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
            if self._uploader.closed or self._spool.why_not():
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
        """Captures that the far side proved to have."""
        return self._stats.total()["delivered"]

    @property
    def rejected(self) -> int:
        """Captures that were set aside."""
        return self._stats.total()["rejected"]

    @property
    def last_rejection(self) -> str | None:
        """Why the latest of them was refused."""
        return self._uploader.last_rejection

    @property
    def failed(self) -> bool:
        """Whether a bug ended it; its traceback is in the log."""
        return any(worker.failed for worker in self._workers)

    @property
    def reason(self) -> str:
        """Why something still waits."""
        return (
            self._uploader.closed
            or self._uploader.last_error
            or self._spool.why_not()
            or "no answer yet"
        )
