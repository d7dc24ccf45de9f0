"""The model in use, and how another takes its place while frames keep coming."""

import contextlib
from collections.abc import Callable
from queue import Empty, SimpleQueue

from agent.domain import Answer, ModelInfo, Pixels
from agent.errors import ConfigurationError
from agent.logs import Log
from agent.ports import Detector

ASKED_S = 0.5
"""How long the step of the change listens before it says that it lives."""


class CurrentModel:
    """A detector behind which the real one can be changed.

    Each answer names the model that gave it, so that a frame which was analysed during a change is
    recorded with the right one.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._latest: Pixels | None = None

    @property
    def info(self) -> ModelInfo:
        """The model in use."""
        return self._detector.info

    @property
    def latest(self) -> Pixels | None:
        """The last picture that was looked at."""
        return self._latest

    def detect(self, pixels: Pixels) -> Answer:
        """Answer as the model in use does."""
        self._latest = pixels
        return self._detector.detect(pixels)

    def change(self, detector: Detector) -> None:
        """Use another from now on; a run that is under way ends with the old one."""
        self._detector = detector


class ModelChange:
    """The step that takes up a new model file when somebody asks for it.

    A new model must load, be of the same task, and give a sound answer for the last real frame.
    Until it has, and if it does not, the old one stays in use.
    """

    def __init__(self, current: CurrentModel, load: Callable[[], Detector], *, log: Log) -> None:
        """`load` reads the settings' model anew; it raises `ConfigurationError`."""
        self._current = current
        self._load = load
        self._log = log
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
        return 0.0

    def _change(self) -> None:
        old = self._current.info
        try:
            new = self._load()
            self._require_fit(new)
        except ConfigurationError as error:
            self._log.error("model kept", model=old.name, sha256=old.sha256[:12], error=str(error))
            return
        self._current.change(new)
        self._log.info(
            "model changed",
            model=new.info.name,
            sha256=new.info.sha256[:12],
            before=old.sha256[:12],
            provider=new.info.provider,
            labels=len(new.info.labels),
        )

    def _require_fit(self, new: Detector) -> None:
        """Raise `ConfigurationError` unless the model can take the old one's place."""
        old = self._current.info
        if new.info.task != old.task:
            raise ConfigurationError(
                f"cannot change from a model that must {old.task} to one that must "
                f"{new.info.task} while running: restart capture-agent"
            )
        pixels = self._current.latest
        if pixels is not None and new.detect(pixels).invalid:
            raise ConfigurationError(
                "cannot use the new model: its answer for the last frame holds numbers that are "
                "none, or boxes that are none; export it again"
            )
