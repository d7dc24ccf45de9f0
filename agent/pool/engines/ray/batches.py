"""Batches of items: what a worker takes at a time, and writes as one part.

The name of a part comes from its items. A batch that is run again, because its process
was killed, therefore goes on in its own part, wherever it runs.
"""

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from agent.pool.engines.messages import Task
from agent.pool.engines.task_queue import TaskQueue
from agent.pool.items import ItemKind, PoolItem

_SMALLEST, _LARGEST = 8, 1024  # items
_BATCHES_EACH = 8
"""Batches for each worker: so many that the last ones end at nearly the same time."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Keys for one worker. They are compressed: neighbours are alike, and there are millions."""

    part: str
    items: int
    data: bytes


def batch_size(items: int, workers: int) -> int:
    """Return how many images a batch should have."""
    return max(_SMALLEST, min(_LARGEST, items // (workers * _BATCHES_EACH)))


def batches(queue: TaskQueue, size: int) -> Iterator[Batch]:
    """Cut what is left into batches; each recording is a batch of its own, and comes first."""
    while tasks := queue.take(size, recordings=True):
        yield packed(tasks)


def packed(tasks: Sequence[Task]) -> Batch:
    """Make a batch of tasks."""
    items = "\n".join(task.item.identity for task in tasks).encode("utf-8", "surrogateescape")
    name = f"ray-{hashlib.sha256(items).hexdigest()[:20]}"
    told = [{"first_frame": task.first_frame, **asdict(task.item)} for task in tasks]
    return Batch(name, len(tasks), zlib.compress(json.dumps(told).encode()))


def unpacked(data: bytes) -> list[Task]:
    """Return the tasks of a batch."""
    return [
        Task(PoolItem(**item | {"kind": ItemKind(item["kind"])}), first)
        for item in json.loads(zlib.decompress(data))
        for first in [item.pop("first_frame")]
    ]
