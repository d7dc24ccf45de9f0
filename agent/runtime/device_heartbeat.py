"""The heartbeat: the device's status goes to the endpoint, so that a silent device is a dead one.

It has a thread and a connection of its own: no capture ever waits for it, not even where the
endpoint never answers it. It waits for a moment in which no capture is being sent, but not for
ever, for a device with a long backlog must not look dead. It changes nothing of the uploads: its
failures count nowhere, and only the newest status is ever sent.
"""

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.errors import AgentError, StatusRefused, TargetFailed, TargetUnavailable
from agent.exchange.state import HeartbeatState
from agent.logs import Log
from agent.ports import Clock, Jitter, TakesStatus
from agent.runtime.abandonable import Abandonable
from agent.runtime.shown_error import shown_error
from agent.upload.guard import target_errors_only

GAP_WAIT_S = 30.0
"""How long a heartbeat that is due waits while captures are being sent, at most."""

SETTLE_S = 2.0
"""Seconds after the start in which none is sent: the cameras are just being opened."""

SPREAD_S = 60.0
"""The first heartbeats of all devices are spread over so long, by their names: after a power cut a
thousand of them start at once."""

RETRY_S = 15.0
"""After a failure the next one comes so soon, then after twice the time, up to the interval."""

REFUSED_S = 86_400.0
"""How long no heartbeat is sent to an endpoint that takes none."""

LAST_S = 2.0
"""How long a stop waits for the last heartbeat."""

_POLL_S = 0.25
_LOOK_S = 5.0


@dataclass(frozen=True, slots=True)
class HeartbeatPlan:
    """To whom heartbeats go, and how often."""

    target: TakesStatus
    target_name: str  # as it may be shown
    device: str  # as the status has it
    interval: float  # seconds


class DeviceHeartbeat:
    """The step that sends a status when it is due. `state` may be read by any thread."""

    def __init__(
        self,
        plan: HeartbeatPlan,
        status: Callable[[bool], bytes],
        *,
        is_sending: Callable[[], bool],
        jitter: Jitter,
        clock: Clock,
        log: Log,
    ) -> None:
        """Plan the first one.

        Args:
            plan: What never changes.
            status: Returns the status now, or with True the last one; may wait for the disk, and
                raises `TargetUnavailable` where it cannot be read.
            is_sending: Whether a capture is being sent now.
            jitter: Spreads what follows a failure.
            clock: Its monotonic time alone decides when one is due.
            log: Each change is told once.
        """
        self._plan = plan
        self._status = status
        self._is_sending = is_sending
        self._jitter = jitter
        self._clock = clock
        self._log = log
        self._due = clock.monotonic() + first_after(plan.device, plan.interval)
        self._failures = 0
        self._failed_since: float | None = None
        self._told_bug = False
        self._attempt: Abandonable[None] | None = None
        self.state = HeartbeatState(plan.interval)
        """What is known of the heartbeats."""

    def step(self) -> float:
        """Send what is due, or look what became of it; return the wait, as a worker's step does."""
        if self._attempt is None:
            late = self._clock.monotonic() - self._due
            if late < 0:
                return min(-late, _LOOK_S)
            if late < min(GAP_WAIT_S, self._plan.interval / 2) and self._is_sending():
                return _POLL_S
            self._attempt = self._begin(is_last=False)
        if self._attempt.wait(_POLL_S):
            attempt, self._attempt = self._attempt, None
            self._ended(attempt)
        return 0.0

    def close(self) -> None:
        """Send a last status, so that the device is known to be stopped; gives up soon.

        Only where the former one was taken: a device without a network stops without delay.
        """
        if self._attempt is not None and self._attempt.wait(LAST_S / 2):
            attempt, self._attempt = self._attempt, None
            self._ended(attempt)
        if self._attempt is not None or self.state.sent is None or self.state.error is not None:
            return
        last = self._begin(is_last=True)
        if last.wait(LAST_S / 2):
            with contextlib.suppress(AgentError):
                last.result()

    def _begin(self, *, is_last: bool) -> Abandonable[None]:
        # In a thread of its own: neither a dead mount nor a slow endpoint holds up a stop.
        return Abandonable(lambda: self._send(is_last=is_last), name="heartbeat request")

    def _send(self, *, is_last: bool) -> None:
        plan = self._plan
        with target_errors_only(plan.target_name):
            plan.target.send_status(plan.device, self._status(is_last))

    def _ended(self, attempt: Abandonable[None]) -> None:
        now = self._clock.monotonic()
        try:
            attempt.result()
        except StatusRefused as error:
            self._due = now + REFUSED_S
            if not self.state.is_refused:
                self._log.info("heartbeat refused", target=self._plan.target_name, error=str(error))
            self.state = replace(self.state, error=shown_error(str(error)), is_refused=True)
        except AgentError as error:
            if isinstance(error, TargetFailed) and not self._told_bug:
                self._told_bug = True
                self._log.critical(
                    "target failed", target=self._plan.target_name, capture="none", exc_info=True
                )
            self._failed(now, error)
        else:
            self._succeeded(now)

    def _succeeded(self, now: float) -> None:
        self._due += self._plan.interval
        if self._due <= now:  # after a failure, or a long sleep of the device
            self._due = now + self._plan.interval
        if self._failed_since is not None:
            after = round(now - self._failed_since, 1)
            self._log.info("heartbeat resumed", target=self._plan.target_name, after_s=after)
        self._failures, self._failed_since = 0, None
        self.state = replace(self.state, sent=self._clock.wall(), error=None, is_refused=False)

    def _failed(self, now: float, error: AgentError) -> None:
        wait = min(self._plan.interval, RETRY_S * 2.0 ** min(self._failures, 16))
        wait = wait / 2 + self._jitter(wait / 2)
        if isinstance(error, TargetUnavailable):
            wait = max(wait, error.retry_after or 0.0)
        self._failures += 1
        self._due = now + wait
        if self._failed_since is None:
            self._failed_since = now
            self._log.info(
                "heartbeat delayed",
                target=self._plan.target_name,
                error=str(error),
                retry_in_s=round(wait, 1),
            )
        self.state = replace(self.state, error=shown_error(str(error)), is_refused=False)


def first_after(device: str, interval: float) -> float:
    """Return the seconds from the start to the first heartbeat: always the same for a device."""
    digest = hashlib.blake2b(device.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    share = int.from_bytes(digest) / 2**64
    return min(SETTLE_S, interval) + share * min(SPREAD_S, interval)
