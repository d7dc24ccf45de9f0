"""An endpoint in memory that keeps the port's contract, and fails as it is told."""

from collections import deque
from collections.abc import Callable
from threading import Lock

from agent.domain import Receipt, StoredCapture
from agent.errors import CaptureRejected, TargetBlocked, TargetUnavailable

Failure = TargetUnavailable | TargetBlocked | CaptureRejected


class FakeTarget:
    """Stores what it is sent, unless told otherwise.

    Each `send` first takes the next of `script`: an error is raised, None passes. After the end of
    the script `failure` is raised while it is set. `refused` captures are rejected at any time.
    """

    name = "fake"

    def __init__(self, *script: Failure | None) -> None:
        self.script: deque[Failure | None] = deque(script)
        self.failure: Failure | None = None
        self.refused: set[str] = set()
        self.left_out: tuple[str, ...] = ()
        """What every receipt says that the endpoint has no place for."""
        self.loses_answers = False
        """Stores, then fails as a broken connection does."""
        self.on_send: Callable[[StoredCapture], None] | None = None
        """Called at the start of each `send`, outside of any lock."""
        self.attempts: list[str] = []
        """The id of every `send`, in order."""
        self.stored: dict[str, StoredCapture] = {}
        self.most_at_once = 0
        self._at_once = 0
        self._lock = Lock()

    def send(self, capture: StoredCapture) -> Receipt:
        with self._lock:
            self.attempts.append(capture.id)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.on_send is not None:
                self.on_send(capture)
            with self._lock:
                return self._send(capture)
        finally:
            with self._lock:
                self._at_once -= 1

    def probe(self) -> str:
        if self.failure is not None and not isinstance(self.failure, CaptureRejected):
            raise self.failure
        return f"holds {len(self.stored)} captures"

    def _send(self, capture: StoredCapture) -> Receipt:
        failure = self.script.popleft() if self.script else self.failure
        if failure is not None:
            raise failure
        if capture.id in self.refused:
            raise CaptureRejected("cannot deliver the capture: refused by the test")
        there = self.stored.get(capture.id)
        if there is not None and there.image != capture.image:
            raise CaptureRejected("cannot deliver the capture: another image has this id")
        self.stored.setdefault(capture.id, capture)
        if self.loses_answers:
            raise TargetUnavailable("cannot reach fake: the response was lost")
        return Receipt(
            capture.id,
            capture.image_sha256,
            duplicate=there is not None,
            left_out=self.left_out,
        )
