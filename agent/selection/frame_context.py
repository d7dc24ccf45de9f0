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
from agent.selection.frame_rate import FrameRate
from agent.selection.tracker import BELIEVED, Track, Tracker

LOOK_AHEAD = 3
"""Frames after the judged one; as many before it are remembered."""

_NOISE_FLOOR = 12.0  # grey levels; below it a change is taken for noise
_NOISE_FACTOR = 6.0  # times the median change, which is noise: most of an image stands still


@dataclass(frozen=True, slots=True)
class ContextTrack:
    """One object around the judged frame."""

    seen: Mapping[int, Detection]  # by frame, 0 the judged one, -1 the one before
    best: float  # highest confidence of its life so far
    frames: int  # in which it was seen, in its life so far


@dataclass(frozen=True, slots=True)
class FrameContext:
    """The judged frame, what is known of its neighbours, and what moves in it."""

    observation: Observation
    before: tuple[Observation, ...] = ()  # nearest first
    after: tuple[Observation, ...] = ()  # nearest first
    tracks: tuple[ContextTrack, ...] = ()
    moving: NDArray[np.bool_] | None = field(default=None, repr=False)  # [90, 160]
    is_timed: bool = False  # it is known that frames come fast enough for the rules of time


class ContextBuilder:
    """Turns one camera's observations into moments, each a few frames late."""

    def __init__(self, look_ahead: int = LOOK_AHEAD) -> None:
        """`look_ahead` is in frames; 0 where no rule compares neighbours."""
        self._ahead = look_ahead
        self._frames: deque[tuple[int, Observation]] = deque(maxlen=2 * look_ahead + 1)
        self._moving: dict[int, NDArray[np.bool_]] = {}
        self._small: NDArray[np.int16] | None = None  # the latest image
        self._judged = -1  # position of the last judged frame
        self._pace = FrameRate()
        self._restart()

    @property
    def is_slow(self) -> bool:
        """Whether the frames come too slowly for the rules of time."""
        return self._pace.is_slow

    def push(self, observation: Observation) -> list[FrameContext]:
        """Take the next frame; answers what can be judged now."""
        moments = []
        if self._pace.is_gap(observation.frame):
            moments = self.flush()
            self._restart()
        self._pace.add(observation.frame)
        if self._ahead == 0:  # nobody asks for neighbours
            return [FrameContext(observation)]
        position = self._tracker.update(observation.detections)
        self._frames.append((position, observation))
        previous, self._small = self._small, None
        if observation.grey is not None:
            self._small = shrunk(observation.grey)
            if previous is not None:
                self._moving[position] = moving(previous, self._small)
        # Where no temporal rule runs, there is no reason to wait.
        ahead = 0 if self.is_slow else self._ahead
        if position - ahead > self._judged:
            moments += self._judge_up_to(position - ahead)
        return moments

    def flush(self) -> list[FrameContext]:
        """Judge what is left, without waiting for what comes after."""
        return self._judge_up_to(self._frames[-1][0]) if self._frames else []

    def _restart(self) -> None:
        self._tracker = Tracker(memory=2 * self._ahead + 1, patience=self._ahead)
        self._frames.clear()
        self._moving.clear()
        self._small = None
        self._judged = -1

    def _judge_up_to(self, last: int) -> list[FrameContext]:
        moments = [
            self._moment(position)
            for position, _ in list(self._frames)
            if self._judged < position <= last
        ]
        self._judged = max(self._judged, last)
        self._drop_pixels()
        return moments

    def _moment(self, position: int) -> FrameContext:
        frames = dict(self._frames)
        return FrameContext(
            observation=frames[position],
            before=tuple(frames[p] for p in sorted(frames, reverse=True) if p < position),
            after=tuple(frames[p] for p in sorted(frames) if p > position),
            tracks=tuple(
                _seen_from(track, position, frames)
                for track in self._tracker.tracks
                if track.first <= position <= track.last and _matters(track)
            ),
            moving=self._moving.pop(position, None),
            is_timed=self._pace.is_fast,
        )

    def _drop_pixels(self) -> None:
        """Judged frames stay as neighbours, with the shape of their image and no memory."""
        for n, (position, observation) in enumerate(self._frames):
            if position <= self._judged and any(observation.frame.pixels.strides):
                shape = observation.frame.pixels.shape
                blank = np.broadcast_to(np.zeros((), np.uint8), shape)
                frame = replace(observation.frame, pixels=blank)
                self._frames[n] = (position, replace(observation, frame=frame))


def moving(before: NDArray[np.int16], now: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Where two images, as `shrunk` made them, differ by more than noise, as `[90, 160]`."""
    change = np.abs(now - before)
    some = np.sort(change[::3, ::3], axis=None)
    limit = 4 * max(_NOISE_FLOOR, _NOISE_FACTOR * float(some[some.size // 2]) / 4)
    return np.asarray(change > limit)


def shrunk(grey: Grey) -> NDArray[np.int16]:
    """The sums of 2 x 2 pixels of an image `[180, 320]`, as `[90, 160]`."""
    wide = grey.astype(np.int16)
    rows = wide[0::2] + wide[1::2]
    return np.asarray(rows[:, 0::2] + rows[:, 1::2])


def _matters(track: Track) -> bool:
    """Whether any rule could care: most tracks of a low floor are clutter of one or two frames."""
    return track.best >= BELIEVED or track.frames >= LOOK_AHEAD


def _seen_from(track: Track, position: int, frames: Mapping[int, Observation]) -> ContextTrack:
    seen: Mapping[int, Detection] = {
        p - position: detection for p, detection in track.seen.items() if p in frames
    }
    return ContextTrack(seen, track.best, track.frames)
