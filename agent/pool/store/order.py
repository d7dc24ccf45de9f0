"""The rows in the order of their keys: who wrote which of them does not matter."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from agent.pool.candidates import Candidate
from agent.pool.items import identity
from agent.pool.rows import PoolRow
from agent.pool.store.groups import Numbers, RowGroups
from agent.pool.store.index import read_indexes
from agent.pool.store.part import sealed_parts
from agent.pool.store.schema import SCHEMA, restored, storable
from agent.pool.store.sealed import DamagedPart
from agent.pool.store.store import PartStore

_T = TypeVar("_T", bound=np.generic)

SHARD_ROWS = 65_536

_WINDOW = 2048  # rows that are in memory as objects
_VIEW = tuple(
    name for name in SCHEMA.names if name not in {"version", "record", "problem", "other_model"}
)
_FACTS = ("key", "frame", "camera", "is_degraded", "is_unusable", "problem", "other_model")
_CHECKED = 65_536  # keys that are compared at once


@dataclass(frozen=True, slots=True)
class _Places:
    """Where rows are: 8 bytes a row."""

    parts: Numbers  # `[n]`
    rows: Numbers  # `[n]`, in its part

    def __getitem__(self, chosen: slice | NDArray[np.intp] | NDArray[np.bool_]) -> "_Places":
        return _Places(self.parts[chosen], self.rows[chosen])

    def __len__(self) -> int:
        return len(self.parts)


class RowOrder:
    """All rows of a store in the order of their keys; one of each key. Raises `DamagedPart`.

    While it is made it holds all keys once, later 9 bytes of each row.
    """

    left_out: frozenset[str]
    """Keys of items that have rows which do not count: of another version, or not among `items`."""

    def __init__(self, store: PartStore, items: Collection[str] | None = None) -> None:
        """`items`: the identities of the items that count; None = all that the store has."""
        store.seal()
        self._place = store.place
        self._names = sealed_parts(store.place)
        wanted = frozenset(map(storable, items)) if items is not None else None
        keys, places, usable, lacking = [], [], [], []
        left_out: set[str] = set()
        for number, table in self._tables():
            chosen = _wanted(table, wanted, left_out)
            keys.extend(table["key"].take(pa.array(chosen)).chunks)
            places.append((np.full(len(chosen), number, np.uint32), chosen.astype(np.uint32)))
            usable.append(_usable(table)[chosen])
            lacking.append(_lacking(table)[chosen])
        self.left_out = frozenset(left_out)
        order = _sorted_once(pa.chunked_array(keys, pa.string()), _joined(lacking, np.bool_))
        self._places = _Places(
            _joined([part for part, _ in places], np.uint32)[order],
            _joined([row for _, row in places], np.uint32)[order],
        )
        self._is_usable: NDArray[np.bool_] = _joined(usable, np.bool_)[order]

    def __len__(self) -> int:
        return len(self._places)

    def shards(
        self, candidate_of: Callable[[PoolRow], Candidate], *, size: int = SHARD_ROWS
    ) -> list["RowShard"]:
        """Return the rows that may be chosen, without problem and usable, `size` in a shard."""
        places = self._places[self._is_usable]
        reader = partial(RowGroups, self._place, self._names, _VIEW)
        return [
            RowShard(places[begin : begin + size], reader, candidate_of)
            for begin in range(0, len(places), size)
        ]

    def facts(self) -> Iterator[PoolRow]:
        """Yield all rows with what a report counts alone: camera, quality, problem, model."""
        yield from _windows(self._places, RowGroups(self._place, self._names, _FACTS))

    def rows(self, keys: Sequence[str]) -> list[PoolRow]:
        """Return the whole rows with these keys, in the order of `keys`.

        Raises `KeyError` with one that is not there.
        """
        wanted = pa.array(map(storable, keys), pa.string())
        counting = self._counting()
        found: dict[str, PoolRow] = {}
        for number, names in self._tables():
            is_wanted = pc.and_(pc.is_in(names["key"], wanted), pc.equal(names["problem"], ""))
            places = np.flatnonzero(is_wanted.to_numpy()).astype(np.uint32)
            if counting is not None:
                places = places[_are_in(counting, _numbers(np.uint32(number), places))]
            if len(places):
                groups = RowGroups(self._place, self._names, SCHEMA.names)
                rows = groups.rows(np.full(len(places), number, np.uint32), places)
                found |= {row.key: row for row in rows}
        return [found[key] for key in keys]

    def _counting(self) -> NDArray[np.uint64] | None:
        """Return the numbers of the rows that count, sorted; None if no others are there."""
        if not self.left_out:
            return None
        return np.sort(_numbers(self._places.parts, self._places.rows))

    def _tables(self) -> Iterator[tuple[int, pa.Table]]:
        """Yield number and index of each part."""
        for number, index in enumerate(read_indexes(self._place, self._names)):
            if isinstance(index, DamagedPart):
                raise index
            yield number, index.table


class RowShard:
    """Some of the rows as candidates; it is read as often as is asked, in the order of keys."""

    def __init__(
        self,
        places: _Places,
        make_reader: Callable[[], RowGroups],
        candidate_of: Callable[[PoolRow], Candidate],
    ) -> None:
        self._places = places
        self._make_reader = make_reader
        self._candidate_of = candidate_of

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Candidate]:
        return map(self._candidate_of, _windows(self._places, self._make_reader()))

    def fetch(self, numbers: Sequence[int]) -> list[Candidate]:
        """Return the candidates with these places in the order, ascending."""
        places = self._places[np.asarray(numbers, np.intp)]
        return list(map(self._candidate_of, _windows(places, self._make_reader())))


def shards(store: PartStore, candidate_of: Callable[[PoolRow], Candidate]) -> list[RowShard]:
    """Return all rows that may be chosen, sorted by key, in shards."""
    return RowOrder(store).shards(candidate_of)


def _windows(places: _Places, reader: RowGroups) -> Iterator[PoolRow]:
    for begin in range(0, len(places), _WINDOW):
        window = places[begin : begin + _WINDOW]
        yield from reader.rows(window.parts, window.rows)


def _wanted(table: pa.Table, items: frozenset[str] | None, left_out: set[str]) -> NDArray[np.intp]:
    """Return the places of the rows of some items; add the keys of the others to `left_out`."""
    if items is None:
        return np.arange(table.num_rows)
    keys, versions = table["item"].to_pylist(), table["version"].to_pylist()
    are_wanted = [identity(*each) in items for each in zip(keys, versions, strict=True)]
    left_out.update(
        restored(key) for key, is_wanted in zip(keys, are_wanted, strict=True) if not is_wanted
    )
    return np.flatnonzero(are_wanted)


def _numbers(parts: Numbers | np.uint32, rows: Numbers) -> NDArray[np.uint64]:
    """Return one number for each place, in the order of part and row."""
    return np.uint64(2**32) * parts + rows


def _are_in(sorted_numbers: NDArray[np.uint64], some: NDArray[np.uint64]) -> NDArray[np.bool_]:
    if not len(sorted_numbers):
        return np.zeros(len(some), np.bool_)
    near = np.searchsorted(sorted_numbers, some).clip(max=len(sorted_numbers) - 1)
    return np.asarray(sorted_numbers[near] == some, np.bool_)


def _usable(table: pa.Table) -> NDArray[np.bool_]:
    is_usable = pc.and_not(pc.equal(table["problem"], ""), table["is_unusable"])
    return np.asarray(is_usable.to_numpy(), np.bool_)


def _joined(arrays: Sequence[NDArray[_T]], kind: type[_T]) -> NDArray[_T]:
    return np.concatenate(arrays) if arrays else np.empty(0, kind)


def _lacking(table: pa.Table) -> NDArray[np.bool_]:
    return np.asarray(pc.not_equal(table["problem"], "").to_numpy(), np.bool_)


def _sorted_once(keys: pa.ChunkedArray, lacking: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the places of the keys in their order, of equal ones the first alone.

    A row that is not `lacking` comes before one whose item could not be read at first.
    """
    if lacking.any():
        rows = pa.table({"key": keys, "lacking": lacking})
        found = pc.sort_indices(rows, [("key", "ascending"), ("lacking", "ascending")])
    else:
        found = pc.sort_indices(keys)
    order = np.asarray(found.to_numpy(), np.intp)
    is_first = np.ones(len(order), np.bool_)
    for begin in range(0, len(order) - 1, _CHECKED):
        some = keys.take(pa.array(order[begin : begin + _CHECKED + 1]))
        is_same = pc.equal(some.slice(1), some.slice(0, len(some) - 1))
        is_first[begin + 1 : begin + len(some)] = ~np.asarray(is_same.to_numpy(), np.bool_)
    return order[is_first]
