"""The driver process: connects to Ray, hands out batches, and adds up what comes back."""

import functools
import sys
import threading
from _thread import interrupt_main
from collections.abc import Sequence
from multiprocessing.connection import Connection

import pyarrow as pa
import ray
import ray.data
import ray.exceptions

from agent.errors import ConfigurationError, TemporaryError
from agent.pool.engine import RowStore
from agent.pool.engines.messages import Failed
from agent.pool.engines.ray.batches import Batch, packed, unpacked
from agent.pool.engines.ray.cluster import connected, worker_count
from agent.pool.engines.ray.nodes import check_nodes
from agent.pool.engines.ray.plan import Connected, Done, Plan, Reached
from agent.pool.engines.ray.tally import Tally
from agent.pool.engines.ray.worker import BatchWorker
from agent.pool.engines.worker import CRASHED
from agent.pool.rows import PoolRow
from agent.printable import printable

_TRIES = 1
"""How often a batch is run again because its process died."""
_TRIES_ALONE = 2
"""The same for an item that is tried alone, because its batch has failed."""


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
    except (ConfigurationError, TemporaryError) as error:
        return Failed(str(error), is_temporary=isinstance(error, TemporaryError))
    except ray.exceptions.RayError as error:
        return Failed(
            f"cannot go on with Ray: {printable(str(error))}; what was analysed is kept, call the "
            "same command again",
            is_temporary=True,
        )
    return Done()


def _drive(connection: Connection) -> None:
    plan: Plan = connection.recv()
    with connected(plan.address, plan.workers, plan.gpus):
        connection.send(Reached())
        nodes = check_nodes(plan) if plan.address else 1
        workers = worker_count(plan.workers, plan.gpus)
        connection.send(Connected(workers, nodes))
        batches: list[Batch] = []
        while (some := connection.recv()) is not None:
            batches += some
        threading.Thread(target=_stop_with, args=(connection,), daemon=True).start()
        tally = Tally(connection.send)
        failed = _run(plan, batches, workers, _TRIES, tally)
        if failed:
            store = plan.open_store()
            alone = _unfinished(failed, store, tally)
            fatal = _unfinished(_run(plan, alone, workers, _TRIES_ALONE, tally), store, tally)
            _give_up(fatal, store, tally)


def _run(
    plan: Plan,
    batches: Sequence[Batch],
    workers: int,
    tries: int,
    tally: Tally,
) -> list[Batch]:
    """Run batches; return those whose processes died each time."""
    if not batches:
        return []
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = context.target_min_block_size = 1  # each message by itself
    context.max_errored_blocks = -1  # a batch whose process died; the others go on
    blocks = [pa.table({"part": [each.part], "data": [each.data]}) for each in batches]
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
    return [each for each in batches if each.part not in finished]


def _unfinished(failed: Sequence[Batch], store: RowStore, tally: Tally) -> list[Batch]:
    """Return what is left of failed batches, each item as a batch of its own."""
    if not failed:
        return []
    finished = store.finished()
    left = []
    for batch in failed:
        tasks = [task for task in unpacked(batch.data) if task.item.identity not in finished]
        done = batch.items - len(tasks)
        tally.settle(batch.part, done=done, images=done)
        left += [packed([task]) for task in tasks]
    return left


def _give_up(fatal: Sequence[Batch], store: RowStore, tally: Tally) -> None:
    """Keep a problem as the row of each item that ended its process each time."""
    for batch in fatal:
        part = store.part(f"{batch.part}-crashed")
        for task in unpacked(batch.data):
            item, problem = task.item, f"{CRASHED} (its process ended each time)"
            part.next_frame(item.identity, first=task.first_frame)
            part.add(PoolRow(item.key, version=item.version, problem=problem))
            part.finish(item.identity)
        part.close()
        tally.settle(batch.part, done=batch.items, images=batch.items, unreadable=batch.items)
    if fatal:
        tally.say()
