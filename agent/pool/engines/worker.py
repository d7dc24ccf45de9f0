"""The process of one worker: it analyses what it is given, and keeps the rows in its own part."""

import contextlib
import ctypes
import os
import signal
import sys
from collections import deque
from collections.abc import Callable
from itertools import islice
from multiprocessing.connection import Connection

from agent.errors import ConfigurationError, TemporaryError
from agent.pool.engine import EXPECTED, Analyser, MakesAnalyser, RowPart, RowStore
from agent.pool.engines.messages import (
    Advanced,
    Broken,
    Closed,
    Failed,
    FromWorker,
    GiveUp,
    Ready,
    Stop,
    Task,
    ToWorker,
    Work,
)
from agent.pool.items import PoolItem
from agent.pool.rows import PoolRow
from agent.printable import printable

CRASHED = "the model or decoder crashed on it"
"""The problem of an item that ended its process, or raised what none should, twice."""

REPORT_ROWS = 50
"""Frames of a recording between two reports."""

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def work(
    connection: "Connection[FromWorker, ToWorker]",
    make_analyser: MakesAnalyser,
    open_store: Callable[[], RowStore],
    *,
    part: str,
    parent: int,
) -> None:
    """Do what the parent says until it says `Stop`, or is gone.

    Args:
        connection: To the parent.
        make_analyser: Makes what analyses.
        open_store: Opens where rows are kept.
        part: The name of this worker's part.
        parent: Its process; this one does not outlive it.
    """
    _end_with(parent)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent says when to stop
    with contextlib.suppress(BrokenPipeError, EOFError, ConnectionResetError):
        try:
            worker = _Worker(connection, make_analyser(), open_store().part(part))
            connection.send(Ready())
            worker.run()
            connection.send(Closed())
        except (ConfigurationError, TemporaryError) as error:
            connection.send(Failed(str(error), is_temporary=isinstance(error, TemporaryError)))
        except Exception as error:  # noqa: BLE001
            # Its image is tried once more in a new process; nothing here can be relied upon now.
            connection.send(Broken(printable(f"{type(error).__name__}: {error}")))
            sys.exit(1)


class _Worker:
    def __init__(
        self,
        connection: "Connection[FromWorker, ToWorker]",
        analyser: Analyser,
        part: RowPart,
    ) -> None:
        self._connection = connection
        self._analyser = analyser
        self._part = part
        self._tasks: deque[Task | GiveUp] = deque()
        self._is_stopping = False

    def run(self) -> None:
        """Work until the parent says `Stop`, and seal the part; without a parent, end at once."""
        while not self._is_stopping:
            self._listen(wait=not self._tasks)
            if self._tasks and not self._is_stopping:
                self._expect()
                self._do(self._tasks.popleft())
        self._part.close()

    def _listen(self, *, wait: bool = False) -> None:
        """Take what the parent said; raises `EOFError` when it is gone."""
        while wait or self._connection.poll():
            message = self._connection.recv()
            wait = False
            if isinstance(message, Work):
                self._tasks.extend(message.tasks)
            elif isinstance(message, GiveUp):
                self._tasks.append(message)
            elif isinstance(message, Stop):
                self._is_stopping = True
                return

    def _expect(self) -> None:
        coming = islice(self._tasks, EXPECTED)
        self._analyser.expect([task.item for task in coming if isinstance(task, Task)])

    def _do(self, task: Task | GiveUp) -> None:
        if isinstance(task, GiveUp):
            item = task.task.item
            self._part.next_frame(item.identity, first=task.task.first_frame)
            self._part.add(PoolRow(item.key, version=item.version, problem=task.problem))
            self._part.finish(item.identity)
            self._connection.send(Advanced(1, 1, is_done=True))
            return
        name = task.item.identity
        if self._part.is_finished(name):  # the process was killed before it could tell
            self._connection.send(Advanced(0, 0, is_done=True))
            return
        self._analyse(task.item, self._part.next_frame(name, first=task.first_frame))

    def _analyse(self, item: PoolItem, first_frame: int) -> None:
        images = unreadable = 0
        for row in self._analyser.rows(item, first_frame=first_frame):
            self._part.add(row)
            images += 1
            unreadable += bool(row.problem)
            if row.frame is not None:
                if images >= REPORT_ROWS:
                    self._connection.send(Advanced(images, unreadable, is_done=False))
                    images = unreadable = 0
                self._listen()
                if self._is_stopping:
                    return
        self._part.finish(item.identity)
        self._connection.send(Advanced(images, unreadable, is_done=True))


def _end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends in any way."""
    ctypes.CDLL(None, use_errno=True).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before
        os._exit(1)
