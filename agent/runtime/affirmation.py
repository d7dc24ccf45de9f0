"""Affirmations: predictions that people saw and did not contradict, sampled at random.

A shown prediction that was drawn is a candidate: its frame stays in memory, as the JPEG of the
recent frames, until `AGENT_AFFIRM_AFTER` has passed since it was shown. A verdict against it drops
it. Otherwise it becomes a capture of the lane `verdict` with the verdict `unobjected` and its
inclusion probability; if the frame is a capture already, it becomes a fact about that capture.

Silence is no review: nobody has said that the prediction is right, so nothing here counts as one.
Candidates are not on disk: a stop within the waiting time drops them, which the stop counts.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.domain import Capture, Lane, RuleHit, Verdict, VerdictKind
from agent.errors import RefusalKind, RequestRefused
from agent.logs import Log
from agent.ports import Clock
from agent.printable import printable
from agent.record.timestamp import timestamp
from agent.runtime.recent import RecentFrames
from agent.runtime.recent_frame import RecentFrame
from agent.runtime.stats import Stats
from agent.selection.shown_sample import ShownSample

LEAST_SHOWN_S = 1.0
"""A prediction that is shown for less does not count: to see a box, to doubt it and to reach a
button takes longer, so that silence says nothing."""

LONGEST_SHOWN_S = 3600.0

AROUND_S = 10.0
"""A verdict against a frame of so many seconds before or after the display counts against it: who
objects to a scene names the moment only roughly, and 10 s is how far back a moment may be named."""

MOST_CANDIDATES = 64
"""Drawn frames that are kept in memory at once."""

SHOWN = "shown"
"""Counter of shown predictions."""

AFFIRMATION = "affirmation/"
OUTCOMES = ("drawn", "affirmed", "contradicted", "reviewed", "lost")
DRAWN, AFFIRMED, CONTRADICTED, REVIEWED, LOST = (f"{AFFIRMATION}{name}" for name in OUTCOMES)
"""Counters of the drawn ones, and of what became of them."""

UNOBJECTED = RuleHit(VerdictKind.UNOBJECTED.value, 1.0)

_AGAINST = frozenset({VerdictKind.WRONG, VerdictKind.MISSING, VerdictKind.UNUSABLE})
_MOST_VERDICTS = 1000  # that may be about a display which is reported after them
_SAME_S = 0.002  # rounding of a moment in a record
_STEP_S = 1.0


@dataclass(slots=True, eq=False)
class _Display:
    """The newest frame of a camera that was shown."""

    entry: RecentFrame
    seconds: float = 0.0
    has_counted: bool = False


@dataclass(slots=True, eq=False)
class _Candidate:
    """A shown frame that was drawn."""

    entry: RecentFrame
    inclusion_probability: float
    ends: float  # of the display, in monotonic seconds


@dataclass(frozen=True, slots=True)
class _Given:
    """A verdict of a person, with the time of its frame in monotonic seconds."""

    verdict: Verdict
    at: float


@dataclass(frozen=True, slots=True)
class AffirmationParts:
    """What affirmations are made with."""

    recent: RecentFrames
    want: Callable[[RecentFrame, Capture], None]  # makes a capture soon; raises `RequestRefused`
    keep: Callable[[Verdict], None]  # takes a verdict about a capture that there is
    is_kept: Callable[[str], bool]  # whether a capture waits, or was delivered
    new_id: Callable[[float], str]  # names a capture by its wall time


class Affirmations:
    """Implements `application.Shown`. Thread-safe."""

    def __init__(
        self,
        parts: AffirmationParts,
        sample: ShownSample | None,
        *,
        after: float,
        stats: Stats,
        clock: Clock,
        log: Log,
    ) -> None:
        """`sample` is None if nothing is drawn; `after`: seconds for a contradiction."""
        self._parts = parts
        self._sample = sample
        self._after = after
        self._stats = stats
        self._clock = clock
        self._log = log
        self._lock = threading.Lock()
        self._displays: dict[str, _Display] = {}
        self._candidates: list[_Candidate] = []
        self._given: deque[_Given] = deque(maxlen=_MOST_VERDICTS)

    def shown(self, camera: str, at: str | float, *, seconds: float) -> Mapping[str, Any]:
        """Note that a person saw the prediction of the frame nearest to `at` for `seconds`.

        Reports of one frame add up. Returns its camera and moment, and whether it counts as shown;
        nobody is told whether it was drawn. Raises `RequestRefused`.
        """
        _check_seconds(seconds)
        entry = self._parts.recent.find(camera, at)
        with self._lock:
            counts = self._note(entry, float(seconds))
        moment = timestamp(entry.frame.captured_at)
        return {"camera": camera, "moment": moment, "counts": counts}

    def verdict_given(self, verdict: Verdict) -> None:
        """Drop what a person has now said something about."""
        # By the wall clock both times are of about now, so its steps do no harm here.
        ago = verdict.at - verdict.moment
        given = _Given(verdict, self._clock.monotonic() - ago)
        with self._lock:
            self._given.append(given)
            for candidate in tuple(self._candidates):
                outcome = _outcome(candidate, given)
                if outcome is not None:
                    self._candidates.remove(candidate)
                    self._stats.count(outcome)

    def step(self) -> float:
        """Affirm the candidates whose time is over."""
        now = self._clock.monotonic()
        with self._lock:
            due = [each for each in self._candidates if now >= each.ends + self._after]
            self._candidates = [each for each in self._candidates if each not in due]
        for candidate in due:
            self._affirm(candidate)
        return _STEP_S

    def close(self) -> None:
        """Drop the candidates whose time is not over at a stop, and count them."""
        with self._lock:
            dropped, self._candidates = len(self._candidates), []
        if dropped:
            self._stats.count(LOST, dropped)
            self._log.info("affirmations dropped", dropped=dropped)

    def _note(self, entry: RecentFrame, seconds: float) -> bool:
        """Add to a display; return whether the frame counts as shown."""
        ends = max(self._clock.monotonic(), entry.at + seconds)
        for candidate in self._candidates:
            if candidate.entry is entry:
                candidate.ends = max(candidate.ends, ends)
        camera = entry.frame.camera
        display = self._displays.get(camera)
        if display is None or display.entry is not entry:
            if display is not None and entry.at <= display.entry.at:
                return False  # another viewer is behind: the order of the frames decides the draw
            display = self._displays[camera] = _Display(entry)
        display.seconds += seconds
        if display.seconds >= LEAST_SHOWN_S and not display.has_counted:
            display.has_counted = self._count(entry, ends)
        return display.has_counted

    def _count(self, entry: RecentFrame, ends: float) -> bool:
        """Count a frame as shown, and draw it or not; return whether it may be drawn at all."""
        sample = self._sample
        if sample is None or entry.observation.invalid:  # there is no prediction to affirm
            return False
        if not sample.is_newer(entry.frame.camera, entry.at):
            return False
        self._stats.count(SHOWN)
        probability = sample.draw(entry.frame, entry.at)
        if probability is not None:
            self._stats.count(DRAWN)
            candidate = _Candidate(entry, probability, ends)
            outcomes = (_outcome(candidate, given) for given in self._given)
            outcome = next((each for each in outcomes if each is not None), None)
            if outcome is None and len(self._candidates) >= MOST_CANDIDATES:
                outcome = LOST
            if outcome is None:
                self._candidates.append(candidate)
            else:
                self._stats.count(outcome)
        return True

    def _affirm(self, candidate: _Candidate) -> None:
        entry = candidate.entry
        frame = entry.frame
        if not entry.is_encoded:  # memory was short: there is no image of it
            self._stats.count(LOST)
            return
        verdict = Verdict(
            VerdictKind.UNOBJECTED,
            camera=frame.camera,
            moment=frame.captured_at,
            at=self._clock.wall(),
            capture=entry.capture,
            inclusion_probability=candidate.inclusion_probability,
        )
        if entry.capture and self._parts.is_kept(entry.capture):
            self._parts.keep(verdict)
        else:
            name = self._parts.new_id(frame.captured_at)
            verdict = replace(verdict, capture=name)
            capture = Capture(
                entry.observation, Lane.VERDICT, (UNOBJECTED,), 0.0, id=name, verdict=verdict
            )
            try:
                self._parts.want(entry, capture)
            except RequestRefused:  # too many wait now, or the agent is stopping: `close` follows
                with self._lock:
                    self._candidates.append(candidate)
                return
        self._stats.count(AFFIRMED)
        self._log.info(
            "prediction affirmed",
            camera=frame.camera,
            capture=verdict.capture,
            inclusion_probability=candidate.inclusion_probability,
        )


def _outcome(candidate: _Candidate, given: _Given) -> str | None:
    """Return the counter of what a verdict makes of a candidate, None if it says nothing of it."""
    verdict, frame = given.verdict, candidate.entry.frame
    named = {verdict.capture, verdict.of} - {""}
    is_camera = verdict.camera == frame.camera
    after = verdict.moment - frame.captured_at
    is_it = candidate.entry.capture in named or (is_camera and abs(after) <= _SAME_S)
    if verdict.verdict not in _AGAINST:
        return REVIEWED if is_it else None
    lasts = candidate.ends - candidate.entry.at
    # By either clock: the wall clock may have stepped between the two frames.
    is_near = is_camera and any(
        -AROUND_S <= seconds <= lasts + AROUND_S
        for seconds in (after, given.at - candidate.entry.at)
    )
    return CONTRADICTED if is_it or is_near else None


def _check_seconds(seconds: float) -> None:
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not 0 < seconds <= LONGEST_SHOWN_S:  # false for NaN
        allowed = f"above 0 and at most {LONGEST_SHOWN_S:.0f}"
        raise RequestRefused(
            RefusalKind.INVALID, f"seconds: must be {allowed}, not {printable(seconds, 40)}"
        )
