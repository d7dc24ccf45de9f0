"""A frame and its neighbours: what the rules of time look at.

A frame is judged when the three frames after it have come, so that a rule knows whether what it
sees lasts. Frames keep their pixels until they are judged: 4 of a camera at once, 25 MB at 1080p.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from agent.domain import Detection, Grey, Observation
from agent.selection.tracks import Track, Tracker

LOOK_AHEAD = 3
"""Frames after the judged one; as many before it are remembered."""

SLOWEST_FPS = 2.0
"""Below this rate neighbours tell nothing: objects are elsewhere in the next frame."""

_GAP_FACTOR = 4.0
_NOISE_FLOOR = 12.0  # grey levels; below it a change is taken for noise
_NOISE_FACTOR = 6.0  # times the median change, which is noise: most of a picture stands still


@dataclass(frozen=True, slots=True)
class TrackAt:
    """One object around the judged frame."""

    seen: Mapping[int, Detection]  # by frame, 0 the judged one, -1 the one before
    best: float  # highest confidence of its life so far
    frames: int  # in which it was seen, in its life so far


@dataclass(frozen=True, slots=True)
class Moment:
    """The judged frame, what is known of its neighbours, and what moves in it."""

    observation: Observation
    before: tuple[Observation, ...] = ()  # nearest first
    after: tuple[Observation, ...] = ()  # nearest first
    tracks: tuple[TrackAt, ...] = ()
    moving: NDArray[np.bool_] | None = field(default=None, repr=False)  # [90, 160]
    is_timed: bool = False  # frames come fast enough for the rules of time


class Window:
    """Turns one camera's observations into moments, each a few frames late."""

    def __init__(self, look_ahead: int = LOOK_AHEAD) -> None:
        """`look_ahead` is in frames; 0 where no rule compares neighbours."""
        self._ahead = look_ahead
        self._frames: deque[tuple[int, Observation]] = deque(maxlen=2 * look_ahead + 1)
        self._moving: dict[int, NDArray[np.bool_]] = {}
        self._judged = -1  # position of the last judged frame
        self._pace = _Pace()
        self._restart()

    @property
    def is_slow(self) -> bool:
        """Whether the frames come too slowly for the rules of time."""
        return self._pace.is_slow

    def push(self, observation: Observation) -> list[Moment]:
        """Take the next frame; answers what can be judged now."""
        moments = []
        if self._pace.is_gap(observation):
            moments = self.flush()
            self._restart()
        self._pace.add(observation)
        if self._ahead == 0:  # nobody asks for neighbours
            return [Moment(observation)]
        previous = self._frames[-1][1].grey if self._frames else None
        position = self._tracker.update(observation.detections)
        self._frames.append((position, observation))
        if previous is not None and observation.grey is not None:
            self._moving[position] = moving(previous, observation.grey)
        if position - self._ahead > self._judged:
            moments += self._judge_up_to(position - self._ahead)
        return moments

    def flush(self) -> list[Moment]:
        """Judge what is left, without waiting for what comes after."""
        return self._judge_up_to(self._frames[-1][0]) if self._frames else []

    def _restart(self) -> None:
        self._tracker = Tracker(memory=2 * self._ahead + 1, patience=self._ahead)
        self._frames.clear()
        self._moving.clear()
        self._judged = -1

    def _judge_up_to(self, last: int) -> list[Moment]:
        moments = [
            self._moment(position)
            for position, _ in list(self._frames)
            if self._judged < position <= last
        ]
        self._judged = max(self._judged, last)
        self._drop_pixels()
        return moments

    def _moment(self, position: int) -> Moment:
        frames = dict(self._frames)
        return Moment(
            observation=frames[position],
            before=tuple(frames[p] for p in sorted(frames, reverse=True) if p < position),
            after=tuple(frames[p] for p in sorted(frames) if p > position),
            tracks=tuple(_seen_from(track, position, frames) for track in self._tracker.tracks),
            moving=self._moving.pop(position, None),
            is_timed=not self.is_slow,
        )

    def _drop_pixels(self) -> None:
        """Judged frames stay as neighbours; a picture without memory of its own keeps the shape."""
        for n, (position, observation) in enumerate(self._frames):
            if position <= self._judged and observation.frame.pixels.flags.owndata:
                shape = observation.frame.pixels.shape
                blank = np.broadcast_to(np.zeros((), np.uint8), shape)
                frame = replace(observation.frame, pixels=blank)
                self._frames[n] = (position, replace(observation, frame=frame))


class _Pace:
    """How fast frames come, by the stream's clock."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._stream = ""
        self._steps: deque[float] = deque(maxlen=15)

    def add(self, observation: Observation) -> None:
        frame = observation.frame
        if self._at is not None and frame.stream == self._stream and frame.at > self._at:
            self._steps.append(frame.at - self._at)
        self._at, self._stream = frame.at, frame.stream

    def is_gap(self, observation: Observation) -> bool:
        """Whether the frame does not continue what came before it."""
        frame = observation.frame
        if self._at is None:
            return False
        if frame.stream != self._stream or frame.at < self._at:
            return True
        usual = self._usual
        return usual is not None and frame.at - self._at > max(1.0, _GAP_FACTOR * usual)

    @property
    def is_slow(self) -> bool:
        usual = self._usual
        return usual is not None and usual > 1.02 / SLOWEST_FPS

    @property
    def _usual(self) -> float | None:
        """The median step in seconds, once there are some."""
        if len(self._steps) < self._steps.maxlen // 3:  # type: ignore[operator]
            return None
        return float(np.median(self._steps))


def moving(before: Grey, now: Grey) -> NDArray[np.bool_]:
    """Where two pictures `[180, 320]` differ by more than noise, as `[90, 160]`."""
    change = np.abs(_halved(now) - _halved(before))
    limit = max(_NOISE_FLOOR, _NOISE_FACTOR * float(np.median(change)))
    return np.asarray(change > limit)


def _halved(grey: Grey) -> NDArray[np.float32]:
    small = grey[0::2, 0::2].astype(np.float32)
    for part in (grey[1::2, 0::2], grey[0::2, 1::2], grey[1::2, 1::2]):
        small += part
    return small / 4.0


def _seen_from(track: Track, position: int, frames: Mapping[int, Observation]) -> TrackAt:
    seen: Mapping[int, Detection] = {
        p - position: detection for p, detection in track.seen.items() if p in frames
    }
    return TrackAt(seen, track.best, track.frames)
