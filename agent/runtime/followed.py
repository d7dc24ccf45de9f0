"""What becomes of the captures that somebody asked for, and of the latest ones."""

import threading
from dataclasses import dataclass
from enum import StrEnum

MOST_FOLLOWED = 256
"""Captures that are followed at once; beyond it, the oldest is forgotten."""

LATEST = 200
"""Latest captures of which the state is known, asked for or not."""


class CaptureState(StrEnum):
    """Where a capture is on its way."""

    REQUESTED = "requested"  # no frame yet
    CAPTURED = "captured"  # in memory only
    WAITING = "waiting"  # stored; it waits for its delivery
    DELIVERED = "delivered"
    REJECTED = "rejected"  # the endpoint refused it for good
    EVICTED = "evicted"  # a limit of the disk forced it out
    REFUSED = "refused"  # there will be no frame

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to it."""
        return self not in {
            CaptureState.REQUESTED,
            CaptureState.CAPTURED,
            CaptureState.WAITING,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state of one capture, and the reason where there is one."""

    state: CaptureState
    reason: str = ""


class FollowedCaptures:
    """The outcome of each followed capture and of the latest. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: dict[str, Outcome] = {}  # by id, oldest first
        self._latest: dict[str, Outcome] = {}  # the same, of all captures

    def follow(self, capture_id: str) -> None:
        """Remember from now on what becomes of this capture."""
        with self._lock:
            while len(self._outcomes) >= MOST_FOLLOWED:
                del self._outcomes[next(iter(self._outcomes))]
            self._outcomes[capture_id] = Outcome(CaptureState.REQUESTED)

    def became(self, capture_id: str, state: CaptureState, reason: str = "") -> None:
        """Note the state of a capture, if it is followed or one of the latest."""
        with self._lock:
            if capture_id in self._outcomes:
                self._outcomes[capture_id] = Outcome(state, reason)
            if state is CaptureState.CAPTURED or capture_id in self._latest:
                while capture_id not in self._latest and len(self._latest) >= LATEST:
                    del self._latest[next(iter(self._latest))]
                self._latest[capture_id] = Outcome(state, reason)

    def outcome(self, capture_id: str) -> Outcome:
        """Return the latest state; of a capture that is not followed, `REQUESTED`."""
        with self._lock:
            return self._outcomes.get(capture_id, Outcome(CaptureState.REQUESTED))

    def latest(self, capture_id: str) -> Outcome | None:
        """Return the state of a followed capture or one of the latest; None of any other."""
        with self._lock:
            return self._outcomes.get(capture_id) or self._latest.get(capture_id)
