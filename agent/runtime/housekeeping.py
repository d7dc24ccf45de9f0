"""Periodic work that may block on the disk, kept off the main thread."""

import contextlib

from agent.errors import SpoolUnavailable
from agent.ports import Clock, Notifier
from agent.runtime.garbage import free_memory
from agent.runtime.inference import Inference
from agent.runtime.live import LiveState
from agent.runtime.metrics import Metrics
from agent.runtime.summary import Summary
from agent.runtime.uploader import Uploader
from agent.spool.spool import Spool

SUMMARY_S = 60.0
MEMORY_S = 15 * 60.0
"""How often the selection's state is saved: more wears the SD card, less loses a day's ranks."""

TICK_S = 1.0


class Housekeeping:
    """Report each minute, refresh the published state, and save the state of the selection."""

    def __init__(
        self,
        summary: Summary,
        inference: Inference,
        spool: Spool,
        uploader: Uploader | None,
        *,
        notifier: Notifier,
        clock: Clock,
        metrics: Metrics | None = None,
        live: LiveState | None = None,
    ) -> None:
        self._summary = summary
        self._inference = inference
        self._spool = spool
        self._uploader = uploader
        self._notifier = notifier
        self._clock = clock
        self._metrics = metrics
        self._live = live
        self._next_summary = clock.monotonic() + SUMMARY_S
        self._next_memory = clock.monotonic() + MEMORY_S

    def step(self) -> float:
        """Do what is due; return the wait, as a worker's step does."""
        now = self._clock.monotonic()
        if self._live is not None:
            self._live.refresh()
        if self._metrics is not None:
            self._metrics.watch(now)
        if now >= self._next_summary:
            self._notifier.notify(f"STATUS={self._summary.report()}")
            self._next_summary = now + SUMMARY_S
            free_memory()
        if now >= self._next_memory:
            self._save_selection()
            self._next_memory = now + MEMORY_S
        return TICK_S

    def close(self) -> None:
        """Save and report a last time, before the process ends."""
        if self._live is not None:
            self._live.refresh()
        self._save_selection()
        self._summary.report()

    def _save_selection(self) -> None:
        """Save the state of the selection; if the disk refuses, the next attempt saves it."""
        with contextlib.suppress(SpoolUnavailable):
            self._spool.keep_notes(self._inference.memory())
