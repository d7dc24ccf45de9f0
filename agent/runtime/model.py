"""The model in use: which one a start loads, and how it is replaced while the daemon runs.

A new model file must pass a trial: it loads, its output format is recognized, its labels match the
outputs, and its output is valid for the last frame; if there was none, for a synthetic image and
then for the first frame. Where there is a known-good model, the trial goes on for
`TRIAL_FRAMES` frames, and a run that fails ends it. If the trial fails, the known-good model runs;
so it does after `MANY_FAILED` failed runs in a row at any later time.
"""

import contextlib
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from agent.detector.threshold_labels import unknown_labels
from agent.domain import ModelInfo, Pixels, Prediction
from agent.errors import AgentError, ConfigurationError, ModelUnusable, TemporaryError
from agent.logs import Log
from agent.ports import LoadedModel, ModelStore
from agent.runtime.load_heartbeat import LoadHeartbeat
from agent.runtime.requested import Requested

TRIAL_FRAMES = 10
"""Frames that a new model must analyse before it replaces the copy of another known-good model."""

MANY_FAILED = 30
"""Failed runs in a row after which the known-good model replaces the model in use."""

_BAD_OUTPUT = "contains NaN or Inf, or inverted boxes; re-export the model"

Load = Callable[[], LoadedModel]
"""Loads the model that the settings name; raises `ConfigurationError`."""


@dataclass(slots=True)
class Runs:
    """What became of the frames that one model got."""

    sound: int = 0  # with valid output
    failed: int = 0  # without any output
    failed_in_a_row: int = 0
    failure: str = ""  # of the last failed run

    def count(self, prediction: Prediction) -> None:
        """Count one frame."""
        self.sound += not prediction.invalid
        if prediction.failure:
            self.failed += 1
            self.failed_in_a_row += 1
            self.failure = prediction.failure
        else:
            self.failed_in_a_row = 0


class CurrentModel:
    """A detector that delegates to the model in use, which can be replaced at any time.

    Each prediction names its model, so a frame that is analysed during a replacement is recorded
    with the right one.
    """

    def __init__(self, detector: LoadedModel, *, fallback_reason: str | None = None) -> None:
        self.detector = detector
        self.threshold_labels: Collection[str] = ()
        """The labels that have thresholds of their own."""
        self.fallback_reason = fallback_reason
        """Why the file at AGENT_MODEL is not used and this model is; None if it is used."""
        self.runs = Runs()
        """The frames that the model in use has analysed."""
        self._latest: tuple[Pixels, Prediction] | None = None
        self._counting = threading.Lock()

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
        unknown = unknown_labels(self.threshold_labels, self.info.labels)
        if unknown:
            log.warning("threshold unused", model=self.info.name, labels=unknown)

    def detect(self, pixels: Pixels) -> Prediction:
        """Run the model in use."""
        prediction = self.detector.detect(pixels)
        with self._counting:
            self._latest = pixels, prediction
            if prediction.model is self.info:
                self.runs.count(prediction)
        return prediction

    def change(self, detector: LoadedModel) -> None:
        """Use another model from now on; a run in progress finishes with the old one."""
        with self._counting:
            self.detector = detector
            self.runs = Runs()
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
    _require_sound(model.detect(synthetic_image()), "a grey test image")
    return model


def _require_sound(prediction: Prediction, image: str) -> None:
    """Raise `ModelUnusable` if the prediction for `image` is invalid."""
    if prediction.failure:
        raise ModelUnusable(_failed_on(image, prediction.failure))
    if prediction.invalid:
        raise ModelUnusable(f"cannot use the model: its output for {image} {_BAD_OUTPUT}")


def _failed_on(image: str, failure: str) -> str:
    return (
        f"cannot use the model: its run failed on {image}: {failure}; re-export it, if possible "
        "without NMS in the graph, which may fail where nothing is found"
    )


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
        self._failure_logged = False
        self._wanted: int | None = None  # frames that the trial needs; None: not yet decided
        self._requested = Requested()

    def ask(self) -> None:
        """Request a reload of the model file; may be called from a signal handler."""
        self._requested.ask()

    def step(self) -> float:
        """Reload the model if requested; returns the wait, as a worker's step does."""
        if self._requested.wait():
            self._change()
        if self._on_trial:
            self._judge()
        elif self._fails_often() and not self._alone:
            self._go_back(_failed_on(f"the last {MANY_FAILED} frames", self.current.runs.failure))
        self._log_lasting_failure()
        return 0.0

    def _fails_often(self) -> bool:
        return self.current.runs.failed_in_a_row >= MANY_FAILED

    def _log_lasting_failure(self) -> None:
        """Log once that each run of the model fails and that there is no other model."""
        lasting = self._fails_often() and self._alone
        if lasting and not self._failure_logged:
            self._log.error(
                "model run failed",
                model=self.current.info.name,
                failed=MANY_FAILED,
                error=self.current.runs.failure,
            )
        self._failure_logged = lasting

    def _change(self) -> None:
        old = self.current
        try:
            with self.heartbeat.under_way():
                new = self._load()
                seen = self._require_fit(new)
        except (ConfigurationError, TemporaryError) as error:
            old.fallback_reason = str(error)
            _log_failure(old.info, error, self._log)
            return
        if old.fallback_reason is None and _same(new, old.detector):
            self._log.info("model unchanged", model=new.info.name, sha256=new.info.sha256[:12])
            return
        self._use(new)
        self._on_trial, self._alone, self._wanted = True, False, None
        if seen:
            self.current.runs.sound += 1

    def _judge(self) -> None:
        """End the trial when the model has failed, or has analysed enough frames."""
        latest, runs = self.current.latest, self.current.runs
        has_frame = latest is not None and latest[1].model is self.current.info
        if runs.failed and not self._alone:
            self._go_back(_failed_on("a frame", runs.failure))
        elif has_frame and not runs.sound and not self._alone:
            self._go_back(f"cannot use the model: its output for the first frame {_BAD_OUTPUT}")
        elif runs.sound and (self._alone or runs.sound >= self._frames_wanted()):
            self._on_trial = self._alone = False
            self._store.keep(self.current.detector)

    def _frames_wanted(self) -> int:
        """Return how many frames the trial needs; it replaces the known-good model for good."""
        if self._wanted is None:
            self._wanted = TRIAL_FRAMES if self._store.is_available() else 1
        return self._wanted

    def _go_back(self, reason: str) -> None:
        """Use the known-good model again, if there is one other than the model in use."""
        failure = ModelUnusable(reason)
        try:
            with self.heartbeat.under_way():
                old = self._store.fallback(failure)
                if old.info.sha256 == self.current.info.sha256:
                    raise failure
                self._require_fit(old)
        except ConfigurationError:
            self._alone = True  # it may still pass with a later frame
            return
        self.current.change(old)
        self.current.fallback_reason = str(failure)
        self._on_trial = False
        _log_failure(old.info, failure, self._log)

    def _use(self, new: LoadedModel) -> None:
        before, ends_failure = self.current.info, self.current.fallback_reason is not None
        self.current.change(new)
        self._log.info(
            "model changed",
            model=new.info.name,
            sha256=new.info.sha256[:12],
            before=before.sha256[:12],
            provider=new.info.provider,
            labels=len(new.info.labels),
        )
        if ends_failure:
            self._log.error("model recovered", model=new.info.name, sha256=new.info.sha256[:12])
        self.current.warn(self._log)

    def _require_fit(self, new: LoadedModel) -> bool:
        """Raise `ConfigurationError` unless the model can replace the old one.

        Returns whether it has analysed a real frame.
        """
        old = self.current.info
        if new.info.task != old.task:
            raise ConfigurationError(
                f"cannot change from a model of the task {old.task} to one of the task "
                f"{new.info.task} while running: restart capture-agent"
            )
        latest = self.current.latest
        if latest is None:
            sound(new)
        else:
            _require_sound(new.detect(latest[0]), "the last frame")
        return latest is not None


def _same(new: LoadedModel, old: LoadedModel) -> bool:
    """Whether a model gives the same output as another for each frame."""
    return new.info == old.info and new.description == old.description


def _fallback(detector: LoadedModel, error: ModelUnusable, log: Log) -> CurrentModel:
    _log_failure(detector.info, error, log)
    return CurrentModel(detector, fallback_reason=str(error))


def _log_failure(info: ModelInfo, error: AgentError, log: Log) -> None:
    log.error("model reload failed", model=info.name, sha256=info.sha256[:12], error=str(error))
