"""When a delivery may start: one policy that all upload workers share.

    FLOWING   every worker sends; after a start or failure one, then twice as many per delivery
    DELAYED   the endpoint cannot take captures now: all wait, longer each round, then one tries
    BLOCKED   every capture fails until a person fixes the cause: one capture at a time probes

The caller holds one lock around every call. If `admit` returns 0, the caller sends
and then calls exactly one of `delivered`, `unavailable`, `blocked`, `rejected` or `abandon`.
The state is lost at a restart, because storing each attempt would wear out the flash.
"""

from dataclasses import dataclass
from enum import StrEnum

from agent.ports import Jitter

FIRST_BOUND = 5.0  # seconds within which the first request of a process starts
OPENING_BOUND = 60.0  # the same when many devices start at the same minute of the clock
BACKOFF_MIN = 1.0
BACKOFF_MAX = 300.0
UNREACHED_MAX = 20.0
"""The same while there is no connection at all: a try costs nobody anything, and a link that comes
and goes must be met while it is there."""
RETRY_AFTER_MAX = 3600.0
BLOCKED_MIN = 60.0
BLOCKED_MAX = 900.0
REJECTIONS_MAX = 3
REJECTED_RETRY_S = 30.0  # seconds between two attempts with one rejected capture
REJECTED_RETRY_BY_HAND_S = 5.0  # the same while a person waits for the end

REJECTED_IN_ORDER = 3  # distinct captures rejected in a row, before others than the next are tried
REJECTED_MAX = 12  # the same that block all: 9 that are as unlike them as the spool has
_REMEMBERED = 4096  # rejected captures to count for; beyond it, forget the oldest
_PROBE_POLL = 1.0  # seconds until a worker looks again while another one probes
_RAMP_POLL = 0.1  # the same until a delivery lets one more send
_AT_ONCE_MAX = 64


class UploadState(StrEnum):
    """Whether the endpoint takes captures."""

    FLOWING = "flowing"
    DELAYED = "delayed"
    BLOCKED = "blocked"


class RejectionAction(StrEnum):
    """What becomes of a rejected capture."""

    RETRY_LATER = "retry later"  # keep it, and send others first
    REJECT = "reject"  # move it to rejected/: others are accepted, this one never is
    BLOCK = "block"  # keep all: the cause is not this capture


@dataclass(slots=True)
class _Rejections:
    count: int = 0
    blocks: int = 0  # how often its rejection helped to block the upload
    retry_at: float = 0.0


class Backoff:
    """The delivery policy. All times are seconds of one monotonic clock.

    `jitter` spreads a fleet of devices; `first_bound` is the longest wait, in seconds, before the
    very first request; `rejected_max` is how many distinct captures in a row must be rejected until
    the cause cannot be one of them; `rejected_retry` is the number of seconds between two attempts
    with one rejected capture.
    """

    def __init__(
        self,
        jitter: Jitter,
        *,
        first_bound: float = FIRST_BOUND,
        rejected_max: int = REJECTED_MAX,
        rejected_retry: float = REJECTED_RETRY_S,
    ) -> None:
        self._jitter = jitter
        self._first_bound = first_bound
        self._rejected_max = rejected_max
        self._rejected_retry = rejected_retry
        self._state = UploadState.FLOWING
        self._next_at: float | None = None  # None: before the first call
        self._asked_until = float("-inf")  # the end of the pause that the endpoint asked for
        self._in_flight = 0
        self._starts = 1.0  # sends that may begin until one of them was delivered
        self._tried = True  # a send was admitted since the last failure that counted
        self._failures = 0  # rounds of TargetUnavailable in a row
        self._blocked_wait = 0.0  # seconds; 0 while not blocked
        self._proven = False  # a capture was delivered since the start or the last block
        self._rejected_ids: set[str] = set()  # distinct captures rejected since the last delivery
        self._rejections: dict[str, _Rejections] = {}  # by capture id, oldest first

    @property
    def state(self) -> UploadState:
        """Whether the endpoint takes captures, judging by the last responses."""
        return self._state

    def wait(self, now: float) -> float:
        """Return the seconds until a worker may send; 0: now. Only the first call has effects."""
        if self._next_at is None:
            self._next_at = now + self._jitter(self._first_bound)
        wait = max(self._next_at - now, 0.0)
        # Probe alone: then a send that ends while blocked is either an old one or the probe.
        if wait == 0.0 and self._state is UploadState.BLOCKED and self._in_flight:
            return _PROBE_POLL
        if wait == 0.0 and self._starts < 1:
            return _RAMP_POLL
        return wait

    def admit(self, now: float) -> float:
        """Return the same as `wait`; 0 also counts the caller's send as started."""
        wait = self.wait(now)
        if wait == 0.0:
            self._in_flight += 1
            self._starts -= 1
            self._tried = True
        return wait

    def spread(self, now: float) -> None:
        """Delay the next send by a random time, as all devices reach this hour together."""
        self._start_at(max(self._next_at or now, now + self._jitter(OPENING_BOUND)))

    def deferred(self, now: float) -> dict[str, float]:
        """Return recently rejected captures, with the seconds until each may be sent again.

        Send others instead. Only while blocked, and if no other capture waits, probe with the one
        that has the fewest seconds left.
        """
        return {
            capture_id: rejections.retry_at - now
            for capture_id, rejections in self._rejections.items()
            if rejections.retry_at > now
        }

    def seeks_others(self, now: float) -> bool:
        """Whether to send captures as unlike those in `deferred` as there are, not the next ones.

        Captures that are rejected may stand at the head of the line, and others be accepted.
        """
        is_blocked = self._state is UploadState.BLOCKED and bool(self.deferred(now))
        return is_blocked or len(self._rejected_ids) >= REJECTED_IN_ORDER

    def delivered(self, now: float) -> None:
        """Record that a send ended with a receipt, and return to full speed."""
        self._end()
        self._proven = True
        self._rejected_ids.clear()
        # A send that started before the failure does not cancel the pause requested since.
        asked_to_wait = self._next_at is not None and now < self._next_at
        if self._state is UploadState.DELAYED and asked_to_wait and not self._tried:
            return
        if self._state is UploadState.BLOCKED:
            for rejections in self._rejections.values():
                rejections.retry_at = min(rejections.retry_at, now + self._rejected_retry)
        self._state = UploadState.FLOWING
        self._start_at(now)
        self._failures //= (
            2  # halve, do not reset: a recovering server must not meet a thundering herd
        )
        # Two for each send that ended, which doubles the sends in flight after every round trip.
        self._starts = self._starts + 2 if self._starts < _AT_ONCE_MAX else float("inf")
        self._blocked_wait = 0.0

    def unavailable(
        self, now: float, retry_after: float | None = None, *, reached: bool = True
    ) -> None:
        """Record that a send ended with `TargetUnavailable`; `retry_after` in seconds, if given.

        `reached`: there was a connection to the endpoint.
        """
        self._end()
        asked = min(max(retry_after or 0.0, 0.0), RETRY_AFTER_MAX)
        if asked >= BACKOFF_MIN:
            # Without the jitter a thousand devices would come back in the same second.
            pause = asked + self._jitter(max(1.0, asked / 10))
            self._asked_until = max(self._asked_until, now + pause)
        self._starts = 1.0
        next_at = self._next_at if self._next_at is not None else now
        if self._state is UploadState.BLOCKED:
            if self._tried:  # the probe gave no new information; repeat the same wait
                self._wait_for(now, self._blocked_wait)
            else:
                self._start_at(next_at)
            return
        self._state = UploadState.DELAYED
        if self._tried:
            # Workers that fail together are one round: only the first of them counts.
            self._tried = False
            self._failures += 1
            most = BACKOFF_MAX if reached else UNREACHED_MAX
            bound = min(BACKOFF_MIN * 2.0 ** min(self._failures - 1, 30), most)
            next_at = now + self._jitter(bound)
        self._start_at(next_at)

    def blocked(self, now: float) -> None:
        """Record that a send ended with `TargetBlocked`."""
        self._end()
        self._block(now)

    def rejected(self, now: float, capture_id: str) -> RejectionAction:
        """Record that a send ended with `CaptureRejected`; return what to do with that capture."""
        self._end()
        self._starts += 1
        rejections = self._rejections_of(capture_id)
        rejections.count += 1
        rejections.retry_at = now + self._rejected_retry
        # Another rejection of one that was rejected while others passed says nothing new.
        if rejections.count == 1 or not self._proven:
            self._rejected_ids.add(capture_id)
        if self._state is UploadState.BLOCKED or self._is_ours(rejections):
            self._block(now)
            return RejectionAction.BLOCK
        if rejections.count >= REJECTIONS_MAX:
            del self._rejections[capture_id]
            return RejectionAction.REJECT
        return RejectionAction.RETRY_LATER

    def abandon(self) -> None:
        """Record that a send ended without a response of use, or never started."""
        self._end()
        self._starts += 1

    def _is_ours(self, rejections: _Rejections) -> bool:
        """Whether so many captures are rejected that no single capture can be the cause."""
        if len(self._rejected_ids) >= self._rejected_max:
            return True
        return not self._proven and rejections.count >= REJECTIONS_MAX

    def _block(self, now: float) -> None:
        """Block all sends, or keep blocking after a probe that failed."""
        if self._state is not UploadState.BLOCKED:
            self._blocked_wait = BLOCKED_MIN
        elif self._tried:
            self._blocked_wait = min(self._blocked_wait * 2, BLOCKED_MAX)
        if self._state is not UploadState.BLOCKED or self._tried:
            self._wait_for(now, self._blocked_wait)
        self._state = UploadState.BLOCKED
        self._starts = 1.0
        self._failures = 0
        self._proven = False
        # Reset their counts but postpone them longer each time: probes with other captures show
        # whether these were the cause.
        for capture_id in self._rejected_ids:
            rejections = self._rejections_of(capture_id)
            rejections.count = 0
            rejections.retry_at = now + BLOCKED_MAX * 2 ** min(rejections.blocks, 6)
            rejections.blocks += 1
        self._rejected_ids.clear()

    def _wait_for(self, now: float, seconds: float) -> None:
        """Send no probe for `seconds`, plus jitter, together at most 15 min."""
        spread = max(min(seconds / 10, BLOCKED_MAX - seconds), 0.0)
        self._start_at(now + seconds + self._jitter(spread))
        self._tried = False

    def _start_at(self, moment: float) -> None:
        """Send nothing before `moment`, nor before the end of a pause that was asked for."""
        self._next_at = max(moment, self._asked_until)

    def _rejections_of(self, capture_id: str) -> _Rejections:
        rejections = self._rejections.get(capture_id)
        if rejections is None:
            while len(self._rejections) >= _REMEMBERED:
                del self._rejections[next(iter(self._rejections))]
            rejections = self._rejections[capture_id] = _Rejections()
        return rejections

    def _end(self) -> None:
        self._in_flight = max(self._in_flight - 1, 0)
