"""Which captures leave when the disk budget is reached, and what that does to the random sample.

Two classes share the disk. Captures that rules chose leave by value, the lowest first. Random
captures leave by the tag drawn with their id, whatever they show, so that those that stay are still
a random sample; each then stands for more seconds (`InclusionProbabilities`). What was sent before
and not delivered may be at the endpoint already, with the weight that it had then: of the random
captures it leaves last. The class that is over its share gives; requested captures leave when
nothing else is left.

New captures are candidates like all others, so none ever displaces a more valuable one.
"""

import heapq
import json
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from sortedcontainers import SortedKeyList

from agent.domain import LANES, EvictionClass, SpoolEntry
from agent.record.file_format import occupied_bytes


class EvictionQueue:
    """The waiting captures in the order in which they may leave. Claimed ones are not in it."""

    def __init__(self, entries: Iterable[SpoolEntry] = (), *, tried: Container[str] = ()) -> None:
        """`tried`: ids of captures that were sent before and not delivered."""
        by_class: dict[EvictionClass, list[SpoolEntry]] = {kind: [] for kind in EvictionClass}
        for entry in entries:
            by_class[_class_of(entry)].append(entry)
        random = by_class[EvictionClass.BY_TAG]
        # Sorted at once: many may wait.
        self._chosen = SortedKeyList(by_class[EvictionClass.BY_VALUE], key=_by_value)
        self._random = SortedKeyList((e for e in random if e.id not in tried), key=_by_tag)
        # Random ones too, whose weight is fixed.
        self._tried = SortedKeyList((e for e in random if e.id in tried), key=_by_tag)
        self._requested = SortedKeyList(by_class[EvictionClass.LAST], key=_by_age)
        self.random_bytes = sum(map(_random_bytes, random))

    def add(self, entry: SpoolEntry, *, is_tried: bool = False) -> None:
        """Make an entry a candidate."""
        is_fixed = is_tried and _class_of(entry) is EvictionClass.BY_TAG
        (self._tried if is_fixed else self._leaving(entry)).add(entry)
        self.random_bytes += _random_bytes(entry)

    def remove(self, entry: SpoolEntry) -> None:
        """Take an entry out; raises `ValueError` when it is not there."""
        self._leaving(entry).remove(entry)
        self.random_bytes -= _random_bytes(entry)

    def plan(
        self, newcomers: Iterable[SpoolEntry], *, excess: int, random_quota: int
    ) -> list[SpoolEntry]:
        """Choose the captures to drop so that at least `excess` bytes become free.

        New captures compete on equal terms: one in the result is not to be stored. The result is
        the shortest prefix of the eviction order that frees enough, or all candidates when that is
        not enough. Nothing is changed.
        """
        new = EvictionQueue(newcomers)
        return _choose(
            _Queues(
                heapq.merge(self._chosen, new._chosen, key=_by_value),
                chain(heapq.merge(self._random, new._random, key=_by_tag), self._tried),
                heapq.merge(self._requested, new._requested, key=_by_age),
            ),
            excess=excess,
            random_excess=self.random_bytes + new.random_bytes - random_quota,
        )

    def _leaving(self, entry: SpoolEntry) -> SortedKeyList:
        match _class_of(entry):
            case EvictionClass.BY_TAG:
                return self._tried if entry in self._tried else self._random
            case EvictionClass.LAST:
                return self._requested
            case EvictionClass.BY_VALUE:
                return self._chosen


@dataclass(frozen=True, slots=True)
class _Queues:
    """Candidates of each class, first to leave first."""

    chosen: Iterator[SpoolEntry]
    random: Iterator[SpoolEntry]
    requested: Iterator[SpoolEntry]


def _choose(queues: _Queues, *, excess: int, random_excess: int) -> list[SpoolEntry]:
    victims: list[SpoolEntry] = []
    freed = random_freed = 0
    while freed < excess:
        random_first = random_freed < random_excess
        order = (queues.random, queues.chosen) if random_first else (queues.chosen, queues.random)
        victim = next(order[0], None) or next(order[1], None) or next(queues.requested, None)
        if victim is None:
            break
        victims.append(victim)
        freed += occupied_bytes(victim)
        random_freed += _random_bytes(victim)
    return victims


class InclusionProbabilities:
    """How much each random capture's weight grew because others were evicted.

    Random captures leave by the highest tag, a uniform number in [0, 1). A capture that was there
    when a tag `t` had to leave stayed because its own tag was below `t`: it was kept with
    probability `t`, so its weight is divided by the lowest such `t` (rank-conditioned
    Horvitz-Thompson estimator: Duffield, Lund, Thorup, Journal of the ACM 54(6), 2007).
    """

    def __init__(self, steps: Iterable[tuple[int, float]] = ()) -> None:
        # (sequence of the next capture at the eviction, tag): both strictly increase, because an
        # eviction with a lower tag hides all earlier ones with a higher tag.
        self._steps = list(steps)

    @classmethod
    def from_text(cls, text: str) -> "InclusionProbabilities":
        """Read what `text` wrote."""
        return cls((int(sequence), float(tag)) for sequence, tag in json.loads(text))

    @property
    def text(self) -> str:
        """For the index."""
        return json.dumps(self._steps)

    def evicted(self, tag: float, next_sequence: int) -> "InclusionProbabilities":
        """The account after one more random eviction; this one is not changed."""
        steps = [step for step in self._steps if step[1] < tag]
        return InclusionProbabilities([*steps, (next_sequence, tag)])

    def kept_with_probability(self, sequence: int) -> float:
        """In (0, 1]: the chance that a random capture with this sequence was still there."""
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
