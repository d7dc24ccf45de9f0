"""Keeps the service manager waiting while a model is loaded, for a limited time.

An engine for a GPU takes minutes to build. `EXTEND_TIMEOUT_USEC` moves both the end of a start and
that of the watchdog (systemd's `service_extend_timeout`), each time from now on, so each message
asks for the rest of one limit: a load that hangs is detected at that limit.
onnxruntime 1.23 and older hold Python's lock while they load (measured; 1.32 does not), so the
first message may be the only one that is sent, and asks for the whole limit.

It never sends `WATCHDOG=1`. Before `READY=1` that would start the watchdog; afterwards it vouches
for all workers, so only the supervisor sends it. As it resets the watchdog's extended timeout, the
supervisor calls `tell` right after it.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from agent.errors import TemporaryError
from agent.ports import Clock, Notifier
from agent.runtime.abandonable import Abandonable

BEAT_S = 10.0
"""Seconds between two messages during a start."""

Result = TypeVar("Result")


class LoadHeartbeat:
    """Tells the service manager that a model is being loaded, while one is."""

    def __init__(self, limit: float, *, notifier: Notifier, clock: Clock) -> None:
        """`limit`: seconds that a load may take."""
        self.limit = limit
        self._notifier = notifier
        self._clock = clock
        self._began: float | None = None

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """Mark the block as loading a model."""
        self._began = self._clock.monotonic()
        self.tell()
        try:
            yield
        finally:
            self._began = None

    def tell(self) -> None:
        """Ask for the rest of the limit; do nothing if no model is loaded or the limit passed."""
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
        """Run `load` in another thread and call `tell` every `BEAT_S`; raises as `load` does.

        Raises:
            TemporaryError: It did not end within the limit; its thread is abandoned.
        """
        began = self._clock.monotonic()
        with self.under_way():
            loading = Abandonable(load, name="load")
            while not loading.wait(BEAT_S):
                if self._clock.monotonic() - began > self.limit:
                    raise TemporaryError(
                        f"cannot load the model: it took longer than {self.limit:.0f} s; if it "
                        "does so again, suspect the driver of AGENT_PROVIDERS, or the file at "
                        "AGENT_MODEL"
                    )
                self.tell()
        return loading.result()
