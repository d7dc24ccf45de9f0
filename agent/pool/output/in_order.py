"""Works on many things at the same time, and gives the results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


def in_order(act: Callable[[_T], _R], given: Iterable[_T], *, threads: int) -> Iterator[_R]:
    """Yield what `act` returns for each, in the order of `given`.

    At most twice as many results as threads are in memory. What `act` raises is raised at its
    turn; what was not begun then is not done.
    """
    waiting: deque[Future[_R]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="pool-output") as pool:
        try:
            for each in given:
                waiting.append(pool.submit(act, each))
                if len(waiting) == 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
