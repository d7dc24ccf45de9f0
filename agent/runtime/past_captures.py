"""Makes captures of frames of the last seconds, in a thread of its own.

Who asks gets the id at once. The capture follows when the rules have judged the frame, which takes
three more frames, and when the pipeline has room; then it goes the way of all captures.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

from agent.domain import Capture, Lane, Pixels
from agent.errors import RefusalKind, RequestRefused
from agent.ports import Clock
from agent.runtime.followed import CaptureState, FollowedCaptures
from agent.runtime.inference import Inference
from agent.runtime.recent_frame import RecentFrame

MOST_WAITING = 64
"""Captures that were asked for and are not made yet; further requests are refused."""

EVALUATION_S = 1.0
"""How long a capture waits for what the rules say of its frame."""

MOST_PENDING = 2
"""Captures that may wait for room in the queue while another one is decoded."""

POLL_S = 0.05
IDLE_S = 0.5
"""How long a step waits for a request."""


REPLACED: Mapping[Lane, frozenset[Lane]] = MappingProxyType(
    {
        Lane.REQUESTED: frozenset({Lane.SCORE, Lane.AUTO}),
        Lane.VERDICT: frozenset({Lane.SCORE, Lane.AUTO, Lane.REQUESTED}),
    }
)
"""The lanes of captures that another one of the same frame makes unnecessary.

The random and the interval lane are samples: without one of their captures they would be biased.
"""


@dataclass(slots=True, eq=False)
class _Wanted:
    entry: RecentFrame
    until: float  # it waits no longer for the rules then, in monotonic seconds
    act: Callable[[RecentFrame], None]


class PastCaptures:
    """The captures that were asked for, oldest first; `step` makes them. Thread-safe."""

    def __init__(
        self,
        inference: Inference,
        followed: FollowedCaptures,
        *,
        decode: Callable[[bytes], Pixels | None],
        clock: Clock,
        idle: float = IDLE_S,
    ) -> None:
        """`decode` returns the pixels of a JPEG, None if it has none."""
        self._inference = inference
        self._followed = followed
        self._decode = decode
        self._clock = clock
        self._idle = idle
        self._changed = threading.Condition()
        self._wanted: deque[_Wanted] = deque()
        self._making = threading.Lock()  # two threads make captures at a stop
        self._is_ending = False

    def want(self, entry: RecentFrame, capture: Capture) -> None:
        """Make a capture of a frame soon: `capture` with its pixels, suspects and value.

        Raises `RequestRefused`, `NOT_NOW`, if too many wait.
        """
        self._add(entry, partial(self._make, capture), asked=capture.id)

    def once_judged(self, entry: RecentFrame, act: Callable[[RecentFrame], None]) -> None:
        """Call `act` once the rules have judged a frame, or soon after.

        Raises `RequestRefused` as `want` does.
        """
        self._add(entry, act)

    def step(self) -> float:
        """Make the captures whose frames are judged; wait a moment if there are none."""
        with self._changed:
            if not self._wanted:
                self._changed.wait(self._idle)
        while self._inference.pending < MOST_PENDING and self._make_next():
            pass
        return POLL_S if self._wanted else 0.0

    def finish(self) -> None:
        """Make all that were asked for, at a stop; refuse what comes later."""
        with self._changed:
            self._is_ending = True
        while self._make_next():
            pass

    def _make_next(self) -> bool:
        """Make the oldest that is ready; return whether there was one."""
        with self._making:
            wanted = self._ready()
            if wanted is None:
                return False
            wanted.act(wanted.entry)
            with self._changed:
                self._wanted.remove(wanted)
        return True

    def _add(
        self, entry: RecentFrame, act: Callable[[RecentFrame], None], *, asked: str = ""
    ) -> None:
        with self._changed:
            if self._is_ending:
                raise RequestRefused(RefusalKind.NOT_NOW, "cannot take this: the agent is stopping")
            if len(self._wanted) >= MOST_WAITING:
                raise RequestRefused(
                    RefusalKind.NOT_NOW,
                    f"cannot take this: {MOST_WAITING} captures are being made; try again in a "
                    "moment",
                )
            if asked:
                self._followed.follow(asked)
            until = self._clock.monotonic() + EVALUATION_S
            self._wanted.append(_Wanted(entry, until, act))
            self._changed.notify()

    def _ready(self) -> _Wanted | None:
        """Return the oldest that need not wait for the rules any more."""
        now = self._clock.monotonic()
        for wanted in tuple(self._wanted):
            is_late = self._is_ending or now >= wanted.until
            if wanted.entry.evaluation is not None or is_late:
                return wanted
        return None

    def _make(self, asked: Capture, entry: RecentFrame) -> None:
        observation = entry.observation
        jpeg = observation.frame.jpeg
        if entry.is_encoded and jpeg is not None:
            pixels = self._decode(jpeg)
            if pixels is None or pixels.shape != observation.frame.pixels.shape:
                why = "the JPEG of its frame cannot be decoded"
                self._followed.became(asked.id, CaptureState.REFUSED, why)
                return
            observation = replace(observation, frame=replace(observation.frame, pixels=pixels))
        affirms = asked.verdict is not None and not asked.verdict.verdict.contradicts
        is_replaced = entry.lane in REPLACED[asked.lane] and not affirms
        capture = replace(
            asked, observation=observation, replaces=entry.capture if is_replaced else None
        )
        self._inference.capture(capture, entry.evaluation, at=entry.at)
