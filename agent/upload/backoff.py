"""When a delivery may start: one policy that all upload workers share.

    FLOWING   every worker sends; at first and after trouble one, twice as many after each delivery
    DELAYED   the far side cannot take captures: all wait, longer each round, then one tries
    HELD      every capture would fail until something is mended: one capture at a time probes

The caller holds one lock around every call. It asks `admit`; 0 means send now, and then exactly
one of `delivered`, `unavailable`, `held`, `rejected` or `abandon` tells how that send ended.
Nothing here outlives the process: attempts are not worth a write to flash.
"""

from dataclasses import dataclass
from enum import StrEnum

from agent.ports import Jitter

FIRST_BOUND = 5.0  # seconds within which the first request of a process starts
OPENING_BOUND = 60.0  # the same when many devices wait for one minute of the clock
BACKOFF_MIN = 1.0
BACKOFF_MAX = 300.0
RETRY_AFTER_MAX = 3600.0
HOLD_MIN = 60.0
HOLD_MAX = 900.0
STRIKES = 3
REST = 30.0  # seconds between two attempts with one rejected capture

_SUSPECTS_NEW = 3  # distinct rejected captures that accuse us, before any was delivered
_SUSPECTS_PROVEN = 10  # the same after deliveries: the far side may have changed its mind
_REMEMBERED = 4096  # captures with strikes; beyond, the oldest starts again
_PROBE_POLL = 1.0  # seconds until a worker looks again while another one probes
_RAMP_POLL = 0.1  # the same until a delivery lets one more send
_AT_ONCE_MAX = 64


class UploadState(StrEnum):
    """What the far side lets us do."""

    FLOWING = "flowing"
    DELAYED = "delayed"
    HELD = "held"


class RejectionAction(StrEnum):
    """What becomes of a rejected capture."""

    RETRY_LATER = "retry later"  # keep it; it rests while others pass
    SET_ASIDE = "set aside"  # out of the way: others pass, this one never will
    HOLD = "hold"  # keep all: it is not the capture


@dataclass(slots=True)
class _Strikes:
    count: int = 0
    holds: int = 0  # how often this capture was among those that led to a hold
    rest_until: float = 0.0


class Backoff:
    """The delivery policy. All times are seconds of one monotonic clock.

    `jitter` spreads a fleet of devices; `first_bound` is the longest wait, in seconds, before the
    very first request.
    """

    def __init__(self, jitter: Jitter, *, first_bound: float = FIRST_BOUND) -> None:
        self._jitter = jitter
        self._first_bound = first_bound
        self._state = UploadState.FLOWING
        self._next_at: float | None = None  # None: nobody has asked yet
        self._asked_until = float("-inf")  # the end of the pause that the far side asked for
        self._in_flight = 0
        self._starts = 1.0  # sends that may begin until one of them was delivered
        self._tried = True  # something was admitted since the last trouble that counted
        self._failures = 0  # rounds of TargetUnavailable in a row
        self._hold_wait = 0.0  # seconds; 0 while not held
        self._proven = False  # a capture was delivered since the start or the last hold
        self._suspects: set[str] = set()  # distinct captures rejected since the last delivery
        self._strikes: dict[str, _Strikes] = {}  # by capture id, oldest first

    @property
    def state(self) -> UploadState:
        """What the far side lets us do, as far as the last answers tell."""
        return self._state

    def wait(self, now: float) -> float:
        """Seconds until a worker may send; 0 means now. Changes nothing but the first call."""
        if self._next_at is None:
            self._next_at = now + self._jitter(self._first_bound)
        wait = max(self._next_at - now, 0.0)
        # A probe goes alone, so that whatever ends while held is either old or the probe.
        if wait == 0.0 and self._state is UploadState.HELD and self._in_flight:
            return _PROBE_POLL
        if wait == 0.0 and self._starts < 1:
            return _RAMP_POLL
        return wait

    def admit(self, now: float) -> float:
        """As `wait`; 0 also counts the caller's send as started."""
        wait = self.wait(now)
        if wait == 0.0:
            self._in_flight += 1
            self._starts -= 1
            self._tried = True
        return wait

    def spread(self, now: float) -> None:
        """The hour has come for all devices alike: they do not all begin now."""
        self._start_at(max(self._next_at or now, now + self._jitter(OPENING_BOUND)))

    def resting(self, now: float) -> dict[str, float]:
        """Captures that were rejected lately, with the seconds until each may be sent again.

        Choose another one. Only while held, and if nothing else waits, the one with the fewest
        seconds left serves as the probe.
        """
        return {
            capture_id: strikes.rest_until - now
            for capture_id, strikes in self._strikes.items()
            if strikes.rest_until > now
        }

    def delivered(self, now: float) -> None:
        """A send ended with a receipt: back to full speed."""
        self._end()
        self._proven = True
        self._suspects.clear()
        # One that started before the trouble does not cancel the pause that was asked for since.
        asked_to_wait = self._next_at is not None and now < self._next_at
        if self._state is UploadState.DELAYED and asked_to_wait and not self._tried:
            return
        if self._state is UploadState.HELD:
            for strikes in self._strikes.values():
                strikes.rest_until = min(strikes.rest_until, now + REST)
        self._state = UploadState.FLOWING
        self._start_at(now)
        self._failures //= 2  # of many devices that meet a full house not all begin anew
        # Two for each that ended: so twice as many are under way after every round trip.
        self._starts = self._starts + 2 if self._starts < _AT_ONCE_MAX else float("inf")
        self._hold_wait = 0.0

    def unavailable(self, now: float, retry_after: float | None = None) -> None:
        """A send ended with `TargetUnavailable`; `retry_after` in seconds, if it was told."""
        self._end()
        asked = min(max(retry_after or 0.0, 0.0), RETRY_AFTER_MAX)
        if asked >= BACKOFF_MIN:
            # Without the jitter a thousand devices would come back in the same second.
            pause = asked + self._jitter(max(1.0, asked / 10))
            self._asked_until = max(self._asked_until, now + pause)
        self._starts = 1.0
        next_at = self._next_at if self._next_at is not None else now
        if self._state is UploadState.HELD:
            if self._tried:  # the probe learnt nothing new; the next one comes as late as this
                self._wait_for(now, self._hold_wait)
            else:
                self._start_at(next_at)
            return
        self._state = UploadState.DELAYED
        if self._tried:
            # Workers that fail together are one round: only the first of them counts.
            self._tried = False
            self._failures += 1
            bound = min(BACKOFF_MIN * 2.0 ** min(self._failures - 1, 30), BACKOFF_MAX)
            next_at = now + self._jitter(bound)
        self._start_at(next_at)

    def held(self, now: float) -> None:
        """A send ended with `TargetHeld`."""
        self._end()
        self._hold(now)

    def rejected(self, now: float, capture_id: str) -> RejectionAction:
        """A send ended with `CaptureRejected`; say what becomes of that capture."""
        self._end()
        self._starts += 1
        strikes = self._strikes_of(capture_id)
        strikes.count += 1
        strikes.rest_until = now + REST
        self._suspects.add(capture_id)
        if self._state is UploadState.HELD or self._it_is_us(strikes):
            self._hold(now)
            return RejectionAction.HOLD
        if strikes.count >= STRIKES:
            del self._strikes[capture_id]
            return RejectionAction.SET_ASIDE
        return RejectionAction.RETRY_LATER

    def abandon(self) -> None:
        """A send ended without an answer that says anything, or never started."""
        self._end()
        self._starts += 1

    def _it_is_us(self, strikes: _Strikes) -> bool:
        """Whether so much is rejected that no single capture can be the reason."""
        if self._proven:
            return len(self._suspects) >= _SUSPECTS_PROVEN
        return len(self._suspects) >= _SUSPECTS_NEW or strikes.count >= STRIKES

    def _hold(self, now: float) -> None:
        """Hold, or go on holding after a probe that failed."""
        if self._state is not UploadState.HELD:
            self._hold_wait = HOLD_MIN
        elif self._tried:
            self._hold_wait = min(self._hold_wait * 2, HOLD_MAX)
        if self._state is not UploadState.HELD or self._tried:
            self._wait_for(now, self._hold_wait)
        self._state = UploadState.HELD
        self._starts = 1.0
        self._failures = 0
        self._proven = False
        # Suspects are cleared of their strikes, and rest longer each time: probes with other
        # captures show whether it was them.
        for capture_id in self._suspects:
            strikes = self._strikes_of(capture_id)
            strikes.count = 0
            strikes.rest_until = now + HOLD_MAX * 2 ** min(strikes.holds, 6)
            strikes.holds += 1
        self._suspects.clear()

    def _wait_for(self, now: float, seconds: float) -> None:
        """Send no probe for `seconds`, and a little jitter, which never goes beyond 15 min."""
        spread = max(min(seconds / 10, HOLD_MAX - seconds), 0.0)
        self._start_at(now + seconds + self._jitter(spread))
        self._tried = False

    def _start_at(self, moment: float) -> None:
        """Send nothing before `moment`, nor before the end of a pause that was asked for."""
        self._next_at = max(moment, self._asked_until)

    def _strikes_of(self, capture_id: str) -> _Strikes:
        strikes = self._strikes.get(capture_id)
        if strikes is None:
            while len(self._strikes) >= _REMEMBERED:
                del self._strikes[next(iter(self._strikes))]
            strikes = self._strikes[capture_id] = _Strikes()
        return strikes

    def _end(self) -> None:
        self._in_flight = max(self._in_flight - 1, 0)
