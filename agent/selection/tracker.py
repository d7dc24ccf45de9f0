"""Follows objects from frame to frame, as far as the temporal rules and the cover need it.

A light tracker: detections are matched to tracks by overlap with the place where the track is
expected, those near or above their threshold first (the two rounds of ByteTrack, Zhang et al.,
ECCV 2022). A track is expected at its own velocity; a new one, which has none, at the velocity of
its nearest neighbours, because objects of one scene often move together. What is left is matched by
distance, so that an object that moves by its own length a frame keeps its track.

Confidences count relative to the threshold of the label alone: a model whose confidences are all
low is tracked as well as another. Labels do not take part, because a label that changes is what one
of the rules looks for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.domain import Box, Detection, FloatArray, Thresholds
from agent.selection.suspects import ConfidenceAt

MATCH_IOU = 0.2
SAME_LABEL_BONUS = 0.1  # overlap that a detection of the track's own label is ahead
MOST_DETECTIONS = 60  # the most confident ones of a frame are tracked

_LEAST_MARGIN = -2.0  # logits to the threshold; fainter detections are clutter and not tracked
_FIRST_ROUND_MARGIN = -0.8  # logits; detections above it choose their tracks first
_NEIGHBOURS = 3  # tracks whose median velocity a new track is expected to have
_REACH = 1.25  # a step of a track without velocity, in lengths of the object
_SIZE_RATIO = 2.0  # an object changes its width and height by less than that in a step

Corners = tuple[float, float, float, float]
"""x_min, y_min, x_max, y_max of a box, in pixels."""


@dataclass(slots=True)
class Track:
    """One object over time. Positions are numbers of frames since the tracker began."""

    number: int
    seen: dict[int, Detection] = field(default_factory=dict)  # of the last frames, by position
    first: int = 0
    last: int = 0
    frames: int = 0  # in which it was detected, over its whole life
    velocity: tuple[float, float] | None = None  # of the centre, in pixels per frame

    def expected(self, position: int, velocity: tuple[float, float]) -> Corners:
        """Return where it is at a later position if it moves at `velocity`."""
        box, ahead = self.seen[self.last].box, position - self.last
        dx, dy = velocity[0] * ahead, velocity[1] * ahead
        return box.x_min + dx, box.y_min + dy, box.x_max + dx, box.y_max + dy

    def add(self, position: int, detection: Detection) -> None:
        """Add the detection of a later position."""
        if self.frames:
            step = position - self.last
            old, new = _centre(self.seen[self.last].box), _centre(detection.box)
            dx, dy = (new[0] - old[0]) / step, (new[1] - old[1]) / step
            if self.velocity is not None:
                dx, dy = (dx + self.velocity[0]) / 2, (dy + self.velocity[1]) / 2
            self.velocity = (dx, dy)
        else:
            self.first = position
        self.seen[position] = detection
        self.last = position
        self.frames += 1


class Tracker:
    """Tracks of one camera."""

    def __init__(
        self, thresholds: Thresholds, *, memory: int, max_missed: int, first_number: int = 0
    ) -> None:
        """`memory`: frames that a track remembers. `max_missed`: frames that it may be missing.

        `first_number`: number of the first track.
        """
        self.tracks: list[Track] = []
        self.next_number = first_number
        self._least = ConfidenceAt(thresholds, _LEAST_MARGIN)
        self._near = ConfidenceAt(thresholds, _FIRST_ROUND_MARGIN)
        self._memory = memory
        self._max_missed = max_missed
        self._position = -1

    def update(self, detections: Sequence[Detection]) -> int:
        """Add the next frame's detections, most confident first, and return its position."""
        self._position += 1
        now = self._position
        near: list[Detection] = []
        faint: list[Detection] = []
        for detection in self._least.reached_by(detections[:MOST_DETECTIONS]):
            is_near = detection.confidence >= self._near[detection.label]
            (near if is_near else faint).append(detection)
        alive = [t for t in self.tracks if now - t.last <= self._max_missed + 1]
        places = _expected(alive, now)
        unmatched, places = self._match(near, places, now)
        rest, places = self._match(faint, places, now)
        for detection in self._match_by_distance(unmatched + rest, places, now):
            track = Track(self.next_number)
            track.add(now, detection)
            self.tracks.append(track)
            self.next_number += 1
        self._forget(now)
        return now

    def _match(
        self, detections: list[Detection], places: list[tuple[Track, Corners]], now: int
    ) -> tuple[list[Detection], list[tuple[Track, Corners]]]:
        """Match each detection to the free track that it overlaps most; return what is left."""
        if not detections or not places:
            return detections, places
        others = np.array([corners for _, corners in places], np.float32)
        overlap = _iou(_array([d.box for d in detections]), others)
        cells = np.flatnonzero(overlap >= MATCH_IOU)
        rows, columns = np.divmod(cells, len(places))
        numbers: dict[str, int] = {}
        own, known = (
            np.array([numbers.setdefault(label, len(numbers)) for label in labels])
            for labels in (
                [each.label for each in detections],
                [track.seen[track.last].label for track, _ in places],
            )
        )
        weight = overlap.ravel()[cells] + SAME_LABEL_BONUS * (own[rows] == known[columns])
        best = np.argsort(-weight, kind="stable")
        pairs = zip(rows[best].tolist(), columns[best].tolist(), strict=True)
        return _assign(pairs, detections, places, now)

    def _match_by_distance(
        self, detections: list[Detection], places: list[tuple[Track, Corners]], now: int
    ) -> list[Detection]:
        """Match what no overlap explains: an object that was seen once and moves fast."""
        young = [(t, corners) for t, corners in places if t.velocity is None and t.last == now - 1]
        if not detections or not young:
            return detections
        boxes = _array([d.box for d in detections])
        others = np.array([corners for _, corners in young], np.float32)
        sizes, other_sizes = boxes[:, 2:] - boxes[:, :2], others[:, 2:] - others[:, :2]
        larger = np.maximum(sizes[:, None], other_sizes[None])
        smaller = np.minimum(sizes[:, None], other_sizes[None])
        shift = (
            boxes[:, None, :2] + boxes[:, None, 2:] - others[None, :, :2] - others[None, :, 2:]
        ) / 2
        steps = np.hypot(shift[..., 0], shift[..., 1]) / np.maximum(larger.max(axis=2), 1e-6)
        fits = (steps <= _REACH) & (larger <= _SIZE_RATIO * smaller).all(axis=2)
        pairs = sorted((float(steps[i, j]), i, j) for i, j in np.argwhere(fits).tolist())
        return _assign([(i, j) for _, i, j in pairs], detections, young, now)[0]

    def _forget(self, now: int) -> None:
        oldest = now - self._memory + 1
        self.tracks = [track for track in self.tracks if track.last >= oldest]
        for track in self.tracks:
            track.seen.pop(oldest - 1, None)


def _expected(tracks: Sequence[Track], now: int) -> list[tuple[Track, Corners]]:
    """Where each track should be now."""
    known = [t for t in tracks if t.velocity is not None]
    young = [t for t in tracks if t.velocity is None]
    borrowed = _velocities_beside(young, known) if known else [(0.0, 0.0)] * len(young)
    velocity_of = {t.number: velocity for t, velocity in zip(young, borrowed, strict=True)}
    return [(t, t.expected(now, t.velocity or velocity_of[t.number])) for t in tracks]


def _velocities_beside(
    young: Sequence[Track], known: Sequence[Track]
) -> Sequence[tuple[float, float]]:
    """Return for each of the young tracks the median velocity of its nearest neighbours."""
    if not young:
        return []
    centres = np.array([_centre(t.seen[t.last].box) for t in known])
    own = np.array([_centre(t.seen[t.last].box) for t in young])
    distances = np.abs(own[:, None] - centres).sum(axis=2)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :_NEIGHBOURS]
    beside = np.sort(np.array([t.velocity for t in known])[nearest], axis=1)
    count = beside.shape[1]
    medians = (beside[:, (count - 1) // 2] + beside[:, count // 2]) / 2
    return [(dx, dy) for dx, dy in medians.tolist()]


def _assign(
    pairs: Iterable[tuple[int, int]],
    detections: list[Detection],
    places: list[tuple[Track, Corners]],
    now: int,
) -> tuple[list[Detection], list[tuple[Track, Corners]]]:
    """Give each track at most one detection, the best pair first; return what is left."""
    detections_left, tracks_left = set(range(len(detections))), set(range(len(places)))
    for i, j in pairs:
        if i in detections_left and j in tracks_left:
            places[j][0].add(now, detections[i])
            detections_left.remove(i)
            tracks_left.remove(j)
    return [detections[i] for i in sorted(detections_left)], [
        places[j] for j in sorted(tracks_left)
    ]


def iou_matrix(a: Sequence[Box], b: Sequence[Box]) -> FloatArray:
    """Return the intersection over union of each pair, `[len(a), len(b)]`, 0 to 1."""
    left = _array(a)
    return _iou(left, left if a is b else _array(b))


def _iou(left: FloatArray, right: FloatArray) -> FloatArray:
    x_min = np.maximum(left[:, None, 0], right[None, :, 0])
    y_min = np.maximum(left[:, None, 1], right[None, :, 1])
    x_max = np.minimum(left[:, None, 2], right[None, :, 2])
    y_max = np.minimum(left[:, None, 3], right[None, :, 3])
    inner = np.maximum(x_max - x_min, 0) * np.maximum(y_max - y_min, 0)
    areas = _areas(left)[:, None] + _areas(right)[None, :]
    return np.asarray(inner / np.maximum(areas - inner, 1e-6), np.float32)


def _areas(boxes: FloatArray) -> FloatArray:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.float32)


def _array(boxes: Sequence[Box]) -> FloatArray:
    return np.array([(b.x_min, b.y_min, b.x_max, b.y_max) for b in boxes], np.float32)


def _centre(box: Box) -> tuple[float, float]:
    return (box.x_min + box.x_max) / 2, (box.y_min + box.y_max) / 2
