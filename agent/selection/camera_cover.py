"""What the captures of one camera have shown, in arrays, so that a frame is compared with all."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from agent.domain import FloatArray, Suspect
from agent.selection.similarity import HASH_BITS, hash_words
from agent.selection.view import Place, View

TrackKey = tuple[str, str, int]
"""The process, the rule of an event of the whole frame, and the number."""

HALF_LIFE_S = 24 * 3600.0

MOST_SHOWN = 500
"""Captures of one camera that a device remembers; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True)
class CoverLimits:
    """How much is remembered of one camera, and compared for one frame; None = no limit.

    Without limits the value of a frame never rises when a capture is added.
    """

    captures: int | None = MOST_SHOWN
    places: int | None = 1000  # and tracks: so that a frame is compared in bounded time
    pairs: int | None = 8  # places compared by appearance for one suspect: those that overlap most


ON_DEVICE = CoverLimits()
UNLIMITED = CoverLimits(None, None, None)


@dataclass(frozen=True, slots=True)
class Shown:
    """A capture that was purchased."""

    view: View
    at: float  # when it was purchased, in seconds

    def fade(self, now: float) -> float:
        """Return how much of what it showed still counts, 0 to 1."""
        return faded(self.at, now)


def faded(at: float, now: float) -> float:
    """Return how much of what was shown at `at` still counts at `now`, 0 to 1."""
    return float(0.5 ** (max(0.0, now - at) / HALF_LIFE_S))


class Rows:
    """Rows of one array that grows at its end and may forget its first rows."""

    def __init__(self, dtype: DTypeLike, *shape: int) -> None:
        self._held = np.zeros((0, *shape), dtype)
        self._first = self._end = 0

    def __len__(self) -> int:
        return self._end - self._first

    def since(self, number: int) -> NDArray[Any]:
        """Return the rows from this one on, without copying them."""
        return self._held[self._first + number : self._end]

    def add(self, values: Sequence[object] | NDArray[Any]) -> None:
        """Append rows, in amortized constant time each."""
        rows = np.asarray(values, self._held.dtype).reshape(-1, *self._held.shape[1:])
        if self._end + len(rows) > len(self._held):
            kept = self.since(0)
            self._held = np.zeros((2 * (len(kept) + len(rows)) + 16, *rows.shape[1:]), rows.dtype)
            self._held[: len(kept)] = kept
            self._first, self._end = 0, len(kept)
        self._held[self._end : self._end + len(rows)] = rows
        self._end += len(rows)

    def keep(self, most: int) -> None:
        """Forget the first rows, so that at most this many remain."""
        self._first = max(self._first, self._end - most)


@dataclass(slots=True)
class CameraCover:
    """What the captures of one camera have shown. Captures are numbered as they are added."""

    limits: CoverLimits
    count: int = 0  # captures that were ever added
    digests: Counter[str] = field(default_factory=Counter)
    tracks: dict[TrackKey, tuple[float, float]] = field(default_factory=dict)  # p, when
    places: list[tuple[Shown, Place]] = field(default_factory=list)  # that have a crop
    boxes: Rows = field(default_factory=lambda: Rows(np.float32, 4))  # of places
    place_p: Rows = field(default_factory=lambda: Rows(np.float64))
    place_capture: Rows = field(default_factory=lambda: Rows(np.int64))  # number of its capture
    frame_capture: Rows = field(default_factory=lambda: Rows(np.int64))  # of suspects without box
    frame_at: Rows = field(default_factory=lambda: Rows(np.float64))  # when it was purchased
    frame_p: Rows = field(default_factory=lambda: Rows(np.float64))
    frame_rule: Rows = field(default_factory=lambda: Rows(np.int64))
    shown: deque[Shown] = field(default_factory=deque)
    _words: Rows = field(default_factory=lambda: Rows(np.uint64, 4))
    _has_bits: Rows = field(default_factory=lambda: Rows(np.bool_))
    _at: Rows = field(default_factory=lambda: Rows(np.float64))
    _run: Rows = field(default_factory=lambda: Rows(np.int64))
    _runs: dict[str, int] = field(default_factory=dict)
    _rules: dict[str, int] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """The number of the first capture that is remembered."""
        return self.count - len(self.shown)

    def add(self, shown: Shown) -> None:
        """Remember a capture, and forget what exceeds the limits."""
        view = shown.view
        self.shown.append(shown)
        self._words.add(hash_words(view.bits or 0))
        self._has_bits.add([view.bits is not None])
        self._at.add([view.at])
        self._run.add([self._runs.setdefault(view.run, len(self._runs))])
        self.digests[view.digest] += 1
        self._add_tracks(shown)
        with_crop = [place for place in view.places if place.crop is not None]
        self.places += [(shown, place) for place in with_crop]
        if with_crop:
            self.boxes.add([place.box or (0, 0, 0, 0) for place in with_crop])
            self.place_p.add([place.p for place in with_crop])
            self.place_capture.add([self.count] * len(with_crop))
        whole = [place for place in view.places if place.box is None]
        if whole:
            self.frame_p.add([place.p for place in whole])
            self.frame_rule.add([self._number_of_rule(place.rule) for place in whole])
            self.frame_capture.add([self.count] * len(whole))
            self.frame_at.add([shown.at] * len(whole))
        self.count += 1
        self._forget()

    def _number_of_rule(self, rule: str) -> int:
        return self._rules.setdefault(rule, len(self._rules))

    def rule_number(self, rule: str) -> int:
        """Return the number of a rule in `frame_rule`; -1 for one that no capture has."""
        return self._rules.get(rule, -1)

    def known(self, key: TrackKey | None, now: float) -> float:
        """Return the `p` at which the track was shown, 0 for a new one."""
        if key is None or key not in self.tracks:
            return 0.0
        p, at = self.tracks[key]
        return float(p * faded(at, now))

    def distances(self, view: View, since: int) -> NDArray[np.int64]:
        """Return in how many bits each capture since that number differs; 256 without a hash.

        `since` is at least `first`.
        """
        skip = since - self.first
        if view.bits is None:
            return np.full(len(self.shown) - skip, HASH_BITS)
        differ = self._words.since(skip) ^ hash_words(view.bits)
        apart = np.bitwise_count(differ).sum(axis=1, dtype=np.int64)
        return np.where(self._has_bits.since(skip), apart, HASH_BITS)

    def apart(self, view: View, since: int) -> float:
        """Return the seconds to the nearest capture since that number, of the same stream."""
        run = self._runs.get(view.run)
        if run is None or not np.isfinite(view.at):
            return np.inf
        at = self._at.since(since - self.first)[self._run.since(since - self.first) == run]
        return float(np.abs(at - view.at).min(initial=np.inf))

    def _add_tracks(self, shown: Shown) -> None:
        for place in shown.view.places:
            key = track_key(place, shown.view.run)
            if key is not None:
                # It moves to the end, so that the track shown least recently is forgotten first.
                p = max(place.p, self.known(key, shown.at))
                self.tracks.pop(key, None)
                self.tracks[key] = (p, shown.at)

    def _forget(self) -> None:
        limits = self.limits
        if limits.places is not None:
            del self.places[: -limits.places]
            for rows in (self.boxes, self.place_p, self.place_capture):
                rows.keep(limits.places)
            for key in list(self.tracks)[: -limits.places]:
                del self.tracks[key]
        if limits.captures is None or len(self.shown) <= limits.captures:
            return
        digest = self.shown.popleft().view.digest
        self.digests[digest] -= 1
        if not self.digests[digest]:
            del self.digests[digest]
        for rows in (self._words, self._has_bits, self._at, self._run):
            rows.keep(limits.captures)
        kept = int(np.count_nonzero(self.frame_capture.since(0) >= self.first))
        for rows in (self.frame_capture, self.frame_at, self.frame_p, self.frame_rule):
            rows.keep(kept)


def track_key(suspect: Suspect | Place, run: str) -> TrackKey | None:
    """Return what names an object, or an event of one rule; None for a suspect without track."""
    if suspect.track is None:
        return None
    return run, "" if suspect.box is not None else suspect.rule, suspect.track


def iou(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the overlap of each box of `a` with each of `b`, `[len(a), len(b)]`, 0 to 1."""
    inner = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    area = np.maximum(inner, 0).prod(axis=2)
    both = (a[:, 2:] - a[:, :2]).prod(axis=1)[:, None] + (b[:, 2:] - b[:, :2]).prod(axis=1)[None]
    return np.asarray(area / np.maximum(both - area, 1e-12), np.float32)
