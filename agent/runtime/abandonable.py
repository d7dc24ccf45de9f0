"""A call that may hang in a library or a driver: its caller stops waiting for it after a limit."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Abandonable(Generic[Result]):
    """A call in a thread of its own; the end of the process does not wait for that thread."""

    def __init__(self, call: Callable[[], Result], *, name: str) -> None:
        """Begin the call."""
        self._call = call
        self._ended = threading.Event()
        self._results: list[Result] = []
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end for at most `seconds`; return whether it came."""
        return self._ended.wait(seconds)

    def result(self) -> Result:
        """Return what the call returned, after its end; raises as the call did."""
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _run(self) -> None:
        with self:
            self._results.append(self._call())
        self._ended.set()

    def __enter__(self) -> None:
        """Store an error of the block for `result`."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._error = error
        return True


def within(seconds: float, call: Callable[[], Result], *, name: str) -> Result | None:
    """Return what `call` returns, or None if it has not ended after `seconds`."""
    attempt = Abandonable(call, name=name)
    return attempt.result() if attempt.wait(seconds) else None
