"""The model that the daemon starts with, and the step that can replace it."""

import itertools
import threading
from collections.abc import Callable
from typing import TypeVar

from agent.detector.application_model import ApplicationModel
from agent.detector.detector import OnnxDetector
from agent.detector.engines import prune_engines
from agent.detector.fallback.subprocess_check import check_in_subprocess
from agent.errors import TemporaryError
from agent.factories.model import (
    application_task,
    detector_of,
    engine_folder,
    model_fallback,
    model_seconds,
    model_variables,
    require_task,
)
from agent.logs import Log
from agent.ports import Clock, Notifier
from agent.runtime.load_heartbeat import LoadHeartbeat
from agent.runtime.model import CurrentModel, ModelChange, first_model
from agent.settings.declarations import Settings

_PROVIDER_RETRIES_S = (5.0, 10.0, 20.0, 60.0)

Loaded = TypeVar("Loaded")


def running_model(
    settings: Settings, *, notifier: Notifier, clock: Clock, log: Log
) -> tuple[ModelChange | None, CurrentModel]:
    """Load the model, or the known-good one, and return the step that can replace it.

    There is no such step, and nothing is loaded, if an application sends all predictions.
    """
    task = application_task(settings)
    if task is not None:
        log.info("model not loaded", task=task.value)
        return None, CurrentModel(ApplicationModel(task))
    store = model_fallback(settings, log=log)
    prune_engines(engine_folder(settings))
    limit = model_seconds(settings)
    heartbeat = LoadHeartbeat(
        2 * limit, notifier=notifier, clock=clock
    )  # tried in a subprocess, then loaded

    def load() -> OnnxDetector:
        if settings.model is not None and store.is_available():
            check_in_subprocess(settings.model, limit, settings=model_variables(settings))
        return detector_of(settings)

    def load_when_ready() -> OnnxDetector:
        return when_ready(load, log=log, pause=threading.Event().wait)

    current = heartbeat.awaited(lambda: first_model(load_when_ready, store, log=log))
    detector = current.detector
    log.info(
        "model loaded",
        model=detector.info.name,
        sha256=detector.info.sha256[:12],
        provider=detector.info.provider,
        labels=len(detector.info.labels),
        decided=detector.decided,
        features=detector.object_features,
    )
    require_task(settings, detector.info.task)
    current.threshold_labels = tuple(settings.thresholds)
    current.warn(log)
    return ModelChange(current, load, store, heartbeat=heartbeat, log=log), current


def when_ready(load: Callable[[], Loaded], *, log: Log, pause: Callable[[float], object]) -> Loaded:
    """Load the model, and wait while the hardware of a provider that was named is not there yet.

    The driver of a GPU may be loaded later than the agent. Nobody has to change anything then, so
    the process does not end. `pause` takes seconds.
    """
    for wait in itertools.chain(_PROVIDER_RETRIES_S, itertools.repeat(_PROVIDER_RETRIES_S[-1])):
        try:
            return load()
        except TemporaryError as error:
            log.warning("provider unavailable", error=str(error), retry_in_s=wait)
            pause(wait)
    raise AssertionError("the waits never end")
