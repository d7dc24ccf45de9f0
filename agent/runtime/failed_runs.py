"""Logs that a model failed on a frame: once, and while it goes on at most once an hour."""

import threading

from agent.domain import Prediction
from agent.logs import Log
from agent.ports import Clock

REPEAT_S = 3600.0
"""Seconds between two lines about one model."""


class FailedRuns:
    """The failed runs of all models since the last line. Thread-safe."""

    def __init__(self, *, clock: Clock, log: Log) -> None:
        self._clock = clock
        self._log = log
        self._lock = threading.Lock()
        self._next_by_model: dict[str, float] = {}  # sha256 -> time of the next line
        self._failed = 0

    def note(self, camera: str, prediction: Prediction) -> None:
        """Count the prediction if its run failed, and log it if a line is due."""
        if not prediction.failure:
            return
        now, model = self._clock.monotonic(), prediction.model
        with self._lock:
            self._failed += 1
            if now < self._next_by_model.get(model.sha256, now):
                return
            self._next_by_model[model.sha256] = now + REPEAT_S
            failed, self._failed = self._failed, 0
        self._log.warning(
            "model run failed",
            model=model.name,
            camera=camera,
            failed=failed,
            error=prediction.failure,
        )
