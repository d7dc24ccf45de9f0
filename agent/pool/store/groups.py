"""Reads rows from anywhere in the sealed parts, a group of neighbours at a time."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from agent.pool.rows import PoolRow
from agent.pool.store.place import Place
from agent.pool.store.schema import rows_of
from agent.pool.store.sealed import GROUP_ROWS, opened

_CACHE_BYTES = 128_000_000

Numbers = NDArray[np.uint32]


class RowGroups:
    """Reads rows by part and place. The groups that were read last stay in memory."""

    def __init__(self, place: Place, parts: Sequence[str], columns: Sequence[str]) -> None:
        """`parts` are the names of the files, by number; `columns` what a row needs."""
        self._place = place
        self._parts = parts
        self._columns = columns
        self._cache: OrderedDict[tuple[int, int], pa.Table] = OrderedDict()
        self._bytes = 0

    def rows(self, parts: Numbers, places: Numbers) -> list[PoolRow]:
        """Return rows in the order that they are asked for; raises `DamagedPart`.

        Args:
            parts: `[n]`, the number of each row's part.
            places: `[n]`, the place of each row in its part.
        """
        if not len(parts):
            return []
        order = np.lexsort((places, parts))
        groups = places // GROUP_ROWS
        pieces = []
        for each in _runs(parts[order], groups[order]):
            chosen = order[each]
            first = chosen[0]
            table = self._group(int(parts[first]), int(groups[first]), parts, groups)
            pieces.append(table.take(pa.array(places[chosen] % GROUP_ROWS)))
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return rows_of(pa.concat_tables(pieces).take(pa.array(back)))

    def _group(self, part: int, group: int, parts: Numbers, groups: Numbers) -> pa.Table:
        """Return a group; all that `groups` needs of the same part is read with it."""
        found = self._cache.get((part, group))
        if found is None:
            wanted = [int(each) for each in np.unique(groups[parts == part])]
            missing = [each for each in wanted if (part, each) not in self._cache]
            self._read(part, missing)
            found = self._cache[part, group]
        self._cache.move_to_end((part, group))
        return found

    def _read(self, part: int, groups: Sequence[int]) -> None:
        name = self._parts[part]
        with opened(partial(self._place.open, name), name) as file:
            table = file.read_groups(groups, self._columns)
        begin = 0
        for group in groups:
            size = min(GROUP_ROWS, file.rows - group * GROUP_ROWS)
            piece = table.slice(begin, size).combine_chunks()
            begin += size
            self._cache[part, group] = piece
            self._bytes += piece.nbytes
        while self._bytes > _CACHE_BYTES and len(self._cache) > len(groups):
            _, oldest = self._cache.popitem(last=False)
            self._bytes -= oldest.nbytes


def _runs(parts: Numbers, groups: Numbers) -> list[slice]:
    """Return where neighbours of one part and group begin and end, in sorted arrays."""
    changes = np.flatnonzero((np.diff(parts) != 0) | (np.diff(groups) != 0)) + 1
    edges = [0, *changes.tolist(), len(parts)]
    return [slice(begin, end) for begin, end in pairwise(edges)]
