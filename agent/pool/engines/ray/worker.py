"""A worker process: analyses batches and writes its own parts."""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pyarrow as pa

from agent.errors import AgentError, TemporaryError
from agent.pool.engine import Analyser, MakesAnalyser, RowStore
from agent.pool.engines.batches import analyse, unpacked

EVERY = 16
"""Items between two messages of a worker about its batch."""


class BatchWorker:
    """Takes blocks with the keys of one batch each, and yields blocks with counts."""

    def __init__(self, make_analyser: MakesAnalyser, open_store: Callable[[], RowStore]) -> None:
        self._make_analyser = make_analyser
        self._open_store = open_store
        self._made: tuple[Analyser, RowStore] | None = None

    def __call__(self, block: pa.Table) -> Iterator[pa.Table]:
        """Analyse a batch. An error that ends the run is a message, not an exception.

        Ray would repeat a failed batch, or drop it without a word.
        """
        batch = unpacked(block["part"][0].as_py(), block["items"][0].as_py())
        try:
            if self._made is None:
                self._made = self._make_analyser(), self._open_store()
            for progress in analyse(batch, *self._made, EVERY):
                yield pa.Table.from_pylist([asdict(progress)])
        except AgentError as error:
            kind = "temporary" if isinstance(error, TemporaryError) else "configuration"
            yield _failed(str(error), kind)
        except Exception:  # noqa: BLE001  # the last frame of this process: the command raises it
            yield _failed(traceback.format_exc(), "bug")


def _failed(message: str, kind: str) -> pa.Table:
    return pa.Table.from_pylist([{"failed": message, "kind": kind}])
