"""Which items are left, in the order in which they are handed out."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from agent.pool.engine import Kept
from agent.pool.engines.messages import Task
from agent.pool.items import ItemKind, PoolItem


class TaskQueue:
    """Hands out what is not finished: recordings first, because each takes long, then the rest."""

    def __init__(self, items: Sequence[PoolItem], kept: Kept) -> None:
        self._kept = kept
        self._left = sum(item.identity not in kept.finished for item in items)
        self._tasks = self._in_order(items)
        self._back: deque[Task] = deque()
        self._alone: deque[Task] = deque()

    def __len__(self) -> int:
        return self._left + len(self._alone)

    def take(self, most: int, *, recordings: bool) -> list[Task]:
        """Return the next images, or one recording if those are welcome."""
        taken: list[Task] = []
        while len(taken) < most and self._left:
            task = self._back.popleft() if self._back else next(self._tasks)
            is_recording = task.item.kind is ItemKind.RECORDING
            if is_recording and (taken or not recordings):
                self._back.appendleft(task)
                break
            taken.append(task)
            self._left -= 1
            if is_recording:
                break
        return taken

    def put_back(self, tasks: Iterable[Task]) -> None:
        """Take tasks back that were handed out and not begun."""
        tasks = list(tasks)
        self._back.extendleft(reversed(tasks))
        self._left += len(tasks)

    def put_last(self, task: Task) -> None:
        """Take back a task that is to be done when nothing else runs."""
        self._alone.append(task)

    def take_last(self) -> Task | None:
        """Return a task of `put_last` if there is nothing else left."""
        return self._alone.popleft() if self._alone and not self._left else None

    def _in_order(self, items: Sequence[PoolItem]) -> Iterator[Task]:
        for recordings in (True, False):
            for item in items:
                is_recording = item.kind is ItemKind.RECORDING
                if is_recording is recordings and item.identity not in self._kept.finished:
                    yield Task(item, self._kept.begun.get(item.identity, 0))
