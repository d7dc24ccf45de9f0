"""What all sealed parts say of their rows, from their footers alone."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from agent.pool.store.place import Place
from agent.pool.store.sealed import DamagedPart, opened

_THREADS = 8  # in a bucket a part takes some round trips
_AHEAD = 32  # parts: an index has some hundred kilobytes


@dataclass(frozen=True, slots=True)
class PartIndex:
    """`INDEX_COLUMNS` of all rows of a part."""

    name: str  # of its file
    table: pa.Table
    finished_elsewhere: Mapping[str, int]
    """Items that ended here and whose rows are in other parts, with the frame that follows."""


def read_indexes(place: Place, names: Sequence[str]) -> Iterator[PartIndex | DamagedPart]:
    """Yield the index of each part in the order of `names`, or why it cannot be read."""
    with ThreadPoolExecutor(_THREADS) as threads:
        for begin in range(0, len(names), _AHEAD):
            yield from threads.map(partial(_read, place), names[begin : begin + _AHEAD])


def _read(place: Place, name: str) -> PartIndex | DamagedPart:
    try:
        with opened(partial(place.open, name), name) as part:
            return PartIndex(name, part.index(), part.finished_elsewhere())
    except DamagedPart as error:
        return error
