"""How many devices a receiver takes: who has the token may send with any id.

A device with another id at each start, or a program that makes ids up, would fill the disk with
heartbeats. Devices that are known send on.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from agent.ports import Clock

HOUR_S = 3600.0


class DeviceNotAdmitted(Exception):
    """One device too many; the text says what to change. Nothing of it was stored."""


class NewDevices:
    """Admits devices that send their first heartbeat. Several threads may use it at once."""

    def __init__(
        self,
        most: int,
        per_hour: int,
        count: Callable[[], int],
        clock: Clock,
    ) -> None:
        """Admit `per_hour` within an hour, until `count` returns `most`; it may raise `OSError`."""
        self._most = most
        self._per_hour = per_hour
        self._count = count
        self._now = clock.monotonic
        self._known: int | None = None
        self._unstored = 0
        self._latest: deque[float] = deque()
        self._lock = Lock()
        self._refused: tuple[str, float] | None = None

    @property
    def refusal(self) -> str | None:
        """Why a new device was refused within the last hour; None once one was admitted."""
        refused = self._refused
        return refused[0] if refused is not None and self._now() - refused[1] < HOUR_S else None

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count one device more, which is stored within; raises `DeviceNotAdmitted`."""
        with self._lock:
            self._admit(self._now())
            self._unstored += 1
        try:
            yield
        finally:
            with self._lock:
                self._unstored -= 1

    def _admit(self, now: float) -> None:
        while self._latest and now - self._latest[0] >= HOUR_S:
            self._latest.popleft()
        if self._known is None or self._known >= self._most:
            self._known = self._count() + self._unstored  # some may have been forgotten
        reason = self._reason()
        if reason is not None:
            self._refused = reason, now
            raise DeviceNotAdmitted(reason)
        self._refused = None
        self._known += 1
        self._latest.append(now)

    def _reason(self) -> str | None:
        if (self._known or 0) >= self._most:
            return (
                f"no new device is taken: {self._most:,} are known, the most of --devices-max; "
                "raise it, or `capture-agent fleet DIR --forget ID` for those no longer in use"
            )
        if len(self._latest) >= self._per_hour:
            return (
                f"no new device is taken now: {self._per_hour:,} came within an hour, the "
                "most of --new-devices-max; if one device has a new AGENT_DEVICE_ID at each "
                "start, give it a lasting one"
            )
        return None
