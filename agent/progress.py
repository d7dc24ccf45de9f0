"""What a worker's thread is doing now, so that a wait has a name and a limit.

Code that may take long says so with `doing` or `turn`. The worker whose thread runs it learns of it
without being passed down; in a thread without a worker nothing happens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from threading import Event, Lock
from typing import Protocol

_POLL_S = 0.5  # between two looks of a waiting thread at whether it is asked to stop

_current: ContextVar["Progress"] = ContextVar("the progress of this thread's worker")


class Stopping(Exception):
    """The worker was asked to stop while it waited for somebody else."""


class Progress(Protocol):
    """A worker, as the code that it runs sees it."""

    @property
    def stopping(self) -> bool:
        """Whether the worker was asked to stop."""

    def begin(self, what: str, *, limited: bool) -> str:
        """Note what the thread does from now on; return what it did until now.

        `limited`: it may take as long as a step, counted from now; otherwise any time.
        """


def watch(progress: Progress) -> Token[Progress]:
    """Report what this thread does to `progress`."""
    return _current.set(progress)


@contextmanager
def doing(what: str, *, limited: bool = True) -> Iterator[None]:
    """Name what happens inside the block; the time of a step starts again with it and after it."""
    progress = _current.get(None)
    if progress is None:
        yield
        return
    before = progress.begin(what, limited=limited)
    try:
        yield
    finally:
        progress.begin(before, limited=True)


def wait(done: Event, seconds: float) -> bool:
    """Wait for an event at most `seconds`; return whether it came.

    Raises `Stopping` when the worker is asked to stop meanwhile.
    """
    progress = _current.get(None)
    left = seconds
    while not done.wait(min(left, _POLL_S)):
        left -= _POLL_S
        if left <= 0:
            return False
        if progress is not None and progress.stopping:
            raise Stopping
    return True


@contextmanager
def turn(lock: Lock, what: str) -> Iterator[None]:
    """Hold `lock` inside the block. Its holder has a limit, so the wait for it has none.

    Raises `Stopping` when the worker is asked to stop meanwhile.
    """
    progress = _current.get(None)
    with doing(f"waits for {what}", limited=False):
        while not lock.acquire(timeout=_POLL_S):
            if progress is not None and progress.stopping:
                raise Stopping
    try:
        yield
    finally:
        lock.release()
