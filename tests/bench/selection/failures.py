"""What a labeller would find in a frame: missed objects and false boxes, numbered by episode.

A failure lasts for many frames, and one labelled frame shows it. So failures are counted once: an
episode is one object that is missed, or one chain of overlapping false boxes; gaps of up to two
seconds do not end it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.domain import Box, Detection, FloatArray, Observation
from agent.selection.tracker import iou_matrix

GAP_S = 2.0
MATCH_IOU = 0.5  # of a detection and the object that it reports
_CHAIN_IOU = 0.3  # of a false box and the one before


@dataclass(frozen=True, slots=True)
class Failure:
    """One error of the model in one frame."""

    episode: int
    box: Box | None = None  # None = the whole frame


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame as the selection sees it, and the failures that a label of it would show."""

    observation: Observation
    failures: tuple[Failure, ...] = ()

    @property
    def episodes(self) -> frozenset[int]:
        return frozenset(each.episode for each in self.failures)


@dataclass(frozen=True, slots=True)
class Truth:
    """The labels of one frame."""

    objects: tuple[tuple[int, Box], ...] = ()  # track and place
    ignored: tuple[Box, ...] = ()  # neither missed if there is no box, nor false if there is one


@dataclass
class Episodes:
    """Numbers the failures of one sequence, whose frames must come in order."""

    gap: int  # frames
    next_number: int = 0
    _missed: dict[int, tuple[int, int]] = field(default_factory=dict)  # by track: frame, episode
    _chains: list[tuple[int, Box, int]] = field(default_factory=list)  # frame, box, episode

    def failures(
        self, n: int, detections: Sequence[Detection], truth: Truth
    ) -> tuple[Failure, ...]:
        """Return the failures of frame `n`; `detections` are those that the application acts on.

        The most confident detection chooses first among the objects that are still free.
        """
        overlap = overlaps([d.box for d in detections], [box for _, box in truth.objects])
        beside = overlaps([d.box for d in detections], truth.ignored)
        free = set(range(len(truth.objects)))
        found = []
        for row, detection in enumerate(detections):
            best = max(free, key=lambda column: overlap[row, column], default=None)
            if best is not None and overlap[row, best] >= MATCH_IOU:
                free.remove(best)
            elif not (beside[row] >= MATCH_IOU).any():
                found.append(Failure(self._false(n, detection.box), detection.box))
        for column in sorted(free):
            track, box = truth.objects[column]
            found.append(Failure(self._miss(n, track), box))
        return tuple(found)

    def _miss(self, n: int, track: int) -> int:
        last, episode = self._missed.get(track, (-self.gap - 1, -1))
        if n - last > self.gap:
            episode = self._new()
        self._missed[track] = n, episode
        return episode

    def _false(self, n: int, box: Box) -> int:
        for at, (last, before, episode) in enumerate(self._chains):
            if n - last <= self.gap and overlaps([box], [before])[0, 0] > _CHAIN_IOU:
                self._chains[at] = n, box, episode
                return episode
        episode = self._new()
        self._chains.append((n, box, episode))
        return episode

    def _new(self) -> int:
        self.next_number += 1
        return self.next_number - 1


def overlaps(a: Sequence[Box], b: Sequence[Box]) -> FloatArray:
    """Return the intersection over union of each pair, `[len(a), len(b)]`; either may be empty."""
    return iou_matrix(a, b) if a and b else np.zeros((len(a), len(b)), np.float32)
