"""The threads of calls that wait for a disk or draw an image."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from agent.web.governor import Governor

P = ParamSpec("P")
T = TypeVar("T")


class CallThreads(ThreadPoolExecutor):
    """Runs what `asyncio.to_thread` gets in a few daemon threads.

    The threads of Python's own executor are awaited at the end of the process: one that hangs on a
    dead disk would hold it. asyncio takes no executor of another class, so this is a subclass.
    """

    def __init__(
        self, threads: int, governor: Governor, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """`governor`: says how long a thread must sleep after a call."""
        super().__init__(threads)
        self._sleep = sleep
        self._governor = governor
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._members = [
            threading.Thread(target=self._run, name=f"api call {number}", daemon=True)
            for number in range(threads)
        ]
        for member in self._members:
            member.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` in one of the threads; a call that was cancelled before is left out."""
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            began = time.thread_time()
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 (who awaits it gets it)
                future.set_exception(error)
            finally:
                self._governor.used(time.thread_time() - began)

        self._calls.put(call)
        return future

    def shutdown(self, *_: Any, **__: Any) -> None:
        """End the threads after their present call, and wait for none."""
        for _member in self._members:
            self._calls.put(None)

    def _run(self) -> None:
        while call := self._calls.get():
            call()
            while (pause := self._governor.due(time.monotonic())) > 0:
                self._sleep(pause)
