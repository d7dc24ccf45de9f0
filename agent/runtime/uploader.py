"""Delivers what waits on disk, as fast as the far side takes it and no faster."""

import threading

from agent.domain import StoredCapture
from agent.errors import CaptureRejected, SpoolUnavailable, TargetHeld, TargetUnavailable
from agent.logs import Log
from agent.ports import Clock, UploadTarget
from agent.runtime.stats import Stats
from agent.spool.spool import Spool
from agent.upload.pace import Pace, State, Verdict

IDLE_S = 1.0
"""How long a worker waits for a capture to arrive before it looks again."""

_DISK_RETRY_S = 5.0
_LONGEST_WAIT_S = 30.0  # so that a worker notices when another one ended the pause


class Uploader:
    """The step of all upload workers, which share it. A failed delivery costs nothing but time."""

    def __init__(
        self,
        spool: Spool,
        target: UploadTarget,
        pace: Pace,
        *,
        stats: Stats,
        clock: Clock,
        log: Log,
    ) -> None:
        self._spool = spool
        self._target = target
        self._pace = pace
        self._stats = stats
        self._clock = clock
        self._log = log
        self._lock = threading.Lock()
        self._resting: set[str] = set()  # claimed captures that wait for their next attempt
        self._reported = State.FLOWING
        self.last_error: str | None = None
        """What the latest failed delivery said, None after a successful one."""

    @property
    def state(self) -> State:
        """What the far side lets us do."""
        with self._lock:
            return self._pace.state

    def step(self) -> float:
        """Deliver one capture; answers as a worker's step does, and never ends by itself."""
        now = self._clock.monotonic()
        with self._lock:
            self._release_rested(now)
            wait = self._pace.admit(now)
        if wait > 0:
            return min(wait, _LONGEST_WAIT_S)
        try:
            capture = self._spool.claim() or self._claim_resting()
        except SpoolUnavailable as error:
            self._abandon(str(error))
            return _DISK_RETRY_S
        if capture is None:
            with self._lock:
                self._pace.abandon()
            with self._spool.arrived:
                self._spool.arrived.wait(IDLE_S)
            return 0.0
        return self._deliver(capture)

    def _deliver(self, capture: StoredCapture) -> float:
        began = self._clock.monotonic()
        try:
            receipt = self._target.send(capture)
        except TargetUnavailable as error:
            self._failed(capture, error)
        except TargetHeld as error:
            self._failed(capture, error)
        except CaptureRejected as error:
            self._refused(capture, error)
        else:
            try:
                self._spool.acknowledge(capture.id)
            except SpoolUnavailable as error:
                # It is sent again; the far side knows it by its id.
                self._spool.release(capture.id)
                self._abandon(str(error))
                return _DISK_RETRY_S
            now = self._clock.monotonic()
            self._log.info(
                "capture delivered",
                capture=capture.id,
                duplicate=receipt.duplicate,
                seconds=round(now - began, 3),
            )
            self._stats.count("delivered")
            with self._lock:
                self._pace.delivered(now)
                self.last_error = None
                self._report(now, "")
        return 0.0

    def _failed(self, capture: StoredCapture, error: TargetUnavailable | TargetHeld) -> None:
        """The trouble is the far side's or the configuration's: the capture waits like all."""
        now = self._clock.monotonic()
        self._spool.release(capture.id)
        with self._lock:
            if isinstance(error, TargetHeld):
                self._pace.held(now)
            else:
                self._pace.unavailable(now, error.retry_after)
            self.last_error = str(error)
            self._report(now, str(error))

    def _refused(self, capture: StoredCapture, error: CaptureRejected) -> None:
        """The trouble may be this capture's: it rests, is set aside, or it is us after all."""
        now = self._clock.monotonic()
        with self._lock:
            verdict = self._pace.rejected(now, capture.id)
            self.last_error = str(error)
            if verdict is not Verdict.SET_ASIDE:
                self._resting.add(capture.id)
            self._report(now, f"the first captures were all refused: {error}")
        if verdict is Verdict.SET_ASIDE:
            self._spool.reject(capture.id)
            self._stats.count("rejected")
            self._log.error("capture rejected", capture=capture.id, error=str(error))

    def _report(self, now: float, error: str) -> None:
        """Log a change of state once; the caller holds the lock."""
        state = self._pace.state
        if state is self._reported:
            return
        self._reported = state
        facts = {"target": self._target.name, "waiting": self._spool.waiting()}
        if state is State.FLOWING:
            self._log.info("upload resumed", **facts)
            return
        facts["retry_in_s"] = round(self._pace.wait(now), 1)
        if state is State.HELD:
            self._log.error("upload held", error=error, **facts)
        else:
            self._log.warning("upload delayed", error=error, **facts)

    def _abandon(self, error: str) -> None:
        """The local disk is in the way; the far side is not to blame."""
        with self._lock:
            self._pace.abandon()
            self.last_error = error
        self._log.error("spool unavailable", error=error)

    def _release_rested(self, now: float) -> None:
        for capture_id in self._resting - self._pace.resting(now).keys():
            self._resting.remove(capture_id)
            self._spool.release(capture_id)

    def _claim_resting(self) -> StoredCapture | None:
        """While held, and nothing else waits, a resting capture serves as the probe."""
        with self._lock:
            if self._pace.state is not State.HELD or not self._resting:
                return None
            self._spool.release(self._resting.pop())
        return self._spool.claim()
