"""Takes in each step the candidate that adds most to what was chosen before."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from math import inf
from types import MappingProxyType

import numpy as np

from agent.pool.candidates import Candidate, Shard
from agent.pool.choice.valuation import Held, Valuation, Value
from agent.pool.choice.waiting import GONE, LAST, Turn, read_all
from agent.pool.choices import Bounds, Choice, NearDuplicate, Pick

FOLLOWING = 20
"""Candidates that would come next, whose values are told."""

_TIMES_BOUNDED = 20  # while choosing

MOST_NAMED = 10_000
"""Near-duplicates that are named; all are counted."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much memory and time the choice may take."""

    memory: int = 50_000  # candidates whose views are held: about 4 kB each
    exact: int = 1_000_000
    """Valuations, or five for each candidate if that is more, in which each step is exact. After
    them a step takes the first candidate that adds at least `1 - loss` of the most."""
    loss: float = 0.01


def choose(
    shards: Sequence[Shard],
    bounds: Bounds,
    covered: Iterable[Candidate] = (),
    *,
    weights: Mapping[str, float] = MappingProxyType({}),
    effort: Effort = Effort(),
    told: Callable[[int], None] | None = None,
) -> Choice:
    """Choose up to `bounds.take` candidates, each the one with the highest value at its turn.

    The choice depends on the candidates alone, not on how they are divided into shards. Of equal
    values the lowest key comes first. Fewer are chosen where fewer are within the bounds and no
    near-duplicates.

    Args:
        shards: The candidates; each shard is sorted by key.
        bounds: How many are wanted.
        covered: What was shown before; it is not chosen again.
        weights: What the suspects of a label count; 1 for others.
        effort: Of the computer.
        told: Is called with the number of images that are chosen so far.
    """
    return _Greedy(shards, bounds, covered, weights=weights, effort=effort).run(told)


@dataclass(slots=True)
class _Found:
    picks: list[Pick] = field(default_factory=list)
    near: list[NearDuplicate] = field(default_factory=list)
    near_count: int = 0
    shown_before: int = 0
    valuations: int = 0
    exact: int = 0
    least_step: float = 1.0


class _Greedy:
    def __init__(
        self,
        shards: Sequence[Shard],
        bounds: Bounds,
        covered: Iterable[Candidate],
        *,
        weights: Mapping[str, float],
        effort: Effort,
    ) -> None:
        self._bounds = bounds
        self._effort = effort
        self._valuation = Valuation(weights)
        for label, most in bounds.labels.items():
            if most <= 0:
                self._valuation.close(label)
        for candidate in covered:
            self._valuation.add(candidate)
        self._found = _Found()
        self._names: dict[str, int] = {}  # of cameras
        self._of_camera: Counter[int] = Counter()
        self._of_label: Counter[str] = Counter()
        self._degraded = 0  # that are chosen
        self._is_class_full = False
        self._waiting = read_all(shards, self._first_bound, self._number_of)
        if not bounds.most_degraded:
            self._waiting.is_out[self._waiting.is_degraded] = True
        self._most = inf
        self._exact = max(effort.exact, 5 * len(self._waiting.bounds)) if effort.exact else 0
        self._held: dict[int, Held] = {}
        self._heap: list[Turn] = []
        self._edge = LAST  # the first turn of those that are not held

    def run(self, told: Callable[[int], None] | None) -> Choice:
        """Choose."""
        found, take = self._found, self._bounds.take
        self._load()
        self._bound_others()
        while len(found.picks) < take and self._step():
            if told is not None:
                told(len(found.picks))
            if not len(found.picks) % (take // _TIMES_BOUNDED + 1):
                self._bound_others()
        self._bound_others()
        picks = tuple(found.picks)
        counted = found.near_count, tuple(found.near), found.exact, found.least_step
        while len(found.picks) < take + FOLLOWING and self._step():
            pass
        near_count, near, exact, least = counted
        return Choice(
            picks,
            self._most,
            near_count,
            tuple(each.value for each in found.picks[len(picks) :]),
            shown_before=found.shown_before,
            named_duplicates=near,
            exact=exact,
            least_step=least,
            valuations=found.valuations,
        )

    def _first_bound(self, candidate: Candidate) -> float:
        if candidate.is_unusable:
            return GONE
        if self._valuation.images.has(candidate):
            self._found.shown_before += 1
            return GONE
        return self._valuation.most(candidate)

    def _number_of(self, camera: str) -> int:
        return self._names.setdefault(camera, len(self._names))

    def _load(self) -> None:
        """Hold the candidates whose turn comes first."""
        ranks, self._edge = self._waiting.highest(self._effort.memory)
        wanted = set(ranks.tolist())
        self._held = {rank: held for rank, held in self._held.items() if rank in wanted}
        missing = [rank for rank in ranks.tolist() if rank not in self._held]
        for rank, candidate in self._waiting.fetch(np.array(missing, np.intp)):
            self._held[rank] = Held(candidate)
        self._heap = [(-float(self._waiting.bounds[rank]), rank) for rank in self._held]
        heapify(self._heap)

    def _step(self) -> bool:
        """Choose one candidate; False if there is none left."""
        while True:
            while not self._heap or self._heap[0] > self._edge:
                if self._edge == LAST:
                    return False
                self._load()
            _, rank = heappop(self._heap)
            if self._waiting.is_out[rank]:
                continue
            held = self._held[rank]
            value = self._valuation.value(held)
            self._found.valuations += 1
            if value.like is not None:
                self._note_duplicate(rank, value.like)
                continue
            self._waiting.bounds[rank] = value.value
            turn = -value.value, rank
            following = min(self._heap[0], self._edge) if self._heap else self._edge
            if turn < following or self._is_enough(value.value, -following[0]):
                self._take(rank, value, most=max(value.value, -following[0]))
                return True
            heappush(self._heap, turn)

    def _is_enough(self, value: float, most: float) -> bool:
        """Return whether a step may take this value though another may have up to `most`."""
        return self._found.valuations > self._exact and value >= (1 - self._effort.loss) * most

    def _take(self, rank: int, value: Value, most: float) -> None:
        """Choose a candidate; no other adds more than `most`."""
        candidate = self._held.pop(rank).candidate
        label = _label_of(candidate, value.added)
        self._found.picks.append(Pick(candidate.key, candidate.id, value.value, value.added, label))
        if value.value < most:
            self._found.least_step = min(self._found.least_step, value.value / most)
        else:
            self._found.exact += 1
        self._waiting.bounds[rank] = GONE
        self._valuation.add(candidate)
        camera = int(self._waiting.cameras[rank])
        self._of_camera[camera] += 1
        if self._of_camera[camera] == self._bounds.per_camera:
            self._waiting.is_out[self._waiting.cameras == camera] = True
        self._degraded += candidate.is_degraded
        if candidate.is_degraded and self._degraded == self._bounds.most_degraded:
            self._waiting.is_out[self._waiting.is_degraded] = True
        self._of_label[label] += 1
        limit = self._bounds.labels.get(label, self._bounds.per_class) if label else None
        if self._of_label[label] == limit:
            self._valuation.close(label)
            self._is_class_full = True

    def _note_duplicate(self, rank: int, like: int) -> None:
        candidate = self._held.pop(rank).candidate
        self._waiting.bounds[rank] = GONE
        self._found.near_count += 1
        if len(self._found.near) < MOST_NAMED:
            self._found.near.append(
                NearDuplicate(candidate.key, candidate.id, self._valuation.images.keys[like])
            )

    def _bound_others(self) -> None:
        """Lower what no other choice within the bounds exceeds, as `Choice.most` says.

        It shows at most what was chosen so far, and what its own images add to that. The best such
        bound is not always that of the whole choice (Leskovec et al. 2007, "Cost-effective outbreak
        detection in networks").
        """
        if self._is_class_full:  # others of a full class count in other choices
            return
        so_far = sum(each.value for each in self._found.picks)
        limits = self._bounds.per_camera, self._bounds.most_degraded
        rest = self._waiting.sum_of_highest(self._bounds.take, *limits)
        self._most = min(self._most, so_far + rest)


def _label_of(candidate: Candidate, added: Sequence[float]) -> str:
    """Return the label whose suspects add most; of equal ones the first by name."""
    by_label: dict[str, float] = {}
    for place, more in zip(candidate.view.places, added, strict=True):
        by_label[place.label] = by_label.get(place.label, 0.0) + more
    label = min(by_label, key=lambda name: (-by_label[name], name), default="")
    return label if by_label.get(label) else ""
