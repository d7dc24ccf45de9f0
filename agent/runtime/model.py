"""The model in use: which one a start loads, and how it is replaced while the daemon runs.

A new model file must pass a trial: it loads, its output format is recognized, its labels match the
outputs, and its output is valid for the last frame; if there was none, for a synthetic image and
then for the first frame. Until the trial is passed, or if it fails, the known-good model runs.
"""

import contextlib
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

import numpy as np

from agent.domain import ModelInfo, Pixels, Prediction
from agent.errors import ConfigurationError, ModelUnusable
from agent.logs import Log
from agent.ports import LoadedModel, ModelStore
from agent.runtime.load_heartbeat import LoadHeartbeat

ASKED_S = 0.5
"""How long one step waits for a reload request, in seconds."""

_BAD_OUTPUT = "contains NaN or Inf, or inverted boxes; re-export the model"

Load = Callable[[], LoadedModel]
"""Loads the model that the settings name; raises `ConfigurationError`."""


class CurrentModel:
    """A detector that delegates to the model in use, which can be replaced at any time.

    Each prediction names its model, so a frame that is analysed during a replacement is recorded
    with the right one.
    """

    def __init__(self, detector: LoadedModel, *, fallback_reason: str | None = None) -> None:
        self.detector = detector
        self.fallback_reason = fallback_reason
        """Why the file at AGENT_MODEL is not used and this model is; None if it is used."""
        self._latest: tuple[Pixels, Prediction] | None = None

    @property
    def info(self) -> ModelInfo:
        """The model in use."""
        return self.detector.info

    @property
    def latest(self) -> tuple[Pixels, Prediction] | None:
        """The last frame that was analysed, and its prediction."""
        return self._latest

    def warn(self, log: Log) -> None:
        """Log what should be improved about the model in use, although it works."""
        if self.detector.batch_waste is not None:
            log.warning("model batch wasted", model=self.info.name, error=self.detector.batch_waste)

    def detect(self, pixels: Pixels) -> Prediction:
        """Run the model in use."""
        prediction = self.detector.detect(pixels)
        self._latest = pixels, prediction
        return prediction

    def change(self, detector: LoadedModel) -> None:
        """Use another model from now on; a run in progress finishes with the old one."""
        self.detector = detector
        self.fallback_reason = None


def first_model(load: Load, store: ModelStore, *, log: Log) -> CurrentModel:
    """Load the configured model, or the known-good model if the configured file is bad.

    Raises `ConfigurationError` if there is no known-good model that may run.
    """
    try:
        detector = load()
    except ModelUnusable as error:
        return _fallback(store.fallback(error), error, log)
    try:
        return CurrentModel(sound(detector))
    except ModelUnusable as error:
        with contextlib.suppress(ConfigurationError):
            return _fallback(sound(store.fallback(error)), error, log)
    # There is no other model, so this one runs; frames with invalid output are captured.
    return CurrentModel(detector)


Tried = TypeVar("Tried", bound=LoadedModel)


def sound(model: Tried) -> Tried:
    """Return `model` if its output for a synthetic image is valid; raises `ModelUnusable`."""
    if model.detect(synthetic_image()).invalid:
        raise ModelUnusable(f"cannot use the model: its output for a grey test image {_BAD_OUTPUT}")
    return model


def synthetic_image() -> Pixels:
    """Return a grey image, from dark to light in both directions."""
    rows, columns = np.ogrid[:480, :640]
    grey = (rows * 255 // 479 + columns * 255 // 639) // 2
    return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)


class ModelChange:
    """The step that loads a new model file on request, and saves a model that passed its trial."""

    def __init__(
        self,
        current: CurrentModel,
        load: Load,
        store: ModelStore,
        *,
        heartbeat: LoadHeartbeat,
        log: Log,
    ) -> None:
        self.current = current
        self.heartbeat = heartbeat
        self._load = load
        self._store = store
        self._log = log
        self._on_trial = (
            current.fallback_reason is None
        )  # until its prediction for a real frame is known
        self._alone = False  # there is no known-good model to fall back to
        # Reentrant, unlike Event: a signal handler calls `put`.
        self._asked: SimpleQueue[None] = SimpleQueue()

    def ask(self) -> None:
        """Request a reload of the model file; may be called from a signal handler."""
        self._asked.put(None)

    def step(self) -> float:
        """Reload the model if requested; returns the wait, as a worker's step does."""
        with contextlib.suppress(Empty):
            self._asked.get(timeout=ASKED_S)
            while not self._asked.empty():
                self._asked.get_nowait()  # one reload serves all requests before it
            self._change()
        if self._on_trial:
            self._check_first_frame()
        return 0.0

    def _change(self) -> None:
        old = self.current
        try:
            with self.heartbeat.under_way():
                new = self._load()
                seen = self._require_fit(new)
        except ConfigurationError as error:
            old.fallback_reason = str(error)
            _log_failure(old.info, error, self._log)
            return
        self._use(new)
        self._on_trial, self._alone = True, False
        if seen:
            self._proved()

    def _check_first_frame(self) -> None:
        """Check the prediction of the model on trial for its first real frame."""
        latest = self.current.latest
        if latest is None or latest[1].model is not self.current.info:
            return
        if not latest[1].invalid:
            self._proved()
        elif not self._alone:
            self._go_back()

    def _proved(self) -> None:
        self._on_trial = False
        self._store.keep(self.current.detector)

    def _go_back(self) -> None:
        failure = ModelUnusable(
            f"cannot use the model: its output for the first frame {_BAD_OUTPUT}"
        )
        try:
            with self.heartbeat.under_way():
                old = self._store.fallback(failure)
                self._require_fit(old)
        except ConfigurationError:
            self._alone = True  # it may still pass with a later frame
            return
        self.current.change(old)
        self.current.fallback_reason = str(failure)
        self._on_trial = False
        _log_failure(old.info, failure, self._log)

    def _use(self, new: LoadedModel) -> None:
        before = self.current.info
        self.current.change(new)
        self._log.info(
            "model changed",
            model=new.info.name,
            sha256=new.info.sha256[:12],
            before=before.sha256[:12],
            provider=new.info.provider,
            labels=len(new.info.labels),
        )
        self.current.warn(self._log)

    def _require_fit(self, new: LoadedModel) -> bool:
        """Raise `ConfigurationError` unless the model can replace the old one.

        Returns whether it has analysed a real frame.
        """
        old = self.current.info
        if new.info.task != old.task:
            raise ConfigurationError(
                f"cannot change from a model that must {old.task} to one that must "
                f"{new.info.task} while running: restart capture-agent"
            )
        latest = self.current.latest
        if latest is None:
            sound(new)
        elif new.detect(latest[0]).invalid:
            raise ModelUnusable(
                f"cannot use the model: its output for the last frame {_BAD_OUTPUT}"
            )
        return latest is not None


def _fallback(detector: LoadedModel, error: ModelUnusable, log: Log) -> CurrentModel:
    _log_failure(detector.info, error, log)
    return CurrentModel(detector, fallback_reason=str(error))


def _log_failure(info: ModelInfo, error: ConfigurationError, log: Log) -> None:
    log.error("model reload failed", model=info.name, sha256=info.sha256[:12], error=str(error))
