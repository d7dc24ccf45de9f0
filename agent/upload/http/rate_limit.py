"""A limit in bytes per second that all connections of a target share.

It holds within a request too: the bytes leave in small pieces, each when its turn has come, so that
one image does not fill a slow link that others use.
"""

import time
from collections.abc import Callable
from threading import Lock

from agent.ports import Clock

_PIECE_S = 0.05  # seconds of the limit that go at once
_PIECE_MIN = 256
_PIECE_MAX = 65_536


class TokenBucket:
    """A token bucket without a clock: in any `t` seconds at most `burst + rate * t` bytes go.

    `rate` in bytes per second. Who takes more than is there waits until it is paid for, and those
    who come later wait behind.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst_s = burst / rate
        self._free_at = float("-inf")  # when all that was taken is paid

    def take(self, now: float, size: int) -> float:
        """Reserve `size` bytes; return the seconds from `now` until they may be sent."""
        self._free_at = max(self._free_at, now - self._burst_s)
        cost = size / self._rate
        self._free_at += cost
        return max(self._free_at - now, 0.0)


class RateLimit:
    """One bucket for all connections; their threads sleep until their bytes may be sent."""

    def __init__(
        self, rate: int, clock: Clock, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.piece = min(max(int(rate * _PIECE_S), _PIECE_MIN), _PIECE_MAX)
        """Bytes that may be sent at once."""
        self._bucket = TokenBucket(rate, burst=self.piece)
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()

    def admit(self, size: int, waiting: Callable[[float], None]) -> None:
        """Wait until `size` bytes may be sent; call `waiting` with the seconds before that."""
        with self._lock:
            wait = self._bucket.take(self._clock.monotonic(), size)
        if wait > 0:
            waiting(wait)
            self._sleep(wait)
