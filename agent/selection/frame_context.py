"""A frame with its neighbours: the input of the rules.

A frame is evaluated once the three frames after it have come, so that a temporal rule knows what
follows. Frames keep their pixels until they are evaluated: 4 per camera, 25 MB at 1080p.
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
"""Frames after the evaluated one; as many before it are remembered."""

_NOISE_FLOOR = 12.0  # grey levels; a smaller change is noise
_NOISE_FACTOR = 6.0  # times the median change, which is noise because most of an image stands still


@dataclass(frozen=True, slots=True)
class ContextTrack:
    """One object around the evaluated frame."""

    seen: Mapping[int, Detection]  # by offset from the evaluated frame
    best: float  # highest confidence so far
    frames: int  # frames in which it was seen so far


@dataclass(frozen=True, slots=True)
class FrameContext:
    """The evaluated frame, its neighbours, its tracks and its moving parts."""

    observation: Observation
    before: tuple[Observation, ...] = ()  # nearest first
    after: tuple[Observation, ...] = ()  # nearest first
    tracks: tuple[ContextTrack, ...] = ()
    moving: NDArray[np.bool_] | None = field(default=None, repr=False)  # [90, 160]
    is_timed: bool = False  # frames certainly come fast enough for temporal rules


class ContextBuilder:
    """Turns one camera's observations into contexts, each a few frames late."""

    def __init__(self, look_ahead: int = LOOK_AHEAD) -> None:
        """`look_ahead` is in frames; 0 if there is no temporal rule."""
        self._ahead = look_ahead
        self._frames: deque[tuple[int, Observation]] = deque(maxlen=2 * look_ahead + 1)
        self._moving: dict[int, NDArray[np.bool_]] = {}
        self._small: NDArray[np.int16] | None = None  # the latest image
        self._evaluated = -1  # position of the latest evaluated frame
        self._rate = FrameRate()
        self._restart()

    @property
    def is_slow(self) -> bool:
        """Whether the frames come too slowly for temporal rules."""
        return self._rate.is_slow

    def push(self, observation: Observation) -> list[FrameContext]:
        """Take the next frame; return the contexts that are complete now."""
        contexts = []
        if self._rate.is_gap(observation.frame):
            contexts = self.flush()
            self._restart()
        self._rate.add(observation.frame)
        if self._ahead == 0:  # no rule compares neighbours
            return [FrameContext(observation)]
        position = self._tracker.update(observation.detections)
        self._frames.append((position, observation))
        previous, self._small = self._small, None
        if observation.grey is not None:
            self._small = shrunk(observation.grey)
            if previous is not None:
                self._moving[position] = moving(previous, self._small)
        # If frames come too slowly, no temporal rule runs, and waiting has no use.
        ahead = 0 if self.is_slow else self._ahead
        if position - ahead > self._evaluated:
            contexts += self._contexts_up_to(position - ahead)
        return contexts

    def flush(self) -> list[FrameContext]:
        """Return the contexts of the frames that are left, without those after them."""
        return self._contexts_up_to(self._frames[-1][0]) if self._frames else []

    def _restart(self) -> None:
        self._tracker = Tracker(memory=2 * self._ahead + 1, max_missed=self._ahead)
        self._frames.clear()
        self._moving.clear()
        self._small = None
        self._evaluated = -1

    def _contexts_up_to(self, last: int) -> list[FrameContext]:
        contexts = [
            self._context(position)
            for position, _ in list(self._frames)
            if self._evaluated < position <= last
        ]
        self._evaluated = max(self._evaluated, last)
        self._drop_pixels()
        return contexts

    def _context(self, position: int) -> FrameContext:
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
            is_timed=self._rate.is_fast,
        )

    def _drop_pixels(self) -> None:
        """Free the pixels of evaluated frames, which stay as neighbours; keep their shape."""
        for n, (position, observation) in enumerate(self._frames):
            if position <= self._evaluated and any(observation.frame.pixels.strides):
                shape = observation.frame.pixels.shape
                blank = np.broadcast_to(np.zeros((), np.uint8), shape)
                frame = replace(observation.frame, pixels=blank)
                self._frames[n] = (position, replace(observation, frame=frame))


def moving(before: NDArray[np.int16], now: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Return where two images from `shrunk` differ by more than noise, as `[90, 160]`."""
    change = np.abs(now - before)
    some = np.sort(change[::3, ::3], axis=None)
    limit = 4 * max(_NOISE_FLOOR, _NOISE_FACTOR * float(some[some.size // 2]) / 4)
    return np.asarray(change > limit)


def shrunk(grey: Grey) -> NDArray[np.int16]:
    """Return the sums of 2 x 2 pixels of an image `[180, 320]`, as `[90, 160]`."""
    wide = grey.astype(np.int16)
    rows = wide[0::2] + wide[1::2]
    return np.asarray(rows[:, 0::2] + rows[:, 1::2])


def _matters(track: Track) -> bool:
    """Whether a rule can use the track: with a low floor most last one or two frames (clutter)."""
    return track.best >= BELIEVED or track.frames >= LOOK_AHEAD


def _seen_from(track: Track, position: int, frames: Mapping[int, Observation]) -> ContextTrack:
    seen: Mapping[int, Detection] = {
        p - position: detection for p, detection in track.seen.items() if p in frames
    }
    return ContextTrack(seen, track.best, track.frames)
