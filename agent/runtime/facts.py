"""Stores verdicts in the spool, from where they are delivered; the giver never waits."""

import threading
from collections import deque

from agent.domain import Verdict
from agent.errors import SpoolUnavailable
from agent.logs import Log
from agent.record.verdicts import line_text, verdict_line
from agent.spool.facts import MOST_FACTS
from agent.spool.spool import Spool

WRITE_EVERY_S = 0.5
"""A power cut costs the verdicts that came here in the last so many seconds."""

_FIRST_RETRY_S = 1.0
_LAST_RETRY_S = 30.0


class FactWriter:
    """Moves verdicts from memory to disk; implements `application.FactStore`.

    If the disk refuses writes for long, the newest `MOST_FACTS` stay in memory; dropped ones are
    counted.
    """

    def __init__(self, spool: Spool, *, log: Log) -> None:
        self._spool = spool
        self._log = log
        self._lock = threading.Lock()
        self._queue: deque[str] = deque()
        self._writing = threading.Lock()  # one writer at a time, so that the order is kept
        self._is_closed = False
        self._retry = 0.0  # seconds; 0 while the disk accepts writes
        self.dropped = 0
        """Verdicts of this process that were dropped, in memory and on disk."""

    def keep(self, verdict: Verdict) -> None:
        """Take a verdict, and return at once; after `close`, return when it is stored."""
        text = line_text(verdict_line(verdict))
        with self._lock:
            self._queue.append(text)
            excess = len(self._queue) - MOST_FACTS
            if excess > 0:
                self._queue.popleft()
        self._count_dropped(max(0, excess))
        if self._is_closed:
            self.step()

    def step(self) -> float:
        """Store what was given; if the disk refuses, retry after growing waits."""
        with self._writing:
            with self._lock:
                group = list(self._queue)
                self._queue.clear()
            if not group:
                return WRITE_EVERY_S
            try:
                dropped = self._spool.keep_facts(group)
            except SpoolUnavailable as error:
                self._put_back(group)
                return self._delayed(error, len(group))
        self._count_dropped(dropped)
        if self._retry:
            self._log.warning("verdicts stored", stored=len(group))
        self._retry = 0.0
        return WRITE_EVERY_S

    def close(self) -> None:
        """Store the rest before the process ends; what the disk refuses now is lost, and logged."""
        self._is_closed = True
        self.step()
        if self._queue:
            self._count_dropped(len(self._queue))

    def _put_back(self, group: list[str]) -> None:
        with self._lock:
            self._queue.extendleft(reversed(group))
            excess = max(0, len(self._queue) - MOST_FACTS)
            for _ in range(excess):
                self._queue.popleft()
        self._count_dropped(excess)

    def _delayed(self, error: SpoolUnavailable, pending: int) -> float:
        if not self._retry:
            self._log.warning("verdicts delayed", error=str(error), pending=pending)
        self._retry = min(self._retry * 2, _LAST_RETRY_S) or _FIRST_RETRY_S
        return self._retry

    def _count_dropped(self, count: int) -> None:
        if count:
            self.dropped += count
            self._log.warning("verdicts dropped", dropped=count, total=self.dropped)
