"""A light multi-object tracker for the temporal rules.

Detections are matched to tracks by their overlap with the track's predicted box, confident ones
first (the two rounds of ByteTrack, Zhang et al., ECCV 2022). A detection may have another label
than its track, because the rule `class_flip` looks for labels that change.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.domain import Box, Detection, FloatArray

MATCH_IOU = 0.2
"""Least overlap of a detection with the predicted box of its track."""
SAME_LABEL = 0.1
"""Bonus on the overlap if labels are equal, so that objects that cross keep their tracks."""
MOST_DETECTIONS = 60  # of a frame; the most confident ones take part
FAINT = 0.1  # confidence; a fainter detection may continue a track but starts none
BELIEVED = 0.25  # confidence; a track that never reached it is clutter, and ends when first missed


@dataclass(slots=True)
class Track:
    """One object over time. Positions count the tracker's frames, from 0."""

    number: int
    seen: dict[int, Detection] = field(
        default_factory=dict
    )  # in the remembered frames, by position
    first: int = 0
    last: int = 0
    frames: int = 0  # frames in which it was seen, in its whole life
    best: float = 0.0  # highest confidence in its whole life
    velocity: tuple[float, float] = (0.0, 0.0)  # pixels per frame, of the centre

    @property
    def label(self) -> str:
        """The label of its latest detection."""
        return self.seen[self.last].label

    def expected(self, position: int) -> Box:
        """Return its predicted box at a later position."""
        box, ahead = self.seen[self.last].box, position - self.last
        dx, dy = self.velocity[0] * ahead, self.velocity[1] * ahead
        return Box(box.x_min + dx, box.y_min + dy, box.x_max + dx, box.y_max + dy)

    def add(self, position: int, detection: Detection) -> None:
        """Append a detection."""
        if self.frames:
            step = position - self.last
            old, new = _centre(self.seen[self.last].box), _centre(detection.box)
            moved = ((new[0] - old[0]) / step, (new[1] - old[1]) / step)
            self.velocity = (
                0.5 * self.velocity[0] + 0.5 * moved[0],
                0.5 * self.velocity[1] + 0.5 * moved[1],
            )
        else:
            self.first = position
        self.seen[position] = detection
        self.last = position
        self.frames += 1
        self.best = max(self.best, detection.confidence)


class Tracker:
    """Tracks of one camera. `memory` is the number of frames that are remembered."""

    def __init__(self, *, memory: int, max_missed: int) -> None:
        """A track that was not seen in more than `max_missed` consecutive frames has ended."""
        self.tracks: list[Track] = []
        self._memory = memory
        self._max_missed = max_missed
        self._position = -1
        self._made = 0

    def update(self, detections: Sequence[Detection]) -> int:
        """Take the next frame's detections, most confident first; return its position."""
        self._position += 1
        now = self._position
        taken = list(detections[:MOST_DETECTIONS])
        sure = [d for d in taken if d.confidence >= 2 * FAINT]
        faint = [d for d in taken if d.confidence < 2 * FAINT]
        alive = [
            t
            for t in self.tracks
            if now - t.last <= (self._max_missed + 1 if t.best >= BELIEVED else 1)
        ]
        unmatched = self._match(sure, alive, now)
        rest = [t for t in alive if t.last != now]
        unmatched += self._match(faint, rest, now)
        for detection in unmatched:
            if detection.confidence >= FAINT:
                track = Track(self._made)
                track.add(now, detection)
                self.tracks.append(track)
                self._made += 1
        self._forget(now)
        return now

    def _match(self, detections: list[Detection], tracks: list[Track], now: int) -> list[Detection]:
        """Match detections to tracks, largest overlap first; return the unmatched detections."""
        if not detections or not tracks:
            return detections
        overlap = iou_matrix(
            [detection.box for detection in detections], [t.expected(now) for t in tracks]
        )
        rows, columns = (each.tolist() for each in np.nonzero(overlap >= MATCH_IOU))
        pairs = [
            (
                -float(overlap[i, j]) - SAME_LABEL * (tracks[j].label == detections[i].label),
                i,
                j,
            )
            for i, j in zip(rows, columns, strict=True)
        ]
        unmatched = set(range(len(detections)))
        free = set(range(len(tracks)))
        for _, i, j in sorted(pairs):
            if i in unmatched and j in free:
                tracks[j].add(now, detections[i])
                unmatched.remove(i)
                free.remove(j)
        return [detections[i] for i in sorted(unmatched)]

    def _forget(self, now: int) -> None:
        oldest = now - self._memory + 1
        self.tracks = [track for track in self.tracks if track.last >= oldest]
        for track in self.tracks:
            track.seen.pop(oldest - 1, None)


def iou_matrix(a: Sequence[Box], b: Sequence[Box]) -> FloatArray:
    """Return the intersection over union of each pair, `[len(a), len(b)]`, 0 to 1."""
    left, right = _array(a), _array(b)
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
