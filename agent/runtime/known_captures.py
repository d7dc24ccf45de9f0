"""What is known of the latest captures: for the live page, and for who asks what became of one."""

import threading
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from agent.domain import Capture, StoredCapture
from agent.record.timestamp import timestamp
from agent.record.verdicts import verdict_line
from agent.runtime.followed import LATEST, CaptureState, FollowedCaptures, Outcome

SHOWN = 20
"""Captures of which the live page tells."""


class KnownCaptures:
    """The facts of the last `LATEST` captures, asked for or not. Thread-safe."""

    def __init__(self, followed: FollowedCaptures) -> None:
        self._followed = followed
        self._lock = threading.Lock()
        self._facts: dict[str, Mapping[str, Any]] = {}  # by id, oldest first

    def note(self, capture: Capture) -> None:
        """Remember a capture: when it is asked for, and again when it is made."""
        self.remember(_facts_of(capture))

    def remember(self, facts: Mapping[str, Any]) -> None:
        """Remember the facts of a capture, with the verdicts about it that are known already."""
        name = facts["id"]
        with self._lock:
            while name not in self._facts and len(self._facts) >= LATEST:
                del self._facts[next(iter(self._facts))]
            before = self._facts.get(name, facts)
            known = [line for line in before["verdicts"] if line not in facts["verdicts"]]
            self._facts[name] = {**facts, "verdicts": [*facts["verdicts"], *known]}

    def add_verdict(self, capture_id: str, line: Mapping[str, Any]) -> None:
        """Remember a verdict about a capture."""
        with self._lock:
            facts = self._facts.get(capture_id)
            if facts is not None:
                self._facts[capture_id] = {**facts, "verdicts": [*facts["verdicts"], line]}

    def of(self, capture_id: str) -> Mapping[str, Any] | None:
        """Return the facts of a capture with its state; None if it is not known."""
        with self._lock:
            facts = self._facts.get(capture_id)
        outcome = self._followed.latest(capture_id)
        return None if facts is None or outcome is None else _with_state(facts, outcome)

    def latest(self, count: int = SHOWN) -> Sequence[Mapping[str, Any]]:
        """Return the last captures, the newest first, each as `of` does."""
        with self._lock:
            ids = list(islice(reversed(self._facts), count))
        return [facts for each in ids if (facts := self.of(each)) is not None]


def facts_of_stored(capture: StoredCapture) -> Mapping[str, Any]:
    """Return the same of a capture that waits in the spool."""
    return _with_state(facts_of_record(capture.record), Outcome(CaptureState.WAITING))


def facts_of_record(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a record says of its capture."""
    return {
        "id": record["id"],
        "camera": record["camera"],
        "captured_at": record["captured_at"],
        "lane": record["lane"],
        "rules": record.get("rules") or [],
        "value": record.get("value"),
        "note": record.get("note"),
        "verdicts": record.get("verdicts") or [],
    }


def _facts_of(capture: Capture) -> dict[str, Any]:
    frame = capture.observation.frame
    return {
        "id": capture.id,
        "camera": frame.camera,
        "captured_at": timestamp(frame.captured_at),
        "lane": capture.lane.value,
        "rules": [{"name": hit.name, "score": round(hit.score, 4)} for hit in capture.rules],
        "value": round(capture.expected_failures, 4),
        "note": capture.note or None,
        "verdicts": [] if capture.verdict is None else [verdict_line(capture.verdict)],
    }


def _with_state(facts: Mapping[str, Any], outcome: Outcome) -> Mapping[str, Any]:
    known = {"id": facts["id"], "state": outcome.state.value, "reason": outcome.reason or None}
    return {**known, **facts}
