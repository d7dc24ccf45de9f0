"""Fetches objects before they are asked for, while the model is busy with others."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread

_THREADS = 4


class Ahead:
    """Calls `fetch` in threads for what is expected. All methods are called from one thread.

    The threads are daemons: a process that ends does not wait for a store that does not answer.
    """

    def __init__(self, fetch: Callable[[str, int], bytes]) -> None:
        """`fetch` is called with a key and the most bytes; what it raises, `take` gives."""
        self._fetch = fetch
        self._futures: dict[str, Future[bytes]] = {}
        self._queue: SimpleQueue[tuple[Future[bytes], str, int]] = SimpleQueue()
        self._threads = 0

    def expect(self, wanted: Mapping[str, int]) -> None:
        """Begin to fetch these keys of at most so many bytes; what is not among them is dropped."""
        for key in self._futures.keys() - wanted.keys():
            self._futures.pop(key).cancel()
        for key, most in wanted.items():
            if key not in self._futures:
                self._futures[key] = Future()
                self._queue.put((self._futures[key], key, most))
        while self._threads < min(_THREADS, len(self._futures)):
            self._threads += 1
            Thread(target=self._work, daemon=True).start()

    def take(self, key: str) -> Future[bytes] | None:
        """Return what becomes the bytes of a key; None if it was not expected."""
        return self._futures.pop(key, None)

    def _work(self) -> None:
        while True:
            future, key, most = self._queue.get()
            if future.set_running_or_notify_cancel():
                try:
                    data = self._fetch(key, most)
                except BaseException as error:  # noqa: BLE001 (who takes it gets it)
                    future.set_exception(error)
                else:
                    future.set_result(data)
                    del data
            del future
