"""The model in use: with which a start begins, and how another takes its place meanwhile.

A new file counts only after a trial: it loads, its outputs are understood, its labels count, and
its answer is sound, for the last frame if there was one, else for a picture of ours and then for
the first frame that comes. Until then, and if it fails, the last good model runs.
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
"""How long the step of the change listens before it says that it lives."""

_MEND = "holds numbers that are none, or boxes that are none; export it again"

Load = Callable[[], LoadedModel]
"""Reads the settings' model anew; raises `ConfigurationError`."""


class CurrentModel:
    """A detector behind which the real one can be changed.

    Each answer names the model that gave it, so that a frame which was analysed during a change is
    recorded with the right one.
    """

    def __init__(self, detector: LoadedModel, *, trouble: str | None = None) -> None:
        self.detector = detector
        self.trouble = trouble
        """What is wrong with the file at AGENT_MODEL, so that this model runs instead of it."""
        self._latest: tuple[Pixels, Prediction] | None = None

    @property
    def info(self) -> ModelInfo:
        """The model in use."""
        return self.detector.info

    @property
    def latest(self) -> tuple[Pixels, Prediction] | None:
        """The last picture that was looked at, and what was seen."""
        return self._latest

    def warn(self, log: Log) -> None:
        """Say what of the model in use is worth mending, though it works."""
        if self.detector.wasteful is not None:
            log.warning("model batch wasted", model=self.info.name, error=self.detector.wasteful)

    def detect(self, pixels: Pixels) -> Prediction:
        """Prediction as the model in use does."""
        answer = self.detector.detect(pixels)
        self._latest = pixels, answer
        return answer

    def change(self, detector: LoadedModel) -> None:
        """Use another from now on; a run that is under way ends with the old one."""
        self.detector = detector
        self.trouble = None


def first_model(load: Load, store: ModelStore, *, log: Log) -> CurrentModel:
    """Load the model to begin with: the settings', or where its file is bad the last good one.

    Raises `ConfigurationError` where there is no last good one that may run.
    """
    try:
        detector = load()
    except ModelUnusable as error:
        return _kept(store.instead(error), error, log)
    try:
        return CurrentModel(sound(detector))
    except ModelUnusable as error:
        with contextlib.suppress(ConfigurationError):
            return _kept(sound(store.instead(error)), error, log)
    # Without another one it runs all the same: frames with such answers are captured.
    return CurrentModel(detector)


Tried = TypeVar("Tried", bound=LoadedModel)


def sound(model: Tried) -> Tried:
    """Return a model that gives a sound answer for a picture of ours; raises `ModelUnusable`."""
    if model.detect(picture()).invalid:
        raise ModelUnusable(f"cannot use the model: its answer for a picture of greys {_MEND}")
    return model


def picture() -> Pixels:
    """A picture of greys, from dark to light in both directions."""
    rows, columns = np.ogrid[:480, :640]
    grey = (rows * 255 // 479 + columns * 255 // 639) // 2
    return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)


class ModelChange:
    """The step that takes up a new model file when somebody asks for it, and keeps what is good."""

    def __init__(
        self,
        current: CurrentModel,
        load: Load,
        store: ModelStore,
        *,
        loading: LoadHeartbeat,
        log: Log,
    ) -> None:
        self.current = current
        self.loading = loading
        self._load = load
        self._store = store
        self._log = log
        self._on_trial = current.trouble is None  # until its answer for a real frame is known
        self._alone = False  # no other model could take the place of the one on trial
        # Unlike that of an Event, its `put` may interrupt itself: a signal handler asks.
        self._asked: SimpleQueue[None] = SimpleQueue()

    def ask(self) -> None:
        """Look at the model file soon; may be called from a signal handler."""
        self._asked.put(None)

    def step(self) -> float:
        """Change the model if somebody asked; answers as a worker's step does."""
        with contextlib.suppress(Empty):
            self._asked.get(timeout=ASKED_S)
            while not self._asked.empty():
                self._asked.get_nowait()  # one change serves all who asked before it began
            self._change()
        if self._on_trial:
            self._judge()
        return 0.0

    def _change(self) -> None:
        old = self.current
        try:
            with self.loading.under_way():
                new = self._load()
                seen = self._require_fit(new)
        except ConfigurationError as error:
            old.trouble = str(error)
            _say_kept(old.info, error, self._log)
            return
        self._use(new)
        self._on_trial, self._alone = True, False
        if seen:
            self._proved()

    def _judge(self) -> None:
        """Look at what the model on trial said of its first real frame."""
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
        failure = ModelUnusable(f"cannot use the model: its answer for the first frame {_MEND}")
        try:
            with self.loading.under_way():
                old = self._store.instead(failure)
                self._require_fit(old)
        except ConfigurationError:
            self._alone = True  # it may still prove itself with a later frame
            return
        self.current.change(old)
        self.current.trouble = str(failure)
        self._on_trial = False
        _say_kept(old.info, failure, self._log)

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
        """Raise `ConfigurationError` unless the model can take the old one's place.

        Returns whether it has seen a real frame.
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
            raise ModelUnusable(f"cannot use the model: its answer for the last frame {_MEND}")
        return latest is not None


def _kept(detector: LoadedModel, error: ModelUnusable, log: Log) -> CurrentModel:
    _say_kept(detector.info, error, log)
    return CurrentModel(detector, trouble=str(error))


def _say_kept(info: ModelInfo, error: ConfigurationError, log: Log) -> None:
    log.error("model reload failed", model=info.name, sha256=info.sha256[:12], error=str(error))
