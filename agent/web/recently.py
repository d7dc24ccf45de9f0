"""A value that costs something: made at most so often, however many ask for it."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recently(Generic[T]):
    """Makes a value in a thread, and gives it to all who ask within `seconds`.

    While the thread hangs, on a dead disk for example, all wait for the one.
    """

    def __init__(self, make: Callable[[], T], seconds: float, now: Callable[[], float]) -> None:
        """`now`: seconds of the monotonic clock."""
        self._make = make
        self._seconds = seconds
        self._now = now
        self._task: asyncio.Task[T] | None = None
        self._made = 0.0

    async def get(self) -> T:
        """Return the value; raises what making it raised."""
        task = self._task
        if task is None or (task.done() and self._is_old(task)):
            task = self._task = asyncio.ensure_future(self._make_it())
        return await asyncio.shield(task)

    async def _make_it(self) -> T:
        value = await asyncio.to_thread(self._make)
        self._made = self._now()
        return value

    def _is_old(self, task: "asyncio.Task[T]") -> bool:
        if task.cancelled() or task.exception() is not None:
            return True
        return self._now() - self._made >= self._seconds
