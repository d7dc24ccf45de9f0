"""The captures that applications and people beside the daemon ask for."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.domain import Capture, Lane, RuleHit
from agent.errors import RefusalKind, RequestRefused
from agent.printable import printable
from agent.runtime.known_captures import KnownCaptures, facts_of_stored
from agent.runtime.past_captures import PastCaptures
from agent.runtime.recent import RecentFrames
from agent.runtime.recent_frame import RecentFrame
from agent.spool.spool import Spool

MOST_NOTE = 500
"""Characters of a note."""

REQUESTED = RuleHit("requested", 1.0)


@dataclass(frozen=True, slots=True)
class CaptureParts:
    """What captures on request are made with."""

    recent: RecentFrames
    past: PastCaptures
    known: KnownCaptures
    spool: Spool
    new_id: Callable[[float], str]  # names a capture by its wall time


class AskedCaptures:
    """Implements `application.Captures`."""

    def __init__(self, parts: CaptureParts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._asked: dict[tuple[RecentFrame, str], str] = {}  # id, by recent frame and note

    def request(self, camera: str, at: str | float | None = None, *, note: str = "") -> str:
        """Capture the frame nearest to `at`; a frame that was asked for already is made once.

        Raises `RequestRefused`.
        """
        note = checked_text("note", note, MOST_NOTE)
        entry = self._parts.recent.find(camera, at)
        with self._lock:
            asked = self._asked.get((entry, note))
            if asked is not None:
                return asked
            name = self._parts.new_id(entry.frame.captured_at)
            capture = Capture(
                entry.observation,
                Lane.REQUESTED,
                (REQUESTED,),
                0.0,
                id=name,
                note=note,
            )
            self._parts.past.want(entry, capture)
            self._parts.recent.asked(entry, name)
            self._parts.known.note(capture)
            kept = set(self._parts.recent.frames(camera))
            self._asked = {
                (each, text): known
                for (each, text), known in self._asked.items()
                if each in kept or each.frame.camera != camera
            }
            self._asked[entry, note] = name
        return name

    def state(self, capture_id: str) -> Mapping[str, Any]:
        """Return what is known of a capture; may read its file. Raises `RequestRefused`."""
        known = self._parts.known.of(capture_id)
        if known is not None:
            return known
        stored = self._parts.spool.read(capture_id)
        if stored is None:
            raise RequestRefused(
                RefusalKind.UNKNOWN,
                f"there is no capture '{printable(capture_id, 60)}' that waits here, nor was it "
                "one of the latest: a capture that was delivered is not known any more",
            )
        return facts_of_stored(stored)

    def latest(self) -> Sequence[Mapping[str, Any]]:
        """Return the last captures, newest first, each as `state` does."""
        return self._parts.known.latest()


def checked_text(name: str, text: str, most: int) -> str:
    """Return a text for the record, without spaces around it. Raises `RequestRefused`."""
    text = text.strip()
    if len(text) > most:
        raise RequestRefused(
            RefusalKind.INVALID, f"{name}: at most {most} characters, not {len(text)}"
        )
    if not text.isprintable():
        raise RequestRefused(
            RefusalKind.INVALID,
            f"{name}: only one line of printable characters, not '{printable(text, 60)}'",
        )
    return text
