"""Captures whose delivery failed are retried after the others.

Most failures are the endpoint's and would affect any capture. A failure that affects one capture
alone, such as a server that crashes on its content, must not delay the captures behind it.
"""

FIRST_WAIT = 30.0
LAST_WAIT = 900.0

# Captures; beyond it, the one that failed longest ago is retried. While every delivery fails,
# each capture sent instead was purchased with a labelling credit too early.
_REMEMBERED = 8


class RetryOrder:
    """Captures that failed recently. All times are seconds of one monotonic clock.

    A failed capture waits until another one is delivered, and longer after each failure. If no
    other capture waits, it is sent anyway, so the wait never leaves a worker idle.
    """

    def __init__(self) -> None:
        self._failures: dict[
            str, tuple[int, float]
        ] = {}  # how often, and until when it is deferred
        self._since_a_delivery: set[str] = set()

    def failed(self, now: float, capture_id: str) -> None:
        """Record that a capture could not be delivered."""
        failures, _ = self._failures.pop(capture_id, (0, 0.0))
        rest = min(FIRST_WAIT * 2.0 ** min(failures, 10), LAST_WAIT)
        self._failures[capture_id] = failures + 1, now + rest
        self._since_a_delivery.add(capture_id)
        if len(self._failures) > _REMEMBERED:
            self._forget(next(iter(self._failures)))

    def delivered(self, capture_id: str) -> None:
        """Record a delivery: the endpoint takes captures, so those that failed may be retried."""
        self._forget(capture_id)
        self._since_a_delivery.clear()

    def deferred(self, now: float) -> tuple[str, ...]:
        """Return the captures to send after all others, the earliest failure first."""
        return tuple(
            capture_id
            for capture_id, (_, until) in self._failures.items()
            if until > now or capture_id in self._since_a_delivery
        )

    def _forget(self, capture_id: str) -> None:
        self._failures.pop(capture_id, None)
        self._since_a_delivery.discard(capture_id)
