"""Batches of items: what a worker takes at a time, and writes as one part.

The name of a part comes from the keys of its items. A batch that is run again, because its process
was killed, therefore goes on in its own part, wherever it runs.
"""

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

from agent.pool.engine import Analyser, RowStore
from agent.pool.items import ItemKind, PoolItem

_SMALLEST, _LARGEST = 8, 1024  # items
_BATCHES_EACH = 8
"""Batches for each worker: so many that the last ones end at nearly the same time."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Items that one process analyses one after the other."""

    part: str  # name of its part
    items: tuple[PoolItem, ...]


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a batch is, counted from its start, also in a second try."""

    part: str
    done: int  # items
    images: int  # rows; of an item that an earlier try finished, one
    unreadable: int  # rows with a problem
    is_last: bool


def batch_size(items: int, workers: int) -> int:
    """Return how many images a batch should have."""
    return max(_SMALLEST, min(_LARGEST, items // (workers * _BATCHES_EACH)))


def batches(items: Sequence[PoolItem], finished: frozenset[str], size: int) -> Iterator[Batch]:
    """Cut the items that are not finished into batches.

    Each recording is a batch of its own, and comes first: it takes longest.
    """
    for item in items:
        if item.kind is ItemKind.RECORDING and item.key not in finished:
            yield _batch([item])
    batch: list[PoolItem] = []
    for item in items:
        if item.kind is not ItemKind.RECORDING and item.key not in finished:
            batch.append(item)
            if len(batch) == size:
                yield _batch(batch)
                batch = []
    if batch:
        yield _batch(batch)


def _batch(items: Sequence[PoolItem]) -> Batch:
    keys = "\n".join(item.key for item in items).encode("utf-8", "surrogateescape")
    return Batch(hashlib.sha256(keys).hexdigest()[:20], tuple(items))


def packed(batch: Batch) -> bytes:
    """Return the items of a batch in few bytes: neighbouring keys are alike."""
    return zlib.compress(json.dumps([astuple(item) for item in batch.items]).encode())


def unpacked(part: str, data: bytes) -> Batch:
    """Undo `packed`."""
    items = json.loads(zlib.decompress(data))
    return Batch(part, tuple(PoolItem(key, ItemKind(kind), *rest) for key, kind, *rest in items))


def analyse(
    batch: Batch, analyser: Analyser, store: RowStore, every: int
) -> Iterator[BatchProgress]:
    """Analyse the items of a batch that its part does not have yet, and seal the part.

    Yields after each `every` items, and at the end when the part is sealed: as often in a second
    try as in the first.
    """
    part = store.part(batch.part)
    images = unreadable = 0
    for done, item in enumerate(batch.items, 1):
        if part.is_finished(item.key):
            images += 1
        else:
            for row in analyser.rows(item, first_frame=part.next_frame(item.key)):
                part.add(row)
                images += 1
                unreadable += bool(row.problem)
            part.finish(item.key)
        if done % every == 0 and done < len(batch.items):
            yield BatchProgress(batch.part, done, images, unreadable, is_last=False)
    part.close()
    yield BatchProgress(batch.part, len(batch.items), images, unreadable, is_last=True)
