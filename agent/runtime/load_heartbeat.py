"""A model that is being loaded: a wait that has a name and an end, told to the service manager.

An engine for a GPU takes minutes to build. `EXTEND_TIMEOUT_USEC` moves both the end of a start and
that of the watchdog (systemd's `service_extend_timeout`), each time from now on, so each message
asks for what is left of one limit: a load that hangs is found then, and not put off for ever.
onnxruntime 1.23 and older hold Python's lock while they load (measured; 1.32 does not), so the
first message may be the only one that gets through, and asks for all.

`WATCHDOG=1` is no part of it. Before `READY=1` it would start the watchdog, and afterwards it tells
of all workers, and is the supervisor's to send; but it moves the watchdog's end back to where it
was, so whoever sends it lets `tell` follow.
"""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from agent.ports import Clock, Notifier

BEAT_S = 10.0
"""How often a start says that it goes on."""

Result = TypeVar("Result")


class LoadHeartbeat:
    """Says that a model is being loaded, while one is."""

    def __init__(self, limit: float, *, notifier: Notifier, clock: Clock) -> None:
        """`limit`: seconds that a load may take."""
        self.limit = limit
        self._notifier = notifier
        self._clock = clock
        self._began: float | None = None

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """From here to the end of the block a model is being loaded."""
        self._began = self._clock.monotonic()
        self.tell()
        try:
            yield
        finally:
            self._began = None

    def tell(self) -> None:
        """Ask for what is left of the limit; says nothing when nothing is loaded, or it is over."""
        began = self._began
        if began is None:
            return
        passed = self._clock.monotonic() - began
        left = self.limit - passed
        if left > 0:
            self._notifier.notify(
                f"EXTEND_TIMEOUT_USEC={int(left * 1e6)}\nSTATUS=loading the model, {passed:.0f} s"
            )

    def awaited(self, load: Callable[[], Result]) -> Result:
        """Load in another thread, and tell each beat that it goes on; raises as `load` does."""
        with self.under_way(), ThreadPoolExecutor(1, "load") as pool:
            future = pool.submit(load)
            while not wait([future], timeout=BEAT_S).done:
                self.tell()
            return future.result()
