"""Delivers what waits without a daemon: the same uploader, until nothing is left or it is stuck."""

import threading
from collections.abc import Callable

from agent.logs import Log
from agent.ports import Clock, UploadTarget
from agent.runtime.stats import Stats
from agent.runtime.uploader import Uploader
from agent.runtime.worker import Worker
from agent.spool.spool import Spool
from agent.upload.pace import Pace, State

GIVE_UP_S = 20.0
"""How long nothing may be delivered before the far side counts as away."""

_TICK_S = 0.1


class Drain:
    """One emptying of a spool. `reason` says why something is left."""

    def __init__(
        self,
        spool: Spool,
        target: UploadTarget,
        pace: Pace,
        *,
        workers: int,
        clock: Clock,
        log: Log,
    ) -> None:
        self._spool = spool
        self._clock = clock
        self._stats = Stats()
        self._uploader = Uploader(spool, target, pace, stats=self._stats, clock=clock, log=log)
        self._changed = threading.Event()
        self._workers = [
            Worker(
                f"upload {n}",
                self._uploader.step,
                patience=float("inf"),
                clock=clock,
                log=log,
                changed=self._changed,
            )
            for n in range(workers)
        ]

    def run(self, progressed: Callable[[], None]) -> None:
        """Deliver; calls `progressed` now and then. Returns when done, held, or away too long."""
        for worker in self._workers:
            worker.start()
        delivered, since = -1, self._clock.monotonic()
        while self._spool.waiting():
            if self._stats.total()["delivered"] > delivered:
                delivered, since = self._stats.total()["delivered"], self._clock.monotonic()
            away = self._clock.monotonic() - since > GIVE_UP_S
            if self._uploader.state is State.HELD or away or self._ended():
                break
            progressed()
            self._changed.wait(_TICK_S)
        for worker in self._workers:
            worker.stop()
        for worker in self._workers:
            worker.join(GIVE_UP_S)
        progressed()

    @property
    def rejected(self) -> int:
        """Captures that were set aside."""
        return self._stats.total()["rejected"]

    @property
    def reason(self) -> str:
        """Why something still waits."""
        return self._uploader.last_error or "no answer"

    def _ended(self) -> bool:
        return any(worker.ended for worker in self._workers)
