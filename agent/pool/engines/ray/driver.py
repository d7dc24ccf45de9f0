"""The driver process: connects to Ray, hands out batches, and adds up what comes back."""

import functools
import sys
import threading
from _thread import interrupt_main
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection

import pyarrow as pa
import ray
import ray.data
import ray.exceptions

from agent.errors import AgentError, TemporaryError
from agent.pool.engine import RowStore
from agent.pool.engines.batches import BatchProgress, packed, unpacked
from agent.pool.engines.batches import batches as batches_of
from agent.pool.engines.ray.cluster import connected, worker_count
from agent.pool.engines.ray.nodes import check_nodes
from agent.pool.engines.ray.plan import Connected, Counts, Done, Failed, Message, Plan, Reached
from agent.pool.engines.ray.worker import BatchWorker
from agent.pool.rows import PoolRow
from agent.printable import printable

PackedBatch = tuple[str, bytes]  # name of the part, and its items

_TRIES = 3
"""How often a batch is run again because its process died."""
_TRIES_ALONE = 2
"""The same for an item that is tried alone, because its batch has failed."""
_FATAL = "analysing it ended the process each time: it may need more memory than there is"


class _WorkerFailed(Exception):
    """A worker says that the run cannot go on."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.message)
        self.failed = failed


def main(descriptor: int) -> None:
    """Do what the command says through the connection; end when it is closed."""
    connection = Connection(descriptor)
    try:
        connection.send(_outcome(connection))
    except (KeyboardInterrupt, BrokenPipeError, EOFError):
        sys.exit(1)


def _stop_with(connection: Connection) -> None:
    """Interrupt the main thread when the command ends or is interrupted."""
    try:
        connection.recv()
    except (EOFError, OSError):
        interrupt_main()


def _outcome(connection: Connection) -> Done | Failed:
    try:
        _drive(connection)
    except _WorkerFailed as error:
        return error.failed
    except TemporaryError as error:
        return Failed(str(error), "temporary")
    except AgentError as error:
        return Failed(str(error), "configuration")
    except ray.exceptions.RayError as error:
        return Failed(
            f"cannot go on with Ray: {printable(str(error))}; what was analysed is kept, run the "
            "same command again",
            "temporary",
        )
    return Done()


def _drive(connection: Connection) -> None:
    plan: Plan = connection.recv()
    with connected(plan.address, plan.workers, plan.gpus):
        connection.send(Reached())
        nodes = check_nodes(plan) if plan.address else 1
        workers = worker_count(plan.workers, plan.gpus)
        connection.send(Connected(workers, nodes))
        batches: list[PackedBatch] = []
        while (some := connection.recv()) is not None:
            batches += some
        threading.Thread(target=_stop_with, args=(connection,), daemon=True).start()
        tally = Tally(connection.send)
        failed = _run(plan, batches, workers, _TRIES, tally)
        if failed:
            store = plan.open_store()
            alone = _unfinished(failed, store, tally)
            fatal = _unfinished(_run(plan, alone, workers, _TRIES_ALONE, tally), store, tally)
            _note_fatal(fatal, store, tally)


def _run(
    plan: Plan,
    batches: Sequence[PackedBatch],
    workers: int,
    tries: int,
    tally: "Tally",
) -> list[PackedBatch]:
    """Run batches; return those whose processes died each time."""
    if not batches:
        return []
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = context.target_min_block_size = 1  # each message by itself
    context.max_errored_blocks = -1  # a batch whose process died; the others go on
    blocks = [pa.table({"part": [part], "items": [items]}) for part, items in batches]
    is_alone = tries == _TRIES_ALONE
    results = ray.data.from_arrow(blocks).map_batches(
        BatchWorker,
        batch_size=None,
        batch_format="pyarrow",
        fn_constructor_kwargs={
            "make_analyser": plan.make_analyser,
            "open_store": plan.open_store,
        },
        compute=ray.data.ActorPoolStrategy(
            size=min(workers, len(batches)),
            # A dying process takes the batches with it that wait for it.
            max_tasks_in_flight_per_actor=1 if is_alone else 2,
        ),
        num_cpus=1,
        num_gpus=plan.gpus or None,
        ray_remote_args_fn=functools.partial(dict, max_restarts=-1, max_task_retries=tries),
    )
    finished: set[str] = set()
    for block in results.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        finished.update(tally.add(block))
    return [each for each in batches if each[0] not in finished]


def _unfinished(
    failed: Sequence[PackedBatch], store: RowStore, tally: "Tally"
) -> list[PackedBatch]:
    """Return what is left of failed batches, each item as a batch of its own."""
    finished = store.finished() if failed else frozenset()
    left = []
    for part, items in failed:
        batch = unpacked(part, items)
        some = list(batches_of(batch.items, finished, 1))
        tally.settle(part, len(batch.items) - len(some))
        left += [(each.part, packed(each)) for each in some]
    return left


def _note_fatal(fatal: Sequence[PackedBatch], store: RowStore, tally: "Tally") -> None:
    """Keep a row with a problem for each item that ended its process each time."""
    for name, items in fatal:
        batch = unpacked(name, items)
        part = store.part(f"{name}-fatal")
        for item in batch.items:
            part.add(PoolRow(item.key, problem=_FATAL))
            part.finish(item.key)
        part.close()
        tally.settle(name, len(batch.items), unreadable=len(batch.items))


class Tally:
    """Adds up what workers say of their batches, and tells the command."""

    def __init__(self, tell: Callable[[Message], None]) -> None:
        self._tell = tell
        self._ended = Counts()
        self._current: dict[str, BatchProgress] = {}
        self._returned = 0

    def add(self, block: pa.Table) -> Iterator[str]:
        """Take a message; yield the part that it says is sealed. Raises `_WorkerFailed`."""
        self._returned += block.nbytes
        for message in block.to_pylist():
            if message.get("failed"):
                raise _WorkerFailed(Failed(message["failed"], message["kind"]))
            progress = BatchProgress(**message)
            if progress.is_last:
                self._end(progress)
                yield progress.part
            else:
                self._current[progress.part] = progress
        self._say()

    def settle(self, part: str, done: int, *, unreadable: int = 0) -> None:
        """Count the items of a batch that will say no more."""
        self._end(BatchProgress(part, done, done, unreadable, is_last=True))
        self._say()

    def _end(self, progress: BatchProgress) -> None:
        self._current.pop(progress.part, None)
        self._ended = Counts(
            self._ended.done + progress.done,
            self._ended.images + progress.images,
            self._ended.unreadable + progress.unreadable,
        )

    def _say(self) -> None:
        each = self._current.values()
        self._tell(
            Counts(
                self._ended.done + sum(one.done for one in each),
                self._ended.images + sum(one.images for one in each),
                self._ended.unreadable + sum(one.unreadable for one in each),
                self._returned,
            )
        )
