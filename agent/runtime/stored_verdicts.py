"""Captures of the lane `verdict` whose frame is not in memory any more, but waits in the spool.

The same image gets a second record: of another lane, with another id, and with the verdict.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.domain import Lane, StoredCapture, Verdict
from agent.errors import RefusalKind, RequestRefused
from agent.record.verdicts import verdict_line
from agent.runtime.followed import CaptureState, FollowedCaptures
from agent.runtime.past_captures import REPLACED
from agent.spool.spool import Spool
from agent.spool.types import NewCapture

MOST_WAITING = 64
"""Verdicts of which the file was not read yet; further ones are refused."""

IDLE_S = 0.5


@dataclass(frozen=True, slots=True)
class _Job:
    capture_id: str  # that waits
    verdict: Verdict  # about the new capture, of the old one


class StoredVerdicts:
    """The step that reads the files. Thread-safe."""

    def __init__(
        self,
        spool: Spool,
        store: Callable[[NewCapture], None],
        keep: Callable[[Verdict], None],
        followed: FollowedCaptures,
        *,
        idle: float = IDLE_S,
    ) -> None:
        """`store` takes a capture to store, `keep` a verdict that needs no image; both at once."""
        self._spool = spool
        self._store = store
        self._keep = keep
        self._followed = followed
        self._idle = idle
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()

    def want(self, capture_id: str, verdict: Verdict) -> None:
        """Make a capture under the id in `verdict` of one that waits. Raises `RequestRefused`."""
        with self._changed:
            if len(self._jobs) >= MOST_WAITING:
                raise RequestRefused(
                    RefusalKind.NOT_NOW,
                    f"cannot take the verdict: {MOST_WAITING} wait for the disk; try again in a "
                    "moment",
                )
            self._followed.follow(verdict.capture)
            self._jobs.append(_Job(capture_id, verdict))
            self._changed.notify()

    def step(self) -> float:
        """Read what waits; wait a moment if nothing does."""
        with self._changed:
            if not self._jobs:
                self._changed.wait(self._idle)
        while self._jobs:
            job = self._jobs.popleft()
            stored = self._spool.read(job.capture_id)
            if stored is None:  # delivered meanwhile
                self._give_up(job)
                continue
            entry = self._spool.waits(job.capture_id)
            is_replaced = entry is not None and entry.lane in REPLACED[Lane.VERDICT]
            new = second_capture(stored, job.verdict, hint=self._spool.hint(job.capture_id))
            self._followed.became(new.id, CaptureState.CAPTURED)
            self._store(replace(new, replaces=stored.id if is_replaced else None))
        return 0.0

    def close(self) -> None:
        """Keep what is left as facts: the writer has ended."""
        while self._jobs:
            self._give_up(self._jobs.popleft())

    def _give_up(self, job: _Job) -> None:
        """Keep a verdict as a fact about the capture that it was said of."""
        why = f"its image is not at hand any more: the verdict is about {job.capture_id}"
        self._followed.became(job.verdict.capture, CaptureState.REFUSED, why)
        self._keep(replace(job.verdict, capture=job.capture_id, of=""))


def second_capture(stored: StoredCapture, verdict: Verdict, *, hint: str) -> NewCapture:
    """Return a capture of the same image for a verdict about it, which has the new id."""
    kind = verdict.verdict.value
    value = max(1.0, float(stored.record.get("value") or 0.0))
    record: Mapping[str, Any] = {
        **stored.record,
        "id": verdict.capture,
        "lane": Lane.VERDICT.value,
        "rules": [{"name": kind, "score": 1.0}, *(stored.record.get("rules") or [])],
        "value": value,
        "sampling": None,
        "verdicts": [verdict_line(verdict)],
    }
    return NewCapture(
        verdict.capture, Lane.VERDICT, value, record, stored.image, hint=hint, clip=stored.clip
    )
