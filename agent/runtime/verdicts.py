"""What people say about the model's output.

A verdict is a fact, and facts are never changed. `wrong` and `missing` need the image: they become
captures of the lane `verdict`, one for each frame, as long as the image is at hand. All others
travel with the record of their capture, or with the next one.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, TypeVar

from agent.domain import Capture, Lane, RuleHit, Verdict, VerdictKind
from agent.errors import RefusalKind, RequestRefused
from agent.logs import Log
from agent.ports import Clock
from agent.printable import printable
from agent.record.timestamp import seconds_of, timestamp
from agent.record.verdicts import verdict_line
from agent.runtime.asked_captures import MOST_NOTE, AskedCaptures, CaptureParts, checked_text
from agent.runtime.followed import CaptureState
from agent.runtime.listeners import Listeners
from agent.runtime.recent_frame import RecentFrame
from agent.runtime.stats import Stats
from agent.runtime.stored_verdicts import StoredVerdicts

MOST_BY = 64
"""Characters of the name of who gives a verdict."""

BY_PEOPLE = tuple(kind.value for kind in VerdictKind if kind is not VerdictKind.UNOBJECTED)

_MOST_MADE = 500  # frames of which it is known that a verdict made a capture

Key = TypeVar("Key")


class GivenVerdicts:
    """Implements `application.Verdicts`."""

    def __init__(
        self,
        parts: CaptureParts,
        stored: StoredVerdicts,
        keep: Callable[[Verdict], None],
        *,
        stats: Stats,
        clock: Clock,
        log: Log,
    ) -> None:
        """`keep` takes a verdict that needs no image of its own, and returns at once."""
        self._parts = parts
        self._captures = AskedCaptures(parts)
        self._stored = stored
        self._keep = keep
        self._stats = stats
        self._clock = clock
        self._log = log
        self.given: Listeners[Verdict] = Listeners()
        """Who wants to know of each verdict."""
        self._lock = threading.Lock()
        self._made: dict[object, str] = {}  # id of its verdict capture, by what names a frame
        self._replaced: dict[str, str] = {}  # the capture that took the place, by the one gone

    def captured(self, capture: Capture) -> None:
        """Remember which capture another one of the same frame replaces."""
        if capture.replaces:
            with self._lock:
                _put(self._replaced, capture.replaces, capture.id)

    def give(
        self,
        verdict: str,
        *,
        capture: str | None = None,
        camera: str | None = None,
        at: str | float | None = None,
        by: str = "",
        note: str = "",
    ) -> Mapping[str, Any]:
        """Take a verdict about a capture, or about the frame of a camera nearest to `at`.

        Returns its line, and the `state` of its capture. Raises `RequestRefused`.
        """
        kind = _kind(verdict)
        given = Verdict(
            kind,
            camera=camera or "",
            moment=0.0,
            at=self._clock.wall(),
            by=checked_text("by", by, MOST_BY),
            note=checked_text("note", note, MOST_NOTE),
        )
        if capture is not None and camera is None and at is None:
            capture = self._that_exists(capture)
            entry = self._parts.recent.of_capture(capture)
            made = (
                self._about_stored(capture, given)
                if entry is None
                else self._about_frame(entry, given, capture, is_named=True)
            )
        elif capture is None and camera is not None and at is not None:
            found = self._parts.recent.find(camera, at)
            made = self._about_frame(found, given, found.capture)
        else:
            raise RequestRefused(
                RefusalKind.INVALID,
                "cannot take the verdict: give either capture, or camera and at",
            )
        self.given.tell(made)
        self._stats.count(f"verdict/{kind.value}")
        self._log.info(
            "verdict given",
            camera=made.camera,
            capture=made.capture or None,
            verdict=kind.value,
            by=made.by or None,
        )
        known = self._parts.known.of(made.capture)
        return {**verdict_line(made), "state": None if known is None else known["state"]}

    def _about_frame(
        self, entry: RecentFrame, given: Verdict, capture_id: str, *, is_named: bool = False
    ) -> Verdict:
        """Take a verdict about a frame that is in memory.

        `capture_id` is empty if it has none; `is_named`: the verdict is about that capture.
        """
        frame = entry.frame
        given = replace(given, camera=frame.camera, moment=frame.captured_at)
        name = frame.camera, frame.sequence
        with self._lock:
            made = self._made.get(name)
            if made is not None:
                is_about_made = given.verdict.contradicts or not is_named
                return self._fact(_about(made if is_about_made else capture_id, given, capture_id))
            if not given.verdict.contradicts or self._is_verdict(capture_id):
                given = replace(given, capture=capture_id)
                if capture_id:
                    return self._fact(given)
                # The frame may become a capture once it is judged.
                self._parts.past.once_judged(
                    entry, lambda judged: self._keep(replace(given, capture=judged.capture))
                )
                return given
            new = self._parts.new_id(frame.captured_at)
            given = replace(given, capture=new, of=capture_id)
            hit = RuleHit(given.verdict.value, 1.0)
            capture = Capture(entry.observation, Lane.VERDICT, (hit,), 1.0, id=new, verdict=given)
            self._parts.past.want(entry, capture)
            self._parts.known.note(capture)
            # A capture of the frame is found by its time when the frame is not in memory any more.
            self._remember(new, name, (frame.camera, timestamp(frame.captured_at)), capture_id)
            return given

    def _about_stored(self, capture_id: str, given: Verdict) -> Verdict:
        """Take a verdict about a capture whose frame is not in memory any more."""
        facts = self._captures.state(capture_id)
        given = replace(given, camera=facts["camera"], moment=seconds_of(facts["captured_at"]))
        with self._lock:
            name = facts["camera"], facts["captured_at"]
            made = self._made.get(capture_id) or self._made.get(name)
            waits = self._parts.spool.waits(capture_id) is not None
            needs_image = given.verdict.contradicts and not self._is_verdict(capture_id)
            if made is not None or not needs_image or not waits:
                about = made if made is not None and given.verdict.contradicts else capture_id
                return self._fact(_about(about, given, capture_id))
            new = self._parts.new_id(given.moment)
            given = replace(given, capture=new, of=capture_id)
            self._stored.want(capture_id, given)
            _put(self._replaced, capture_id, new)
            self._parts.known.remember(
                {
                    **{name: facts[name] for name in ("camera", "captured_at", "note")},
                    "id": new,
                    "lane": Lane.VERDICT.value,
                    "rules": [{"name": given.verdict.value, "score": 1.0}, *facts["rules"]],
                    "value": max(1.0, facts["value"] or 0.0),
                    "verdicts": [verdict_line(given)],
                }
            )
            self._remember(new, name, capture_id)
            return given

    def _fact(self, given: Verdict) -> Verdict:
        self._keep(given)
        self._parts.known.add_verdict(given.capture, verdict_line(given))
        return given

    def _is_verdict(self, capture_id: str) -> bool:
        """Whether a capture was made because of a verdict."""
        entry = self._parts.spool.waits(capture_id)
        known = self._parts.known.of(capture_id)
        lane = entry.lane.value if entry is not None else known and known["lane"]
        return lane == Lane.VERDICT.value

    def _that_exists(self, capture_id: str) -> str:
        """Return a capture, or the one of the same frame that it gave way to."""
        with self._lock:
            while (by := self._replaced.get(capture_id)) is not None:
                known = self._parts.known.of(capture_id)
                if known is None or known["state"] != CaptureState.EVICTED.value:
                    break
                capture_id = by
        return capture_id

    def _remember(self, made: str, *names: object) -> None:
        for name in filter(None, names):
            _put(self._made, name, made)


def _put(known: dict[Key, str], key: Key, capture_id: str) -> None:
    """Remember one more, and forget the oldest if there are too many."""
    while len(known) >= _MOST_MADE:
        del known[next(iter(known))]
    known[key] = capture_id


def _about(capture_id: str, given: Verdict, said_of: str) -> Verdict:
    """Return a verdict about a capture that was said of one with the same image."""
    return replace(given, capture=capture_id, of="" if said_of == capture_id else said_of)


def _kind(verdict: str) -> VerdictKind:
    """Return the verdict that people may give. Raises `RequestRefused`."""
    if verdict in BY_PEOPLE:
        return VerdictKind(verdict)
    allowed = f"the verdicts are {', '.join(BY_PEOPLE)}"
    if verdict == VerdictKind.UNOBJECTED.value:
        raise RequestRefused(
            RefusalKind.INVALID,
            "verdict: unobjected is drawn by the agent of what was shown (POST /v1/shown); "
            f"{allowed}",
        )
    near = get_close_matches(verdict.lower(), BY_PEOPLE, 1)
    hint = f"did you mean {near[0]}?" if near else allowed
    raise RequestRefused(
        RefusalKind.INVALID, f"verdict: cannot be '{printable(verdict, 60)}'; {hint}"
    )
