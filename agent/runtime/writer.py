"""Encodes captures and stores them, several at a time when several wait."""

import contextlib
from collections import deque
from collections.abc import Callable
from queue import Empty, Queue

from agent.domain import Capture
from agent.errors import SpoolUnavailable
from agent.logs import Log
from agent.ports import ImageEncoder
from agent.record.schema import RecordMaker
from agent.runtime.followed import CaptureState
from agent.runtime.stats import Stats
from agent.spool.spool import Spool
from agent.spool.types import EvictionReason, NewCapture

GROUP = 8
"""Captures per put: they share its flushes, the slow part on an SD card."""

GATHER_S = 0.5
"""How long a step waits for the first capture, in seconds."""

_FIRST_RETRY_S = 1.0
_LAST_RETRY_S = 30.0


class Writer:
    """Moves captures from memory to disk. A capture is dropped from memory only once stored."""

    def __init__(
        self,
        queue: "Queue[Capture]",
        encoder: ImageEncoder,
        maker: RecordMaker,
        spool: Spool,
        *,
        synchronized: Callable[[float], bool],
        stats: Stats,
        log: Log,
    ) -> None:
        """`synchronized` returns whether a wall time can be trusted."""
        self._queue = queue
        self._encoder = encoder
        self.maker = maker
        """Makes the records of all captures."""
        self._spool = spool
        self._synchronized = synchronized
        self._stats = stats
        self._log = log
        self._encoded: list[NewCapture] = []
        self._ready: deque[NewCapture] = deque()
        self.refusal: str | None = None
        """Why the disk refuses writes; None while it accepts them."""
        self._retry = _FIRST_RETRY_S
        self.finishing = False
        """Set when no more captures will come: the step ends once all are stored."""

    @property
    def pending(self) -> int:
        """Captures that exist only in memory."""
        return len(self._encoded) + len(self._ready) + self._queue.qsize()

    def add(self, capture: NewCapture) -> None:
        """Store a capture that has its record and its image already; returns at once."""
        self._ready.append(capture)

    def step(self) -> float | None:
        """Store the queued captures; if the disk refuses, retry after growing waits."""
        if not self._encoded:
            self._encoded = [self._encode(capture) for capture in self._gather()]
            self._encoded += [self._ready.popleft() for _ in range(min(GROUP, len(self._ready)))]
        if not self._encoded:
            return None if self.finishing and not self.pending else 0.0
        try:
            stored = self._spool.put(self._encoded)
        except SpoolUnavailable as error:
            if self.refusal is None:
                self._log.error("spool unavailable", error=str(error), pending=self.pending)
            self.refusal = str(error)
            wait, self._retry = self._retry, min(self._retry * 2, _LAST_RETRY_S)
            return wait
        if self.refusal is not None:
            self._log.error("spool available", pending=self.pending)
        self.refusal, self._retry, self._encoded = None, _FIRST_RETRY_S, []
        followed = self._stats.followed
        for entry in stored.kept:
            followed.became(entry.id, CaptureState.WAITING)
            self._log.info("capture stored", capture=entry.id, bytes=entry.size)
        for entry in stored.replaced:
            followed.became(entry.id, CaptureState.EVICTED, EvictionReason.DUPLICATE)
            self._log.info("capture evicted", capture=entry.id, reason=EvictionReason.DUPLICATE)
        for entry in stored.evicted:
            followed.became(entry.id, CaptureState.EVICTED, stored.reason)
            self._stats.count("evicted")
            self._log.info(
                "capture evicted", capture=entry.id, reason=stored.reason, value=entry.value
            )
        self._stats.count("stored", len(stored.kept))
        self._stats.count("evicted", len(stored.replaced))
        return 0.0

    def _gather(self) -> list[Capture]:
        """Return the queued captures, at most a group; wait up to `GATHER_S` for the first."""
        group: list[Capture] = []
        with contextlib.suppress(Empty):
            group.append(self._queue.get(timeout=GATHER_S))
            while len(group) < GROUP:
                group.append(self._queue.get_nowait())
        return group

    def _encode(self, capture: Capture) -> NewCapture:
        frame = capture.observation.frame
        image = self._encoder.encode(capture.observation, capture.suspects)
        synchronized = self._synchronized(frame.captured_at)
        record = self.maker.make(capture.id, capture, image, clock_synchronized=synchronized)
        return NewCapture(
            capture.id,
            capture.lane,
            capture.value,
            record,
            image.data,
            hint=capture.hint,
            replaces=capture.replaces,
            clip=capture.clip.data if capture.clip is not None else b"",
        )
