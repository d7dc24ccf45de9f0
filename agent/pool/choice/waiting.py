"""The candidates that wait, as one upper bound of the value each."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from agent.pool.candidates import Candidate, Shard

Turn = tuple[float, int]
"""The bound, negated, and the rank: the lowest comes first."""

LAST: Turn = (np.inf, 0)
"""Comes after every candidate."""

GONE = -1.0
"""The bound of a candidate that does not wait any more."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """All candidates of a pool by rank: their place in the order of keys."""

    shards: Sequence[Shard]
    bounds: NDArray[np.float64]  # of the value; `GONE`
    cameras: NDArray[np.int32]  # numbers
    shard: NDArray[np.int32]
    number: NDArray[np.int32]  # in the shard
    is_degraded: NDArray[np.bool_]
    is_out: NDArray[np.bool_]  # it may not be chosen: of its camera, or degraded, there are enough

    def highest(self, most: int) -> tuple[NDArray[np.intp], Turn]:
        """Return the ranks of the candidates whose turn comes first, ascending, and the next turn.

        Of equal bounds those with the lowest ranks come first.
        """
        bounds = np.where(self.is_out, GONE, self.bounds)
        waiting = int(np.count_nonzero(bounds > GONE))
        if waiting <= most:
            return np.flatnonzero(bounds > GONE), LAST
        place = len(bounds) - most
        least = float(np.partition(bounds, place)[place])
        above = np.flatnonzero(bounds > least)
        equal = np.flatnonzero(bounds == least)
        room = most - len(above)
        ranks = np.sort(np.concatenate([above, equal[:room]]))
        if len(equal) > room:
            return ranks, (-least, int(equal[room]))
        following = float(bounds[bounds < least].max())
        return ranks, (-following, int(np.flatnonzero(bounds == following)[0]))

    def fetch(self, ranks: NDArray[np.intp]) -> Iterator[tuple[int, Candidate]]:
        """Yield the candidates with these ranks, ascending within each shard."""
        shards = self.shard[ranks]
        for shard in np.unique(shards).tolist():
            there = ranks[shards == shard]
            found = self.shards[shard].fetch(self.number[there].tolist())
            yield from zip(there.tolist(), found, strict=True)

    def sum_of_highest(
        self, count: int, per_camera: int | None = None, degraded: int | None = None
    ) -> float:
        """Return what the sum of `count` bounds does not exceed within these limits.

        It is the highest such sum, unless both limits count: then it is the lower one of two that
        leave out one limit each, the second that of cameras between degraded images and others.
        """
        ranks = np.flatnonzero(self.bounds > 0)
        most = _sum_of(self._highest(ranks, per_camera), count)
        if degraded is None:
            return most
        dark = self.is_degraded[ranks]
        few = _most_of(self._highest(ranks[dark], per_camera), degraded)
        return min(most, _sum_of(np.append(self._highest(ranks[~dark], per_camera), few), count))

    def _highest(self, ranks: NDArray[np.intp], per_camera: int | None) -> NDArray[np.float64]:
        """Return the bounds of some candidates, the highest `per_camera` of each camera."""
        bounds = self.bounds[ranks]
        if per_camera is not None and len(ranks):
            order = np.lexsort((-bounds, self.cameras[ranks]))
            cameras = self.cameras[ranks][order]
            starts = np.flatnonzero(np.append(np.True_, cameras[1:] != cameras[:-1]))
            lengths = np.diff(np.append(starts, len(order)))
            places = np.arange(len(order)) - np.repeat(starts, lengths)
            bounds = bounds[order][places < per_camera]
        return bounds


def _most_of(bounds: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the `count` highest bounds."""
    if not 0 < count < len(bounds):
        return bounds[:count]
    return np.partition(bounds, len(bounds) - count)[len(bounds) - count :]


def _sum_of(bounds: NDArray[np.float64], count: int) -> float:
    return float(_most_of(bounds, count).sum())


def read_all(
    shards: Sequence[Shard], bound: Callable[[Candidate], float], camera: Callable[[str], int]
) -> Waiting:
    """Read all candidates once, in the order of their keys.

    Of each the `bound` is kept, the number of its `camera`, and whether it is degraded.
    """
    bounds, cameras, degraded = array("d"), array("i"), bytearray()
    places = array("i"), array("i")
    for shard, number, candidate in _in_order(shards):
        bounds.append(bound(candidate))
        cameras.append(camera(candidate.view.camera))
        degraded.append(candidate.is_degraded)
        places[0].append(shard)
        places[1].append(number)
    return Waiting(
        shards,
        np.frombuffer(bounds, np.float64) if bounds else np.zeros(0),
        _numbers(cameras),
        _numbers(places[0]),
        _numbers(places[1]),
        np.frombuffer(degraded, np.bool_) if degraded else np.zeros(0, np.bool_),
        np.zeros(len(bounds), np.bool_),
    )


def _numbers(values: "array[int]") -> NDArray[np.int32]:
    return np.frombuffer(values, np.int32) if values else np.zeros(0, np.int32)


def _in_order(shards: Sequence[Shard]) -> Iterator[tuple[int, int, Candidate]]:
    """Yield all candidates with shard and number, by key; a shard is opened when it begins."""
    coming = sorted(
        ((shard.fetch([0])[0].key, index) for index, shard in enumerate(shards) if len(shard)),
        reverse=True,
    )
    # The key, shard and number are unique, so that no candidate is compared.
    opened: list[tuple[str, int, int, Candidate, Iterator[Candidate]]] = []
    while coming or opened:
        while coming and (not opened or coming[-1][0] <= opened[0][0]):
            index = coming.pop()[1]
            rest = iter(shards[index])
            first = next(rest)
            heappush(opened, (first.key, index, 0, first, rest))
        key, index, number, candidate, rest = heappop(opened)
        yield index, number, candidate
        following = next(rest, None)
        if following is not None:
            if following.key < key:
                raise ValueError(f"shard {index} is not sorted by key: {following.key}")
            heappush(opened, (following.key, index, number + 1, following, rest))
