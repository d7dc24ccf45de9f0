"""A worker process: analyses batches and writes its own parts."""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from agent.errors import ConfigurationError, TemporaryError
from agent.pool.engine import EXPECTED, Analyser, MakesAnalyser, RowPart, RowStore
from agent.pool.engines.messages import Task
from agent.pool.engines.ray.batches import unpacked
from agent.pool.engines.worker import CRASHED
from agent.pool.items import PoolItem
from agent.pool.rows import PoolRow
from agent.printable import printable

EVERY_ITEMS, EVERY_FRAMES = 16, 200
"""Items of a batch, and frames of a recording, between two messages, at least."""

_MESSAGES = 8
"""Of a large batch: the driver takes some hundred a second, from all workers."""

_CRASHES = 5
"""Items that raise an error in a process before any could be analysed: then none can be."""


class BatchWorker:
    """Takes blocks with the keys of one batch each, and yields blocks with counts."""

    def __init__(self, make_analyser: MakesAnalyser, open_store: Callable[[], RowStore]) -> None:
        self._make_analyser = make_analyser
        self._open_store = open_store
        self._analyser: Analyser | None = None
        self._store: RowStore | None = None
        self._analysed = self._crashed = 0  # items

    def __call__(self, block: pa.Table) -> Iterator[pa.Table]:
        """Analyse a batch. An error that ends the run is a message, not an exception.

        Ray would repeat a batch that raises, or drop it without a word.
        """
        name, data = block["part"][0].as_py(), block["data"][0].as_py()
        try:
            for done, images, unreadable, is_last in self._batch(name, unpacked(data)):
                yield _message(
                    part=name, done=done, images=images, unreadable=unreadable, is_last=is_last
                )
        except (ConfigurationError, TemporaryError) as error:
            yield _message(failed=str(error), is_temporary=isinstance(error, TemporaryError))

    def _batch(self, name: str, tasks: list[Task]) -> Iterator[tuple[int, int, int, bool]]:
        """Yield how many items are done, rows and unreadable rows of this try, and the end.

        How often must not depend on where an earlier try was killed: Ray passes over as many
        messages as it had from that.
        """
        self._analyser = self._analyser or self._make_analyser()
        self._store = self._store or self._open_store()
        part = self._store.part(name)
        images = unreadable = 0
        every = max(EVERY_ITEMS, len(tasks) // _MESSAGES)
        for done, task in enumerate(tasks, 1):
            told = 0
            if part.is_finished(task.item.identity):
                images += 1
            else:
                coming = [each.item for each in tasks[done - 1 : done - 1 + EXPECTED]]
                for row in self._rows(task, part, coming):
                    part.add(row)
                    images += 1
                    unreadable += bool(row.problem)
                    while row.frame is not None and told + EVERY_FRAMES <= row.frame:
                        told += EVERY_FRAMES
                        yield done - 1, images, unreadable, False
                part.finish(task.item.identity)
            if done % every == 0 and done < len(tasks):
                yield done, images, unreadable, False
        part.close()
        yield len(tasks), images, unreadable, True

    def _rows(self, task: Task, part: RowPart, coming: list[PoolItem]) -> Iterator[PoolRow]:
        """Yield the rows of an item that its part does not have.

        Where an item raises what none should, it is tried once more with a new analyser; then its
        row is the problem, as with the local engine.
        """
        item = task.item
        for is_second in (False, True):
            first_frame = part.next_frame(item.identity, first=task.first_frame)
            self._analyser = self._analyser or self._make_analyser()
            try:
                self._analyser.expect(coming)
                yield from self._analyser.rows(item, first_frame=first_frame)
            except (ConfigurationError, TemporaryError):
                raise
            except Exception as error:  # noqa: BLE001  # a bug that this item shows
                self._analyser = None
                why = printable(f"{type(error).__name__}: {error}")
            else:
                self._analysed += 1
                return
            if is_second:
                self._count_crash(task, why)
                problem = f"{CRASHED} ({why})"
                yield PoolRow(item.key, version=item.version, problem=problem)

    def _count_crash(self, task: Task, why: str) -> None:
        self._crashed += 1
        if self._crashed >= _CRASHES and not self._analysed:
            raise ConfigurationError(
                f"cannot analyse: the model or decoder crashed on each of the first {_CRASHES} "
                f"items of a process ({why}), the last is {printable(task.item.key)}; check the "
                "model with `capture-agent check`"
            )


def _message(**fields: Any) -> pa.Table:
    return pa.table({name: [value] for name, value in fields.items()})
