"""What the captures that were purchased have shown, and the value of a frame beside them.

The value of a frame is the expected number of failures that its label would show for the first
time. For each suspect it counts what its `p` exceeds the highest `p` at which a capture that was
purchased showed the same suspect, times the weight of its label that a feedback file may give; the
sum over all suspects, not capped at 1, is the value. A small term is added where nothing was
purchased near in time, so that of frames without suspects those far from others come first.

A suspect is the same as one before while its track lives. Later it is the same if place *and*
appearance agree: a parked car that is misread is one suspect all day, while on a road the next car
at the same place is another one. On a near-identical image a box that jitters around an unchanged
place is the same suspect, and the label of the first image answers it whatever its `p` was. What
was shown is forgotten with a half-life of a day.
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, inf, isfinite

import numpy as np
from numpy.typing import NDArray

from agent.domain import FloatArray, Suspect
from agent.selection.similarity import (
    NEAR_IDENTICAL_BITS,
    features_agree,
    grown,
    hash_distance,
    image_similarity,
    look_same,
)
from agent.selection.view import Place, View

TrackKey = tuple[str, str, int]
"""The process, the rule of an event of the whole frame, and the number."""

HALF_LIFE_S = 24 * 3600.0

UNSEEN = 0.05
"""Value of a frame without suspects, far in time from every capture and unlike them."""

UNSEEN_TIME_S = 1.0

MOST_SHOWN = 500
"""Captures of one camera that are remembered; the oldest are forgotten first."""

_MOST_PLACES = 1000  # of one camera, so that a frame is compared in bounded time
_MOST_PAIRS = 8  # places compared by appearance for one suspect: those that overlap most
_SAME_FLAT_IOU = 0.3  # two boxes that both show nothing, on a near-identical image
_SAME_PLACE_IOU = 0.1  # two boxes that are compared by appearance


@dataclass(frozen=True, slots=True)
class _Shown:
    view: View
    at: float  # when it was purchased, in seconds

    def fade(self, now: float) -> float:
        """Return how much of what it showed still counts, 0 to 1."""
        return float(0.5 ** (max(0.0, now - self.at) / HALF_LIFE_S))


@dataclass(slots=True)
class _CameraCover:
    """What the captures of one camera have shown."""

    shown: deque[_Shown] = field(default_factory=lambda: deque(maxlen=MOST_SHOWN))
    tracks: dict[TrackKey, tuple[float, float]] = field(default_factory=dict)  # p, when
    places: list[tuple[_Shown, Place]] = field(default_factory=list)  # that have a crop
    boxes: FloatArray = field(default_factory=lambda: np.zeros((0, 4), np.float32))

    def add(self, shown: _Shown) -> None:
        self.shown.append(shown)
        for place in shown.view.places:
            key = track_key(place, shown.view.run)
            if key is not None:
                # It moves to the end, so that the track shown least recently is forgotten first.
                p = max(place.p, self.known(key, shown.at))
                self.tracks.pop(key, None)
                self.tracks[key] = (p, shown.at)
        self.places += [(shown, place) for place in shown.view.places if place.crop is not None]
        del self.places[:-_MOST_PLACES]
        for key in list(self.tracks)[:-_MOST_PLACES]:
            del self.tracks[key]
        boxes = [place.box for _, place in self.places]
        self.boxes = np.array(boxes, np.float32).reshape(-1, 4)

    def known(self, key: TrackKey | None, now: float) -> float:
        """Return the `p` at which the track was shown, 0 for a new one."""
        if key is None or key not in self.tracks:
            return 0.0
        p, at = self.tracks[key]
        return float(p * 0.5 ** (max(0.0, now - at) / HALF_LIFE_S))


class Cover:
    """What was purchased, by camera. Safe for threads: one buys, others ask."""

    def __init__(self) -> None:
        self.version = 0
        """Rises with each capture that is added: values may have fallen."""
        self.weighings = 0
        """How often the weights were replaced: values may have risen."""
        self._lock = threading.Lock()
        self._cameras: dict[str, _CameraCover] = {}
        self._weights: Mapping[str, float] = {}

    def weigh(self, weights: Mapping[str, float]) -> None:
        """Multiply from now on what suspects of these labels add to a value; 1 for all others."""
        with self._lock:
            self._weights = weights
            self.version += 1
            self.weighings += 1

    def add(self, view: View, now: float) -> None:
        """Remember a capture that was purchased at `now`, in seconds of the clock of `View.at`."""
        with self._lock:
            self.version += 1
            self._cameras.setdefault(view.camera, _CameraCover()).add(_Shown(view, now))

    def bound(
        self, camera: str, suspects: Sequence[Suspect], now: float, *, run: str = ""
    ) -> float:
        """Return a value that no frame with these suspects exceeds; cheap: by tracks alone."""
        with self._lock:
            cover = self._cameras.get(camera) or _CameraCover()
            return UNSEEN + sum(
                self._weights.get(each.label, 1.0)
                * max(0.0, each.p - cover.known(track_key(each, run), now))
                for each in suspects
            )

    def most(self, view: View) -> float:
        """Return a value that the view never exceeds, whatever is forgotten."""
        with self._lock:
            weights = self._weights
            return UNSEEN + sum(weights.get(each.label, 1.0) * each.p for each in view.places)

    def value(self, view: View, now: float) -> float:
        """Return how many failures a label of the frame is expected to show first."""
        return sum(self.contributions(view, now)) + self.unseen(view)

    def unseen(self, view: View) -> float:
        """Return the small term of a frame that no capture is near to, in time or in looks."""
        with self._lock:
            cover = self._cameras.get(view.camera) or _CameraCover()
            term = UNSEEN
            for shown in cover.shown:
                alike = 0.0
                if view.bits is not None and shown.view.bits is not None:
                    alike = image_similarity(view.bits, shown.view.bits)
                apart = abs(view.at - shown.view.at) if isfinite(view.at) else inf
                near = exp(-apart / UNSEEN_TIME_S)
                term = min(term, UNSEEN * (1 - max(alike, near)))
            return term

    def contributions(self, view: View, now: float) -> list[float]:
        """Return what each place of a view adds to the value, in the order of its places."""
        with self._lock:
            cover = self._cameras.get(view.camera) or _CameraCover()
            if view.digest and any(view.digest == each.view.digest for each in cover.shown):
                return [0.0] * len(view.places)
            known = [cover.known(track_key(place, view.run), now) for place in view.places]
            _compare_frames(cover, view, known, now)
            _compare_places(cover, view, known, now)
            return [
                self._weights.get(place.label, 1.0) * max(0.0, place.p - shown)
                for place, shown in zip(view.places, known, strict=True)
            ]


def track_key(suspect: Suspect | Place, run: str) -> TrackKey | None:
    """Return what names an object, or an event of one rule; None for a suspect without track."""
    if suspect.track is None:
        return None
    return run, "" if suspect.box is not None else suspect.rule, suspect.track


def _compare_frames(cover: _CameraCover, view: View, known: list[float], now: float) -> None:
    """Raise what is known of whole-frame suspects by the similarity of the images.

    The label of a near-identical image answers which class it has, whatever the model says.
    """
    whole = [n for n, place in enumerate(view.places) if place.box is None]
    if not whole or view.bits is None:
        return
    for shown in cover.shown:
        if shown.view.bits is None:
            continue
        alike = image_similarity(view.bits, shown.view.bits)
        same_image = hash_distance(view.bits, shown.view.bits) <= NEAR_IDENTICAL_BITS
        for n in whole:
            place = view.places[n]
            for other in shown.view.places:
                if other.box is None and other.rule == place.rule:
                    p = max(other.p, place.p) if same_image else alike * other.p
                    known[n] = max(known[n], p * shown.fade(now))


def _compare_places(cover: _CameraCover, view: View, known: list[float], now: float) -> None:
    """Raise what is known of suspects with a box by place and appearance."""
    mine = [n for n, place in enumerate(view.places) if place.crop is not None]
    if not mine or not cover.places:
        return
    boxes = np.array([view.places[n].box for n in mine], np.float32)
    overlap = _iou(boxes, cover.boxes)
    identical = {
        id(shown)
        for shown in cover.shown
        if view.bits is not None
        and shown.view.bits is not None
        and hash_distance(view.bits, shown.view.bits) <= NEAR_IDENTICAL_BITS
    }
    same_image = np.array([id(shown) in identical for shown, _ in cover.places])
    # Of equal ones the newest: they come last.
    order = np.argsort(overlap, axis=1, kind="stable")[:, -_MOST_PAIRS:]
    near = np.take_along_axis(overlap, order, axis=1) >= _SAME_PLACE_IOU
    pairs = np.stack([np.nonzero(near)[0], order[near]], axis=1)
    if not len(pairs):
        return
    rows, columns = pairs[:, 0], pairs[:, 1]
    same, is_flat = look_same(
        grown(boxes[rows]),
        [view.places[mine[row]].crop or b"" for row in rows],
        grown(cover.boxes[columns]),
        [cover.places[column][1].crop or b"" for column in columns],
    )
    _compare_features(cover, view, [mine[row] for row in rows], columns, same)
    # Nothing to see in both, on a near-identical image: the wall has not changed.
    same |= is_flat & same_image[columns] & (overlap[rows, columns] >= _SAME_FLAT_IOU)
    for row, column in zip(rows[same], columns[same], strict=True):
        shown, place = cover.places[column]
        n = mine[row]
        p = max(place.p, view.places[n].p) if same_image[column] else place.p
        known[n] = max(known[n], p * shown.fade(now))


def _compare_features(
    cover: _CameraCover,
    view: View,
    mine: Sequence[int],
    columns: NDArray[np.intp],
    same: NDArray[np.bool_],
) -> None:
    """Replace what the crops say by what the model's features say, where both places have one.

    Args:
        cover: With the places that were shown.
        view: Of the frame.
        mine: The place of the view in each pair.
        columns: The place that was shown in each pair.
        same: Of each pair, whether the crops look the same; changed here.
    """
    pairs = []
    for n, (place, column) in enumerate(zip(mine, columns, strict=True)):
        shown, other = cover.places[column]
        one, two = view.places[place].feature, other.feature
        if view.source == shown.view.source and one is not None and two is not None:
            pairs.append((n, one, two))
    if pairs:
        numbers, ours, theirs = zip(*pairs, strict=True)
        same[list(numbers)] = features_agree(ours, theirs)


def _iou(a: FloatArray, b: FloatArray) -> FloatArray:
    inner = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    area = np.maximum(inner, 0).prod(axis=2)
    both = (a[:, 2:] - a[:, :2]).prod(axis=1)[:, None] + (b[:, 2:] - b[:, :2]).prod(axis=1)[None]
    return np.asarray(area / np.maximum(both - area, 1e-12), np.float32)
