"""A frame with its neighbours: the input of the rules.

A frame is evaluated once the three frames after it have come, so that a temporal rule knows what
follows. Frames keep their pixels until they are evaluated: 4 per camera, 25 MB at 1080p.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from agent.domain import Detection, Grey, Observation, Pixels, Thresholds
from agent.selection.frame_rate import FrameRate
from agent.selection.similarity import CUT_BITS, difference_hash, hash_distance
from agent.selection.suspects import ConfidenceAt
from agent.selection.tracker import Track, Tracker

LOOK_AHEAD = 3
"""Frames after the evaluated one; as many before it are remembered."""

_NOISE_FLOOR = 12.0  # grey levels; a smaller change is noise
_NOISE_FACTOR = 6.0  # times the median change, which is noise because most of an image stands still
_NOISE_MOST = 6.0  # grey levels; a larger median change is no noise: most of the image moves


@dataclass(frozen=True, slots=True)
class ContextTrack:
    """One object around the evaluated frame."""

    number: int  # unique for this camera in the life of the process
    seen: Mapping[int, Detection]  # by offset from the evaluated frame
    frames: int  # frames in which it was seen so far


@dataclass(frozen=True, slots=True)
class FrameContext:
    """The evaluated frame, its neighbours, its tracks and its moving parts."""

    observation: Observation
    before: tuple[Observation, ...] = ()  # nearest first
    after: tuple[Observation, ...] = ()  # nearest first
    tracks: tuple[ContextTrack, ...] = ()
    moving: NDArray[np.bool_] | None = field(default=None, repr=False)  # [90, 160]
    bits: int | None = None  # the frame's `difference_hash`; None without an image
    is_timed: bool = False  # frames certainly come fast enough for temporal rules
    _tracked: dict[int, ContextTrack] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def objects(
        self, least: ConfidenceAt | None = None
    ) -> Sequence[tuple[Detection, ContextTrack | None]]:
        """Return each detection of the frame with its track, if it has one that can be trusted.

        `least`: fainter detections are left out.
        """
        if self.is_timed and not self._tracked:  # objects of slow frames are elsewhere in the next
            seen = ((track.seen.get(0), track) for track in self.tracks)
            self._tracked.update((id(each), track) for each, track in seen if each is not None)
        detections: Sequence[Detection] = self.observation.detections
        if least is not None:
            detections = least.reached_by(detections)
        return [(each, self._tracked.get(id(each))) for each in detections]


class ContextBuilder:
    """Turns one camera's observations into contexts, each a few frames late."""

    def __init__(self, thresholds: Thresholds, look_ahead: int = LOOK_AHEAD) -> None:
        """`look_ahead` is in frames; 0 if there is no temporal rule."""
        self._thresholds = thresholds
        self._ahead = look_ahead
        self._frames: deque[tuple[int, Observation]] = deque(maxlen=2 * look_ahead + 1)
        self._bits: dict[int, int] = {}
        self._moving: dict[int, NDArray[np.bool_]] = {}
        self._latest: tuple[int, NDArray[np.int16]] | None = None  # hash and small image
        self._evaluated = -1  # position of the latest evaluated frame
        self._rate = FrameRate()
        self._tracker = self._new_tracker(0)

    @property
    def is_slow(self) -> bool:
        """Whether the frames come too slowly for temporal rules."""
        return self._rate.is_slow

    def push(self, observation: Observation) -> list[FrameContext]:
        """Take the next frame; return the contexts that are complete now."""
        contexts = []
        bits = None if observation.grey is None else difference_hash(observation.grey)
        if (
            self._rate.is_gap(observation.frame)
            or self._is_cut(bits)
            or self._is_resized(observation)
        ):
            contexts = self.flush()
            self._restart()
        self._rate.add(observation.frame)
        position = self._tracker.update(observation.detections)
        self._frames.append((position, observation))
        if observation.grey is None or bits is None:
            self._latest = None
        else:
            self._bits[position] = bits
            small = shrunk(observation.grey)
            if self._latest is not None and self._ahead:
                self._moving[position] = moving(self._latest[1], small)
            self._latest = bits, small
        # If frames come too slowly, no temporal rule runs, and waiting has no use.
        ahead = 0 if self.is_slow else self._ahead
        if position - ahead > self._evaluated:
            contexts += self._contexts_up_to(position - ahead)
        return contexts

    def flush(self) -> list[FrameContext]:
        """Return the contexts of the frames that are left, without those after them."""
        return self._contexts_up_to(self._frames[-1][0]) if self._frames else []

    def _is_cut(self, bits: int | None) -> bool:
        """Whether the camera shows another scene than in the frame before."""
        if bits is None or self._latest is None:
            return False
        return hash_distance(bits, self._latest[0]) >= CUT_BITS

    def _is_resized(self, observation: Observation) -> bool:
        """Whether the frames have another size than before: boxes in pixels do not compare."""
        if not self._frames:
            return False
        return self._frames[-1][1].frame.pixels.shape != observation.frame.pixels.shape

    def _restart(self) -> None:
        self._tracker = self._new_tracker(self._tracker.next_number)
        self._frames.clear()
        self._bits.clear()
        self._moving.clear()
        self._latest = None
        self._evaluated = -1

    def _new_tracker(self, first_number: int) -> Tracker:
        return Tracker(
            self._thresholds,
            memory=max(2 * self._ahead, LOOK_AHEAD) + 1,
            max_missed=LOOK_AHEAD,
            first_number=first_number,
        )

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
        first = self._frames[0][0]  # positions follow each other without a gap
        observations = [observation for _, observation in self._frames]
        at = position - first
        return FrameContext(
            observation=observations[at],
            before=tuple(reversed(observations[:at])),
            after=tuple(observations[at + 1 :]),
            tracks=tuple(
                _seen_from(track, position, first)
                for track in self._tracker.tracks
                if track.first <= position <= track.last
            ),
            moving=self._moving.pop(position, None),
            bits=self._bits.pop(position, None),
            is_timed=self._rate.is_fast,
        )

    def _drop_pixels(self) -> None:
        """Free pixels and maps of evaluated frames, which stay as neighbours; keep their shape."""
        for n, (position, observation) in enumerate(self._frames):
            is_full = observation.features is not None or any(observation.frame.pixels.strides)
            if position <= self._evaluated and is_full:
                frame = replace(observation.frame, pixels=_blank(observation.frame.pixels.shape))
                self._frames[n] = (position, replace(observation, frame=frame, features=None))


@lru_cache(64)
def _blank(shape: tuple[int, ...]) -> Pixels:
    """Return pixels of a shape that take no memory."""
    return np.broadcast_to(np.zeros((), np.uint8), shape)


def moving(before: NDArray[np.int16], now: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Return where two images from `shrunk` differ by more than noise, as `[90, 160]`.

    It is everywhere if most of the image changed: the camera moves, or the light.
    """
    change = np.abs(now - before)
    some = change[::3, ::3].ravel()
    median = float(np.partition(some, some.size // 2)[some.size // 2]) / 4
    if median > _NOISE_MOST:
        return np.ones(change.shape, np.bool_)
    return np.asarray(change > 4 * max(_NOISE_FLOOR, _NOISE_FACTOR * median))


def shrunk(grey: Grey) -> NDArray[np.int16]:
    """Return the sums of 2 x 2 pixels of an image `[180, 320]`, as `[90, 160]`."""
    wide = grey.astype(np.int16)
    rows = wide[0::2] + wide[1::2]
    return np.asarray(rows[:, 0::2] + rows[:, 1::2])


def _seen_from(track: Track, position: int, first: int) -> ContextTrack:
    seen = {p - position: each for p, each in track.seen.items() if p >= first}
    return ContextTrack(track.number, seen, track.frames)
