"""The clips of captures in a replay: as the daemon makes them, without its thread."""

import weakref
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from agent.domain import Capture, ClipFrame, ClipSpan, Observation
from agent.ports import ImageEncoder
from agent.record.redacted import RecentPlaces
from agent.runtime.clip_ring import ClipRing, Moment
from agent.runtime.preroll import HELD_BYTES


class ReplayClips:
    """Gives captures of one recording their clips; like in the daemon, each waits for its own.

    No frame is left out, for nothing here can fall behind.
    """

    def __init__(self, span: ClipSpan, encoder: ImageEncoder) -> None:
        """`encoder` makes the small images."""
        self._ring = ClipRing(span)
        self._encoder = encoder
        self._places = RecentPlaces()
        self._waiting: deque[Capture] = deque()

    def add(self, observation: Observation) -> Observation:
        """Take the next observation; return it with its surroundings."""
        moment = Moment(observation.frame.at)
        made = replace(observation, surroundings=moment)
        if made.is_still:  # it was not analysed, and only shows that time has passed
            self._ring.advance(made.frame.at)
            return made
        image = self._encoder.encode(made, self._places.before(made))
        frame = ClipFrame(made.frame.at, image.data, image.width, image.height)
        self._ring.add(frame.at, frame, weakref.ref(moment))
        return made

    def whole(self, captures: Iterable[Capture]) -> list[Capture]:
        """Take new captures; return those whose clip is whole by now, in their order."""
        self._waiting.extend(captures)
        found = []
        while self._waiting:
            capture = self._waiting[0]
            moment = capture.observation.surroundings
            if isinstance(moment, Moment) and not moment.is_whole:
                if not self._is_full():
                    break
                self._ring.complete(moment)
            self._waiting.popleft()
            found.append(replace(capture, clip=moment.clip() if moment is not None else None))
        return found

    def _is_full(self) -> bool:
        """Whether the captures that wait have too many pixels; then the oldest does not wait."""
        return sum(each.observation.frame.pixels.nbytes for each in self._waiting) >= HELD_BYTES

    def end(self, captures: Iterable[Capture]) -> list[Capture]:
        """Take the last captures; return all that waited, with what there is."""
        self._ring.end()
        return self.whole(captures)
