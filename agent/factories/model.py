"""The model of the settings, its fallback, and what it runs on."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import ConfigurationError
from agent.files import Disk

if TYPE_CHECKING:
    from collections.abc import Collection

    from agent.detector.detector import OnnxDetector
    from agent.detector.fallback.fallback import ModelFallback
    from agent.detector.providers import Hardware
    from agent.domain import ModelInfo, Task
    from agent.logs import Log
    from agent.settings.declarations import Settings


_MODEL_S, _ENGINE_S = 120.0, 1800.0


def detector_of(settings: Settings) -> OnnxDetector:
    """The model that the settings name, loaded; raises `ConfigurationError`.

    It has each label of AGENT_REDACT.
    """
    from agent.detector.detector import load_detector

    detector = load_detector(
        settings.model,
        model_format=settings.model_format,
        labels=settings.model_labels,
        model_input=settings.model_input,
        sha256=settings.model_sha256,
        hardware=_hardware(settings),
        floor=settings.floor,
    )
    require_labels(detector.info, settings.redact)
    return detector


def application_task(settings: Settings) -> Task | None:
    """Return the task if each frame of each camera comes with predictions; else None.

    The agent's model is not loaded then. All cameras have one task, see `settings/pushed.py`.
    """
    tasks = [camera.task for camera in settings.cameras]
    return tasks[0] if tasks and all(tasks) else None


def require_task(settings: Settings, task: Task) -> None:
    """Raise `ConfigurationError` if an application sends predictions of another task."""
    for camera in settings.cameras:
        if camera.task is not None and camera.task is not task:
            raise ConfigurationError(
                f"AGENT_CAMERAS: {camera.name}={camera.shown}: the task of the model is {task}, "
                "and one daemon has rules for one task; use a model of the task "
                f"{camera.task} for the other cameras, write push:?task={task}, or run another "
                "daemon for this camera"
            )


def require_labels(model: ModelInfo, redact: Collection[str]) -> None:
    """Raise `ConfigurationError` unless a model finds all labels that are to be pixelated."""
    from agent.detector.threshold_labels import unknown_labels
    from agent.domain import OBJECT_TASKS

    if not redact:
        return
    if model.task not in OBJECT_TASKS:
        raise ConfigurationError(
            f"AGENT_REDACT: the model {model.name} is a classifier, which says nowhere where "
            "something is; unset AGENT_REDACT and hide regions with AGENT_MASKS, or use a detector"
        )
    unknown = unknown_labels(redact, model.labels)
    if unknown:
        raise ConfigurationError(
            f"AGENT_REDACT: the model {model.name} has no label {unknown}, so it would stay "
            "visible; use the labels of the model, or another model"
        )


def model_seconds(settings: Settings) -> float:
    """Return how many seconds loading the model may take, and building an engine for it."""
    from agent.detector.providers import builds_engines

    return _ENGINE_S if builds_engines(settings.providers) else _MODEL_S


def model_variables(settings: Settings) -> dict[str, str]:
    """Return the variables of the model whose paths may be relative, with absolute ones."""
    labels = settings.model_labels
    with contextlib.suppress(OSError, ValueError):  # a long list is not a valid file name
        labels = str(Path(labels).absolute()) if Path(labels).is_file() else labels
    found = {
        "AGENT_MODEL_LABELS": labels,
        "AGENT_SPOOL_DIR": str(settings.spool_dir),
        "AGENT_STATE_DIR": str(settings.state_dir),
    }
    if settings.model is not None:
        found["AGENT_MODEL"] = str(settings.model.absolute())
    return found


def model_fallback(settings: Settings, *, log: Log) -> ModelFallback:
    """Return the known-good model of the settings' spool, which runs when a new file fails."""
    from agent.detector.detector import load_detector
    from agent.detector.fallback.fallback import ModelFallback, ModelSettings
    from agent.detector.fallback.known_good import KnownGoodStore, known_good_folder

    folder = known_good_folder(settings.state_dir, settings.spool_dir)

    def load(path: Path) -> OnnxDetector:
        copy = load_detector(
            path,
            sha256=settings.model_sha256,
            hardware=_hardware(settings),
            floor=settings.floor,
        )
        require_labels(copy.info, settings.redact)
        return copy

    return ModelFallback(
        KnownGoodStore(
            folder, Disk(), spool=settings.spool_dir, min_free=int(settings.spool_min_free)
        ),
        ModelSettings(
            settings.model,
            settings.model_sha256,
            {
                "AGENT_MODEL_FORMAT": settings.model_format,
                "AGENT_MODEL_LABELS": settings.model_labels,
                "AGENT_MODEL_INPUT": str(settings.model_input or ""),
            },
        ),
        load,
        log=log,
    )


def _hardware(settings: Settings) -> Hardware:
    from agent.detector.providers import Hardware

    return Hardware(settings.providers, settings.inference_threads, engine_folder(settings))


def engine_folder(settings: Settings) -> Path:
    """Where providers cache the engines that they build."""
    return settings.state_dir / "engines"


def inference_workers(settings: Settings) -> int:
    """How many frames are analysed at once; each run has `AGENT_INFERENCE_THREADS` threads."""
    if settings.inference_workers != "auto":
        return settings.inference_workers
    return max(1, len(os.sched_getaffinity(0)) // settings.inference_threads)
