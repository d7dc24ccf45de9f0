"""Works on things that have many results each, several at the same time."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from queue import SimpleQueue
from threading import Event, Semaphore
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")

IsStopped = Callable[[], bool]
"""Whether nobody wants what is still to come."""


def unordered(
    make: Callable[[_T, IsStopped], Generator[_R, None, None]],
    given: Iterable[_T],
    *,
    threads: int,
) -> Generator[_R, None, None]:
    """Yield what `make` yields for each, as it comes.

    At most three times as many results as threads are in memory. What `make` raises is raised here.
    Closing the generator closes what was begun, at its next result or once it asks whether it is
    stopped; what was not begun is not done.
    """
    found: SimpleQueue[_R | Future[None]] = SimpleQueue()
    room = Semaphore(2 * threads)
    stopped = Event()

    def work(each: _T) -> None:
        if stopped.is_set():  # before it could be cancelled
            return
        with closing(make(each, stopped.is_set)) as results:
            for result in results:
                room.acquire()
                if stopped.is_set():
                    return
                found.put(result)

    with ThreadPoolExecutor(threads, thread_name_prefix="pool-output") as pool:
        futures = [pool.submit(work, each) for each in given]
        for future in futures:
            future.add_done_callback(found.put)
        left = len(futures)
        try:
            while left:
                result = found.get()
                if isinstance(result, Future):
                    left -= 1
                    result.result()
                else:
                    room.release()
                    yield result
        finally:
            stopped.set()
            for future in futures:
                future.cancel()
            room.release(threads)  # each thread waits for it at most once more
