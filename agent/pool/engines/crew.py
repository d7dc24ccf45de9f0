"""The worker processes of this machine, and what each of them is doing."""

import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import SpawnProcess

from agent.pool.engine import MakesAnalyser, RowStore
from agent.pool.engines.messages import FromWorker, GiveUp, Stop, Task, ToWorker, Work
from agent.pool.engines.worker import work


class WorkerProcess:
    """One worker process, as its parent sees it."""

    def __init__(
        self, name: str, make_analyser: MakesAnalyser, open_store: Callable[[], RowStore]
    ) -> None:
        self.name = name
        self.tasks: deque[Task] = deque()
        """Given and not done, in order: the process works on the first one."""
        self.is_ready = False
        self.is_silent = False  # its end of the connection is closed
        # Not fork: onnxruntime's threads and locks do not survive it.
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        self.connection: Connection[ToWorker, FromWorker] = ours
        self.process: SpawnProcess = context.Process(
            target=work,
            args=(theirs, make_analyser, open_store),
            kwargs={"part": name, "parent": os.getpid()},
            name=name,
            daemon=True,
        )
        with _signals_blocked():
            self.process.start()
        theirs.close()

    def give(self, tasks: Sequence[Task]) -> None:
        """Let it analyse more items."""
        self.tasks.extend(tasks)
        self._send(Work(tuple(tasks)))

    def give_up(self, task: Task, problem: str) -> None:
        """Let it keep a problem as the row of an item."""
        self.tasks.append(task)
        self._send(GiveUp(task, problem))

    def stop(self) -> None:
        """Ask it to end after the image in work."""
        self._send(Stop())

    def messages(self) -> Iterator[FromWorker]:
        """Yield what it said; nothing more once it has ended."""
        try:
            while not self.is_silent and self.connection.poll():
                yield self.connection.recv()
        except (EOFError, OSError):
            self.is_silent = True

    @property
    def has_ended(self) -> bool:
        """Whether its process has ended, and nothing that it said is left."""
        return self.is_silent and not self.process.is_alive()

    def ending(self) -> str:
        """Return how its process ended, for a person."""
        code = self.process.exitcode or 0
        if code >= 0:
            return f"exit code {code}"
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"

    @property
    def was_killed(self) -> bool:
        """Whether it ended by SIGKILL: mostly, because the machine had no memory left."""
        return self.process.exitcode == -signal.SIGKILL

    def end(self) -> None:
        """Kill it, if it still runs."""
        self.process.kill()
        self.process.join()
        self.connection.close()

    def _send(self, message: ToWorker) -> None:
        with contextlib.suppress(OSError):  # it has ended, as its process tells
            self.connection.send(message)


def wait_for_any(workers: Sequence[WorkerProcess], seconds: float) -> None:
    """Wait until a worker says something or ends, at most for some time."""
    wait_for(
        [worker.process.sentinel if worker.is_silent else worker.connection for worker in workers],
        seconds,
    )


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Keep Ctrl-C from a process that is not yet ready to ignore it; ours gets it afterwards."""
    # Python starts this helper with the first process, and then unblocks both signals.
    resource_tracker.ensure_running()
    blocked = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
