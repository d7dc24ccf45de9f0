"""Which captures are evicted when the disk budget is reached, and how weights change.

Captures of the lane `auto` are evicted before all others, lowest value first: no person would look
at them, and the camera will show the like again.

Two classes share the disk. Captures that rules chose are evicted by value, lowest first. Random
captures are evicted by the random tag in their id, whatever they show, so that the remaining ones
are still a random sample; each then stands for more seconds (`InclusionProbabilities`). A random
capture that was sent and not confirmed may be stored at the endpoint already, with the weight it
had then, so it is evicted after all other random captures. The class that exceeds its share is
evicted from first; requested captures are evicted when nothing else is left.

New captures are candidates like all others, so a new capture never displaces a more valuable one.
"""

import heapq
import json
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from sortedcontainers import SortedKeyList

from agent.domain import LANES, EvictionClass, SpoolEntry
from agent.record.file_format import occupied_bytes

INCLUSION_NOTE = "thinning"
"""Name of the note that has the text of `InclusionProbabilities`; the name on disk."""


class EvictionQueue:
    """The waiting captures in eviction order. Claimed captures are not in it."""

    def __init__(
        self, entries: Iterable[SpoolEntry] = (), *, attempted: Container[str] = ()
    ) -> None:
        """`attempted`: ids of captures that were sent before and not confirmed."""
        by_class: dict[EvictionClass, list[SpoolEntry]] = {kind: [] for kind in EvictionClass}
        for entry in entries:
            by_class[_class_of(entry)].append(entry)
        random = by_class[EvictionClass.BY_TAG]
        # Sorted in one go: up to 100,000 may wait.
        self._chosen = SortedKeyList(by_class[EvictionClass.BY_VALUE], key=_by_value)
        self._random = SortedKeyList((e for e in random if e.id not in attempted), key=_by_tag)
        # Random captures too; their weight is fixed.
        self._attempted = SortedKeyList((e for e in random if e.id in attempted), key=_by_tag)
        self._requested = SortedKeyList(by_class[EvictionClass.LAST], key=_by_age)
        self._auto = SortedKeyList(by_class[EvictionClass.FIRST], key=_by_value)
        self.random_bytes = sum(map(_random_bytes, random))

    def add(self, entry: SpoolEntry, *, is_attempted: bool = False) -> None:
        """Make an entry a candidate."""
        is_fixed = is_attempted and _class_of(entry) is EvictionClass.BY_TAG
        (self._attempted if is_fixed else self._queue_of(entry)).add(entry)
        self.random_bytes += _random_bytes(entry)

    def remove(self, entry: SpoolEntry) -> None:
        """Remove an entry. Raises `ValueError` when it is not in the queue."""
        self._queue_of(entry).remove(entry)
        self.random_bytes -= _random_bytes(entry)

    def plan(
        self, new_captures: Iterable[SpoolEntry], *, excess: int, random_quota: int
    ) -> list[SpoolEntry]:
        """Choose the captures to evict so that at least `excess` bytes become free.

        New captures compete on equal terms: do not store one that is in the result. The result is
        the shortest prefix of the eviction order that frees enough, or all candidates if all are
        not enough. Changes nothing.
        """
        new = EvictionQueue(new_captures)
        return _choose(
            _Queues(
                heapq.merge(self._auto, new._auto, key=_by_value),
                heapq.merge(self._chosen, new._chosen, key=_by_value),
                chain(heapq.merge(self._random, new._random, key=_by_tag), self._attempted),
                heapq.merge(self._requested, new._requested, key=_by_age),
            ),
            excess=excess,
            random_excess=self.random_bytes + new.random_bytes - random_quota,
        )

    def _queue_of(self, entry: SpoolEntry) -> SortedKeyList:
        match _class_of(entry):
            case EvictionClass.BY_TAG:
                return self._attempted if entry in self._attempted else self._random
            case EvictionClass.LAST:
                return self._requested
            case EvictionClass.FIRST:
                return self._auto
            case EvictionClass.BY_VALUE:
                return self._chosen


@dataclass(frozen=True, slots=True)
class _Queues:
    """Candidates of each class, each in eviction order."""

    auto: Iterator[SpoolEntry]
    chosen: Iterator[SpoolEntry]
    random: Iterator[SpoolEntry]
    requested: Iterator[SpoolEntry]


def _choose(queues: _Queues, *, excess: int, random_excess: int) -> list[SpoolEntry]:
    evicted: list[SpoolEntry] = []
    freed = random_freed = 0
    while freed < excess:
        random_first = random_freed < random_excess
        order = (queues.random, queues.chosen) if random_first else (queues.chosen, queues.random)
        in_order = (queues.auto, *order, queues.requested)
        entry = next(chain.from_iterable(in_order), None)
        if entry is None:
            break
        evicted.append(entry)
        freed += occupied_bytes(entry)
        random_freed += _random_bytes(entry)
    return evicted


class InclusionProbabilities:
    """The probability with which each random capture remained in the sample.

    The random capture with the highest tag, a uniform number in [0, 1), is evicted first. A capture
    that waited when a tag `t` was evicted stayed because its own tag was below `t`: its inclusion
    probability is the lowest such `t`, and its weight is divided by it (rank-conditioned
    Horvitz-Thompson estimator: Duffield, Lund, Thorup, Journal of the ACM 54(6), 2007).
    """

    def __init__(self, steps: Iterable[tuple[int, float]] = ()) -> None:
        # (sequence of the next capture at the eviction, tag): both strictly increase, because an
        # eviction with a lower tag supersedes all earlier ones with a higher tag.
        self._steps = list(steps)

    @classmethod
    def from_text(cls, text: str) -> "InclusionProbabilities":
        """Parse what `text` returned."""
        return cls((int(sequence), float(tag)) for sequence, tag in json.loads(text))

    @property
    def text(self) -> str:
        """The steps as JSON, for the index."""
        return json.dumps(self._steps)

    def after_eviction(self, tag: float, next_sequence: int) -> "InclusionProbabilities":
        """Return the probabilities after one more random eviction; do not change this object."""
        steps = [step for step in self._steps if step[1] < tag]
        return InclusionProbabilities([*steps, (next_sequence, tag)])

    def probability_of(self, sequence: int) -> float:
        """Return the inclusion probability, in (0, 1], of a random capture by its sequence."""
        return min((tag for before, tag in self._steps if sequence < before), default=1.0)


def _random_bytes(entry: SpoolEntry) -> int:
    return occupied_bytes(entry) if _class_of(entry) is EvictionClass.BY_TAG else 0


def _class_of(entry: SpoolEntry) -> EvictionClass:
    return LANES[entry.lane].eviction


def _by_value(entry: SpoolEntry) -> tuple[float, int]:
    return entry.value, entry.sequence


def _by_tag(entry: SpoolEntry) -> float:
    return -entry.random_tag


def _by_age(entry: SpoolEntry) -> int:
    return entry.sequence
