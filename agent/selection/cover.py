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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray

from agent.domain import FloatArray, Suspect
from agent.selection.camera_cover import (
    ON_DEVICE,
    CameraCover,
    CoverLimits,
    Shown,
    faded,
    iou,
    track_key,
)
from agent.selection.similarity import (
    FAR_BITS,
    NEAR_IDENTICAL_BITS,
    features_agree,
    grown,
    look_same,
)
from agent.selection.view import Place, View

UNSEEN = 0.05
"""Value of a frame without suspects, far in time from every capture and unlike them."""

UNSEEN_TIME_S = 1.0

_FIRST_PAIRS = 64  # compared by appearance at once: those that overlap most, then four times more
_SAME_FLAT_IOU = 0.3  # two boxes that both show nothing, on a near-identical image
_SAME_PLACE_IOU = 0.1  # two boxes that are compared by appearance


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the captures of a camera have shown of a view."""

    known: tuple[float, ...]
    """Of each place the `p` at which it was shown; above the place's own it may be too low."""
    unseen: float  # the small term, 0 to `UNSEEN`
    captures: int  # of the camera, that were added until then


class Cover:
    """What was purchased, by camera. Safe for threads: one buys, others ask."""

    def __init__(self, limits: CoverLimits = ON_DEVICE) -> None:
        self.version = 0
        """Rises with each capture that is added: values may have fallen."""
        self.weighings = 0
        """How often the weights were replaced: values may have risen."""
        self._lock = threading.Lock()
        self._limits = limits
        self._cameras: dict[str, CameraCover] = {}
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
            cover = self._cameras.get(view.camera)
            if cover is None:
                cover = self._cameras[view.camera] = CameraCover(self._limits)
            cover.add(Shown(view, now))

    def bound(
        self, camera: str, suspects: Sequence[Suspect], now: float, *, run: str = ""
    ) -> float:
        """Return a value that no frame with these suspects exceeds; cheap: by tracks alone."""
        with self._lock:
            cover = self._of(camera)
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
        found = self.compare(view, now)
        return sum(self.added(view, found)) + found.unseen

    def unseen(self, view: View) -> float:
        """Return the small term of a frame that no capture is near to, in time or in looks."""
        with self._lock:
            cover = self._of(view.camera)
            return _unseen(cover, view, cover.distances(view, cover.first), cover.first)

    def contributions(self, view: View, now: float) -> list[float]:
        """Return what each place of a view adds to the value, in the order of its places."""
        return self.added(view, self.compare(view, now))

    def added(self, view: View, found: Comparison) -> list[float]:
        """Return what each place of a view adds to the value, by what was found of it."""
        weights = self._weights
        return [
            weights.get(place.label, 1.0) * max(0.0, place.p - shown)
            for place, shown in zip(view.places, found.known, strict=True)
        ]

    def compare(self, view: View, now: float, former: Comparison | None = None) -> Comparison:
        """Return what was shown of a view.

        `former`: of the same view, from which to go on; only without limits, and at the same `now`.
        """
        with self._lock:
            cover = self._of(view.camera)
            since, unseen = 0, UNSEEN
            if not cover.count:
                return Comparison((0.0,) * len(view.places), UNSEEN, 0)
            known = [cover.known(track_key(place, view.run), now) for place in view.places]
            if former is not None:
                since, unseen = former.captures, former.unseen
                known = [max(pair) for pair in zip(known, former.known, strict=True)]
            first = max(since, cover.first)
            distances = cover.distances(view, first)
            unseen = min(unseen, _unseen(cover, view, distances, first))
            if view.digest and view.digest in cover.digests:
                known = [1.0] * len(known)
            else:
                looked = _Look(cover, view, now, (since, first), distances, known)
                looked.compare_frames()
                looked.compare_places()
            return Comparison(tuple(known), unseen, cover.count)

    def _of(self, camera: str) -> CameraCover:
        return self._cameras.get(camera) or CameraCover(self._limits)


def _unseen(cover: CameraCover, view: View, distances: NDArray[np.int64], since: int) -> float:
    """Return the small term beside the captures since that number, at these distances."""
    alike = max(0.0, 1.0 - int(distances.min(initial=FAR_BITS)) / FAR_BITS)
    near = exp(-cover.apart(view, since) / UNSEEN_TIME_S)
    return UNSEEN * (1 - max(alike, near))


@dataclass(frozen=True, slots=True)
class _Look:
    """A view beside the captures of its camera since a number."""

    cover: CameraCover
    view: View
    now: float
    since: tuple[int, int]  # the captures to compare with: of places, of images
    distances: NDArray[np.int64]  # of these images, in bits
    known: list[float]  # by place; raised here

    def compare_frames(self) -> None:
        """Raise what is known of whole-frame suspects by the similarity of the images.

        The label of a near-identical image answers which class it has, whatever the model says.
        """
        cover, view = self.cover, self.view
        whole = [n for n, place in enumerate(view.places) if place.box is None]
        if not whole or view.bits is None or not len(cover.frame_capture):
            return
        since = self.since[1]
        first = int(np.searchsorted(cover.frame_capture.since(0), since))
        distances = self.distances[cover.frame_capture.since(first) - since]
        alike = np.maximum(0.0, 1.0 - distances / FAR_BITS)
        is_same = distances <= NEAR_IDENTICAL_BITS
        times = cover.frame_at.since(first)
        fade = np.ones(len(times))
        if (times < self.now).any():
            fade = np.array([faded(at, self.now) for at in times.tolist()])
        p, rules = cover.frame_p.since(first), cover.frame_rule.since(first)
        for n in whole:
            place = view.places[n]
            shown = np.where(is_same, np.maximum(p, place.p), alike * p) * fade
            found = shown[rules == cover.rule_number(place.rule)].max(initial=0.0)
            self.known[n] = max(self.known[n], float(found))

    def compare_places(self) -> None:
        """Raise what is known of suspects with a box by place and appearance."""
        cover, view, known = self.cover, self.view, self.known
        mine = [
            n
            for n, place in enumerate(view.places)
            if place.crop is not None and known[n] < place.p
        ]
        first = int(np.searchsorted(cover.place_capture.since(0), self.since[0]))
        if not mine or first == len(cover.places):
            return
        theirs = cover.boxes.since(first)
        boxes = np.array([view.places[n].box for n in mine], np.float32)
        overlap = iou(boxes, theirs)
        rows, columns = _pairs(overlap, cover.limits.pairs)
        same_image = self._near_identical(cover.place_capture.since(first))
        p = cover.place_p.since(first)
        own = np.array([view.places[n].p for n in mine])
        most = _FIRST_PAIRS if cover.limits.pairs is None else len(rows)
        while len(rows):
            so_far = np.array([self.known[n] for n in mine])
            # The others can raise nothing.
            useful = (so_far < own)[rows] & (same_image[columns] | (p[columns] > so_far[rows]))
            rows, columns = rows[useful], columns[useful]
            self._look_at(
                [mine[row] for row in rows[:most].tolist()],
                columns[:most] + first,
                overlap[rows, columns][:most],
                same_image[columns[:most]],
            )
            rows, columns = rows[most:], columns[most:]
            most *= 4

    def _near_identical(self, captures: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether the image of each capture is near-identical; False for a forgotten one."""
        is_near = np.append(self.distances <= NEAR_IDENTICAL_BITS, np.False_)
        return is_near[np.maximum(captures - self.since[1], -1)]

    def _look_at(
        self,
        mine: Sequence[int],
        columns: NDArray[np.intp],
        overlap: FloatArray,
        same_image: NDArray[np.bool_],
    ) -> None:
        """Compare pairs of a place of the view and a place that was shown, `[pairs]` each."""
        if not mine:
            return
        view = self.view
        ours = [view.places[n] for n in mine]
        theirs = [self.cover.places[column] for column in columns.tolist()]
        same, is_flat = look_same(
            grown(np.array([place.box for place in ours], np.float32)),
            [place.crop or b"" for place in ours],
            grown(self.cover.boxes.since(0)[columns]),
            [place.crop or b"" for _, place in theirs],
        )
        self._compare_features(ours, theirs, same)
        # Nothing to see in both, on a near-identical image: the wall has not changed.
        same |= is_flat & same_image & (overlap >= _SAME_FLAT_IOU)
        for pair in np.flatnonzero(same).tolist():
            (shown, place), n = theirs[pair], mine[pair]
            p = max(place.p, ours[pair].p) if same_image[pair] else place.p
            self.known[n] = max(self.known[n], p * shown.fade(self.now))

    def _compare_features(
        self, ours: Sequence[Place], theirs: Sequence[tuple[Shown, Place]], same: NDArray[np.bool_]
    ) -> None:
        """Replace what the crops say by what the model's features say, where both have one.

        `same`: of each pair, whether the crops look the same; changed here.
        """
        source = self.view.source
        pairs = [
            (number, place.feature, other.feature)
            for number, (place, (shown, other)) in enumerate(zip(ours, theirs, strict=True))
            if place.feature is not None
            and other.feature is not None
            and shown.view.source == source
        ]
        if pairs:
            numbers, mine, others = zip(*pairs, strict=True)
            same[list(numbers)] = features_agree(mine, others)


def _pairs(overlap: FloatArray, most: int | None) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows and columns of the pairs at one place, `most` of each row.

    Without a limit those that overlap most come first.
    """
    if most is None:
        rows, columns = np.nonzero(overlap >= _SAME_PLACE_IOU)
        order = np.argsort(-overlap[rows, columns], kind="stable")
        return rows[order], columns[order]
    # Of equal ones the newest: they come last.
    order = np.argsort(overlap, axis=1, kind="stable")[:, -most:]
    near = np.take_along_axis(overlap, order, axis=1) >= _SAME_PLACE_IOU
    return np.nonzero(near)[0], order[near]
