"""Adds up what the workers say of their batches."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from agent.errors import ConfigurationError, TemporaryError
from agent.pool.engines.ray.plan import Counts


@dataclass(frozen=True, slots=True)
class _Batch:
    """How far a batch is."""

    done: int = 0
    images: int = 0
    unreadable: int = 0


class Tally:
    """Adds up what workers say, and tells the command."""

    def __init__(self, tell: Callable[[Counts], None]) -> None:
        self._tell = tell
        self._ended = _Batch()
        self._current: dict[str, _Batch] = {}
        self._returned = 0

    def add(self, block: pa.Table) -> Iterator[str]:
        """Take messages; yield the parts that are sealed. Raises what a worker failed with."""
        self._returned += block.nbytes
        for message in block.to_pylist():
            if message.get("failed"):
                kind = TemporaryError if message["is_temporary"] else ConfigurationError
                raise kind(message["failed"])
            part, is_last = message.pop("part"), message.pop("is_last")
            self._current[part] = _Batch(**message)
            if is_last:
                self.settle(part, **message)
                yield part
        self.say()

    def settle(self, part: str, **counts: Any) -> None:
        """Count a batch that will say no more."""
        self._current.pop(part, None)
        self._ended = _sum(self._ended, _Batch(**counts))

    def say(self) -> None:
        """Tell the command how far all is."""
        now = _sum(self._ended, *self._current.values())
        self._tell(Counts(now.done, now.images, now.unreadable, self._returned))


def _sum(*batches: _Batch) -> _Batch:
    return _Batch(
        sum(each.done for each in batches),
        sum(each.images for each in batches),
        sum(each.unreadable for each in batches),
    )
