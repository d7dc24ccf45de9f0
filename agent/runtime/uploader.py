"""Delivers the captures in the spool, as fast as the endpoint accepts them."""

import threading
from dataclasses import dataclass
from math import inf

from agent.domain import Receipt, StoredCapture
from agent.errors import (
    CaptureRejected,
    SpoolUnavailable,
    TargetBlocked,
    TargetFailed,
    TargetUnavailable,
)
from agent.logs import Log
from agent.ports import Clock, UploadTarget
from agent.progress import Stopping
from agent.runtime.followed import CaptureState
from agent.runtime.stats import Stats
from agent.spool.spool import Spool
from agent.upload.backoff import Backoff, RejectionAction, UploadState
from agent.upload.guard import target_errors_only
from agent.upload.retry_order import RetryOrder
from agent.upload.upload_window import UploadWindow

IDLE_S = 1.0
"""How long a worker waits for a capture to arrive before it looks again."""

DISK_RETRY_S = 5.0

SETTLE_S = 0.05
"""Least time between two deletions of delivered captures: at hundreds of deliveries a second, one
deletion each would make uploads wait for the disk and wear the flash."""

_LEFT_OUT_MAX = 200  # labels
_BUGS_MAX = 8  # tracebacks of bugs in the target that are logged

_LONGEST_WAIT_S = 30.0  # so that a worker notices when another one ended the wait


@dataclass(frozen=True, slots=True)
class _Proof:
    """A confirmed delivery that is not acknowledged in the spool yet."""

    id: str
    duplicate: bool
    seconds: float


class Uploader:
    """The step that all upload workers share. A failed delivery costs only time.

    A capture is sent once, even while the local disk refuses to delete it; after a crash it may be
    sent again, and the endpoint recognizes it by its id.
    """

    def __init__(
        self,
        spool: Spool,
        target: UploadTarget,
        backoff: Backoff,
        *,
        stats: Stats,
        clock: Clock,
        log: Log,
        window: UploadWindow | None = None,
    ) -> None:
        """`window`: the hours in which captures may be sent, None for all."""
        self._spool = spool
        self._target = target
        self._backoff = backoff
        self._window = window
        self._stats = stats
        self._clock = clock
        self._log = log
        self._lock = threading.Lock()  # guards the backoff and the state of the endpoint
        self._proofs: list[_Proof] = []
        self._settled_at = -inf
        self._deferred: set[str] = set()  # claimed, rejected captures that wait for a retry
        self._retry_order = RetryOrder()
        self._left_out: set[str] = set()  # what was said to be left out
        self._leaves_clips = False  # it was said
        self._bugs: set[str] = set()  # messages of the bugs whose traceback was logged
        self._reported = UploadState.FLOWING
        self._since = clock.monotonic()  # when `_reported` began
        self.disk_error: str | None = None
        """Why the local disk refuses to delete what was delivered; None while it accepts."""
        self.last_error: str | None = None
        """The error of the latest failed delivery, None after a successful one."""
        self.last_rejection: str | None = None
        """Why the latest rejected capture was rejected."""
        self.closed: str | None = None
        """Why the upload window forbids sending now, None while it is open."""

    @property
    def state(self) -> UploadState:
        """Whether uploads flow, are delayed or are blocked."""
        with self._lock:
            return self._backoff.state

    @property
    def condition(self) -> str:
        """`closed` outside the upload window, else the state."""
        return "closed" if self.closed else self.state.value

    @property
    def is_stuck(self) -> bool:
        """Whether the endpoint accepts nothing now, or the local disk refuses writes."""
        return self.disk_error is not None or self.state is not UploadState.FLOWING

    def step(self) -> float:
        """Deliver one capture; return the wait, as a worker's step does, and never None."""
        try:
            self._settle(SETTLE_S)
            return self._deliver_next()
        except SpoolUnavailable as error:
            self._disk_refused(str(error))
            return DISK_RETRY_S

    def close(self) -> None:
        """After the last step, delete delivered captures if the disk allows it."""
        try:
            self._settle()
        except SpoolUnavailable as error:
            self._disk_refused(str(error))

    def _deliver_next(self) -> float:
        now = self._clock.monotonic()
        with self._lock:
            self._release_rested(now)
            wait = self._closed_for(now) or self._backoff.admit(now)
            deferred = self._retry_order.deferred(now)
            unlike = self._backoff.deferred(now) if self._backoff.seeks_others(now) else ()
        if wait > 0:
            self._settle()
            return min(wait, _LONGEST_WAIT_S)
        capture = None
        try:
            capture = (
                self._spool.claim(last=deferred, unlike=tuple(unlike)) or self._claim_deferred()
            )
        finally:
            if capture is None:
                with self._lock:
                    self._backoff.abandon()
        if capture is None:
            self._settle()
            with self._spool.arrived:
                self._spool.arrived.wait(IDLE_S)
        else:
            self._send(capture)
        return 0.0

    def _closed_for(self, now: float) -> float:
        """Return seconds until the window opens; log each change. The caller holds the lock."""
        if self._window is None:
            return 0.0
        wall = self._clock.wall()
        wait = self._window.opens_in(wall)
        if wait > 0:
            opens = self._window.opening(wall)
            if self.closed is None:
                facts = {"window": str(self._window), "waiting": self._spool.waiting()}
                self._log.info("upload window closed", opens=opens, **facts)
            self.closed = f"the upload window {self._window} is closed; it opens {opens}"
        elif self.closed is not None:
            self.closed = None
            self._backoff.spread(now)
            self._log.info(
                "upload window opened", window=str(self._window), waiting=self._spool.waiting()
            )
        return wait

    def _send(self, capture: StoredCapture) -> None:
        began = self._clock.monotonic()
        try:
            with target_errors_only(self._target.name):
                receipt = self._target.send(capture)
        except (TargetUnavailable, TargetBlocked) as error:
            if isinstance(error, TargetFailed):
                self._report_bug(capture, error)
            self._failed(capture, error)
        except CaptureRejected as error:
            self._refused(capture, error)
        except Stopping:  # it says nothing about the endpoint
            with self._lock:
                self._backoff.abandon()
            self._spool.release(capture.id)
        else:
            now = self._clock.monotonic()
            self._report_left_out(capture, receipt)
            with self._lock:
                self._proofs.append(_Proof(capture.id, receipt.duplicate, now - began))
                self._backoff.delivered(now)
                self._retry_order.delivered(capture.id)
                self.last_error = None
                self._report(now, "")
            self._settle(SETTLE_S)

    def _settle(self, interval: float = 0.0) -> None:
        """Acknowledge confirmed deliveries together, at most every `interval` seconds.

        Other workers keep sending meanwhile. Raises `SpoolUnavailable`.
        """
        now = self._clock.monotonic()
        with self._lock:
            if not self._proofs or now - self._settled_at < interval:
                return
            proofs, self._proofs = self._proofs, []
            self._settled_at = now
        try:
            self._spool.acknowledge(*(proof.id for proof in proofs))
        except SpoolUnavailable:
            with self._lock:
                self._proofs += proofs
                self._settled_at = -inf  # nothing more is sent before these are acknowledged
            raise
        self._disk_accepted()
        self._stats.count("delivered", len(proofs))
        for proof in proofs:
            self._stats.followed.became(proof.id, CaptureState.DELIVERED)
            self._log.info(
                "capture delivered",
                capture=proof.id,
                duplicate=proof.duplicate,
                seconds=round(proof.seconds, 3),
            )

    def _failed(self, capture: StoredCapture, error: TargetUnavailable | TargetBlocked) -> None:
        """Handle an error of the endpoint or the configuration: the capture keeps waiting."""
        now = self._clock.monotonic()
        with self._lock:
            if isinstance(error, TargetBlocked):
                self._backoff.blocked(now)
            else:
                self._backoff.unavailable(now, error.retry_after, reached=error.reached)
            self.last_error = str(error)
            self._report(now, str(error))
            self._retry_order.failed(now, capture.id)
        self._spool.release(capture.id)

    def _report_left_out(self, capture: StoredCapture, receipt: Receipt) -> None:
        """Log each thing that the endpoint has no place for once."""
        if capture.clip and receipt.clip_sha256 != capture.clip_sha256:
            with self._lock:
                is_new, self._leaves_clips = not self._leaves_clips, True
            if is_new:
                self._log.warning("clips left out", target=self._target.name, capture=capture.id)
        for text in receipt.left_out:
            with self._lock:
                is_new = text not in self._left_out and len(self._left_out) < _LEFT_OUT_MAX
                if is_new:
                    self._left_out.add(text)
            if is_new:
                self._log.warning(
                    "labels left out", error=text, target=self._target.name, capture=capture.id
                )

    def _report_bug(self, capture: StoredCapture, error: TargetFailed) -> None:
        """Log the traceback of each kind of bug once; called while the error is handled."""
        with self._lock:
            is_new = str(error) not in self._bugs and len(self._bugs) < _BUGS_MAX
            if is_new:
                self._bugs.add(str(error))
        if is_new:
            self._log.critical(
                "target failed", target=self._target.name, capture=capture.id, exc_info=True
            )

    def _refused(self, capture: StoredCapture, error: CaptureRejected) -> None:
        """Handle a rejection: the capture waits, is moved to `rejected/`, or all are blocked."""
        now = self._clock.monotonic()
        with self._lock:
            action = self._backoff.rejected(now, capture.id)
            all_refused = f"every capture is refused, the last one so: {error}"
            self.last_error = all_refused if action is RejectionAction.BLOCK else str(error)
            if action is not RejectionAction.REJECT:
                self._deferred.add(capture.id)
            self._report(now, all_refused)
        if action is not RejectionAction.REJECT:
            return
        try:
            self._spool.reject(capture.id)
        except SpoolUnavailable:
            self._spool.release(capture.id)
            raise
        self._disk_accepted()
        self.last_rejection = str(error)
        self._stats.count("rejected")
        self._stats.followed.became(capture.id, CaptureState.REJECTED, str(error))
        self._log.error("capture rejected", capture=capture.id, error=str(error))

    def _report(self, now: float, error: str) -> None:
        """Log a change of state once; the caller holds the lock."""
        state = self._backoff.state
        if state is self._reported:
            return
        lasted = round(now - self._since, 1)
        was_blocked = self._reported is UploadState.BLOCKED
        self._reported, self._since = state, now
        facts = {"target": self._target.name, "waiting": self._spool.waiting()}
        if state is UploadState.FLOWING:
            report = self._log.error if was_blocked else self._log.warning
            report("upload resumed", after_s=lasted, **facts)
            return
        facts["retry_in_s"] = round(self._backoff.wait(now), 1)
        if state is UploadState.BLOCKED:
            self._log.error("upload blocked", error=error, **facts)
        else:
            self._log.warning("upload delayed", error=error, **facts)

    def _disk_refused(self, error: str) -> None:
        with self._lock:
            first, self.disk_error = self.disk_error is None, error
            self.last_error = error
        if first:
            self._log.error("spool unavailable", error=error)

    def _disk_accepted(self) -> None:
        with self._lock:
            refused, self.disk_error = self.disk_error is not None, None
        if refused:
            self._log.error("spool available", waiting=self._spool.waiting())

    def _release_rested(self, now: float) -> None:
        """Release captures whose wait after a rejection is over; the caller holds the lock."""
        if not self._deferred:
            return
        for capture_id in self._deferred - self._backoff.deferred(now).keys():
            self._deferred.remove(capture_id)
            self._spool.release(capture_id)

    def _claim_deferred(self) -> StoredCapture | None:
        """While blocked with nothing else to send, probe with the longest-waiting rejection."""
        with self._lock:
            if self._backoff.state is not UploadState.BLOCKED or not self._deferred:
                return None
            deferred = self._backoff.deferred(self._clock.monotonic())
            capture_id = min(self._deferred, key=lambda capture_id: deferred.get(capture_id, 0.0))
            self._deferred.remove(capture_id)
        self._spool.release(capture_id)
        return self._spool.claim()
