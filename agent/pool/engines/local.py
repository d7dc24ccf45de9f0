"""The engine of one machine: a process for each core."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.errors import ConfigurationError, TemporaryError
from agent.pool.engine import (
    AnalysisProgress,
    AnalysisStopped,
    Kept,
    MakesAnalyser,
    RowStore,
)
from agent.pool.engines.cores import usable_cores
from agent.pool.engines.crew import WorkerProcess, wait_for_any
from agent.pool.engines.messages import Advanced, Broken, Failed, FromWorker, Ready, Task
from agent.pool.engines.stop_signals import StopSignals
from agent.pool.engines.task_queue import TaskQueue
from agent.pool.engines.worker import CRASHED
from agent.pool.items import PoolItem
from agent.ports import Clock
from agent.printable import printable
from agent.system import SystemClock

_BATCH = 32  # items that a worker has at once, so that it never waits for more
_POLL_S = 0.25  # until a signal is noticed
_REPORT_S = 0.1
_STOP_S = 60.0  # an image of 100 megapixels may take that long
_TRIES = 2
_CRASHES = 5
"""Images on which workers crashed before any could be analysed: then no other will do better."""


class LocalEngine:
    """Analyses items in processes of this machine. Runs in the main thread, for its signals."""

    def __init__(self, workers: int | None = None, *, clock: Clock | None = None) -> None:
        """`workers`: processes; None = one for each core that this process may use."""
        self._workers = workers or usable_cores()
        self._clock = clock or SystemClock()

    def run(
        self,
        items: Sequence[PoolItem],
        make_analyser: MakesAnalyser,
        open_store: Callable[[], RowStore],
        progress: Callable[[AnalysisProgress], None],
    ) -> None:
        """Analyse the items that are not finished yet; an interrupted run goes on where it was.

        Raises:
            AnalysisStopped: Ctrl-C or SIGTERM; all that was analysed is kept.
            ConfigurationError: A person must change something first.
            TemporaryError: The same call may work later.
        """
        kept = open_store().kept()
        queue = TaskQueue(items, kept)
        with StopSignals() as signals:
            run = _Run(
                queue=queue,
                start=lambda name: WorkerProcess(name, make_analyser, open_store),
                counts=_Counts(len(items), len(queue), kept, progress, self._clock),
                signals=signals,
                clock=self._clock,
            )
            run.run(min(self._workers, len(queue)))


class _Counts:
    """Counts what is done, and tells it a few times a second."""

    def __init__(
        self,
        total: int,
        left: int,
        kept: Kept,
        tell: Callable[[AnalysisProgress], None],
        clock: Clock,
    ) -> None:
        self.crashed = 0
        self.analysed = 0  # items, in this run
        self._now = AnalysisProgress(total - left, total, kept.rows, kept.unreadable)
        self._tell = tell
        self._clock = clock
        self._told = clock.monotonic()
        tell(replace(self._now, notes=tuple(kept.damaged)))

    def add(self, advanced: Advanced) -> None:
        self._now = AnalysisProgress(
            self._now.done + advanced.is_done,
            self._now.total,
            self._now.images + advanced.images,
            self._now.unreadable + advanced.unreadable,
        )
        now = self._clock.monotonic()
        if now - self._told >= _REPORT_S or self._now.done == self._now.total:
            self._told = now
            self._tell(self._now)

    def __str__(self) -> str:
        return f"{self._now.done:,} of {self._now.total:,} items"


class _Run:
    """One run, from the first worker to the end of the last."""

    def __init__(
        self,
        *,
        queue: TaskQueue,
        start: Callable[[str], WorkerProcess],
        counts: _Counts,
        signals: StopSignals,
        clock: Clock,
    ) -> None:
        self._queue = queue
        self._start = start
        self._counts = counts
        self._signals = signals
        self._clock = clock
        self._crew: list[WorkerProcess] = []
        self._reasons: dict[str, str] = {}  # what workers said before they crashed, by their name
        self._failure: ConfigurationError | TemporaryError | None = None

    def run(self, workers: int) -> None:
        try:
            self._crew += [self._start(f"local-{n}") for n in range(workers)]
            while self._queue or any(worker.tasks for worker in self._crew):
                self._feed()
                self._step()
                if self._failure is not None or self._signals.number:
                    break
            self._close()
        finally:
            for worker in self._crew:
                worker.end()
        if self._failure is not None:
            raise self._failure
        if self._signals.number:
            raise AnalysisStopped(
                f"stopped: {self._counts} are analysed and kept; call the same command again to "
                "go on",
                number=self._signals.number,
            )

    def _feed(self) -> None:
        """Give each worker something to do before it has nothing."""
        size = max(1, min(_BATCH, len(self._queue) // (4 * len(self._crew))))
        for worker in self._crew:
            is_alone = any(task.tries for task in worker.tasks)
            if worker.is_ready and not is_alone and len(worker.tasks) <= size // 2:
                tasks = self._queue.take(size, recordings=not worker.tasks)
                if tasks:
                    worker.give(tasks)
        if not any(worker.tasks for worker in self._crew):
            last = self._queue.take_last()
            if last is not None:
                self._crew[0].give([last])

    def _step(self) -> None:
        """Wait for the workers, and take what they say."""
        wait_for_any(self._crew, _POLL_S)
        for n, worker in enumerate(self._crew):
            for message in worker.messages():
                self._take(worker, message)
            if worker.has_ended and self._failure is None:
                self._crew[n] = self._replaced(worker)

    def _take(self, worker: WorkerProcess, message: FromWorker) -> None:
        if isinstance(message, Ready):
            worker.is_ready = True
        elif isinstance(message, Advanced):
            if message.is_done and worker.tasks.popleft().tries < _TRIES:
                self._counts.analysed += 1
            self._counts.add(message)
        elif isinstance(message, Failed) and self._failure is None:
            kind = TemporaryError if message.is_temporary else ConfigurationError
            self._failure = kind(message.message)
        elif isinstance(message, Broken):
            self._reasons[worker.name] = message.reason

    def _replaced(self, worker: WorkerProcess) -> WorkerProcess:
        """Start a worker in the place of one that crashed; decide about the image it had."""
        why = self._reasons.pop(worker.name, worker.ending())
        worker.end()
        if not worker.is_ready:
            self._failure = _not_started(why, was_killed=worker.was_killed)
            return worker
        tasks = list(worker.tasks)
        self._queue.put_back(tasks[1:])
        new = self._start(worker.name)
        for task in tasks[:1]:
            self._decide(replace(task, tries=task.tries + 1), why, worker, new)
        return new

    def _decide(self, task: Task, why: str, old: WorkerProcess, new: WorkerProcess) -> None:
        if task.tries >= _TRIES:
            self._counts.crashed += 1
            new.give_up(task, f"{CRASHED} ({why})")
            if self._counts.crashed >= _CRASHES and not self._counts.analysed:
                self._failure = ConfigurationError(
                    f"cannot analyse: the model or decoder crashed on each of the first "
                    f"{_CRASHES} items ({why}), the last is {printable(task.item.key)}; check the "
                    "model with `capture-agent check`"
                )
        elif old.was_killed:  # out of memory, perhaps for what the others had
            self._queue.put_last(task)
        else:
            new.give([task])

    def _close(self) -> None:
        """Let the workers finish their images and seal their parts."""
        for worker in self._crew:
            worker.stop()
        end = self._clock.monotonic() + _STOP_S
        while any(not worker.has_ended for worker in self._crew):
            if self._clock.monotonic() >= end or self._signals.is_forced:
                break
            wait_for_any([each for each in self._crew if not each.has_ended], _POLL_S)
            for worker in self._crew:
                for message in worker.messages():
                    self._take(worker, message)


def _not_started(why: str, *, was_killed: bool) -> ConfigurationError:
    fix = (
        "the machine may lack memory: use fewer --workers"
        if was_killed
        else "check the model with `capture-agent check`"
    )
    return ConfigurationError(f"cannot start the analysis: a worker ended ({why}); {fix}")
