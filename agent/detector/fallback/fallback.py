"""When a model fails: whether the last good one may run in its stead, and with what."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.detector.detector import OnnxDetector
from agent.detector.fallback.known_good import KnownGoodModel, KnownGoodStore, ModelParts
from agent.detector.model_file.file import checksum
from agent.detector.model_file.sidecar import sidecar_text
from agent.errors import ConfigurationError, ModelUnusable
from agent.logs import Log
from agent.ports import LoadedModel

LoadPlain = Callable[[Path], OnnxDetector]
"""Loads a model with no other settings than those of the hardware; raises as `load_detector`."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What the operator says of the model."""

    path: Path | None  # None: the model that comes with the agent
    sha256: str | None = None  # no other file is wanted
    others: Mapping[str, str] = field(default_factory=dict)  # all that tells how to read it

    @property
    def all(self) -> dict[str, str]:
        """In words, to be compared with those of another time."""
        return {"AGENT_MODEL": str(self.path or ""), **self.others}


class ModelFallback:
    """The last model that proved itself on this device, through restarts."""

    def __init__(
        self, store: KnownGoodStore, settings: ModelSettings, load: LoadPlain, *, log: Log
    ) -> None:
        self._store = store
        self._settings = settings
        self._load = load
        self._log = log

    def keep(self, model: LoadedModel) -> None:
        """The model has proved itself: keep a copy of it, where it is not the bundled one.

        A disk that refuses is no reason to stop: it is logged, and the copy before stays.
        """
        try:
            if self._settings.path is None:
                self._store.forget()
            elif isinstance(model, OnnxDetector):
                model.file.require_unchanged()
                self._store.keep(
                    ModelParts(
                        model=model.file.path,
                        sha256=model.info.sha256,
                        beside=model.file.beside,
                        description=sidecar_text(model.description),
                        settings=self._settings.all,
                    )
                )
        except OSError as error:
            self._log.warning("model save failed", model=model.info.name, error=str(error))

    def has_other(self) -> bool:
        """Whether another model than that of the settings could run in its stead."""
        kept = self._store.look() if self._settings.path else None
        return kept is not None and self._may_run(kept) and self._there() != kept.sha256

    def instead(self, failure: ModelUnusable) -> OnnxDetector:
        """Load the last good model; raise `failure` where there is none that may run.

        None may where only the settings changed, which a person must mend, nor another one than
        AGENT_MODEL_SHA256 demands.
        """
        kept = self._store.look() if self._settings.path else None
        if kept is None or not self._may_run(kept):
            raise failure
        path = self._store.checked(kept)
        if path is None:
            raise ModelUnusable(f"{failure} (the copy of the last good model is damaged)")
        try:
            return self._load(path)
        except ConfigurationError as error:
            raise ModelUnusable(f"{failure} (nor does the last good model run: {error})") from error

    def _may_run(self, kept: KnownGoodModel) -> bool:
        demanded = self._settings.sha256
        if demanded is not None and demanded.strip().lower() != kept.sha256:
            return False
        if self._settings.all == kept.settings:
            return True
        # With other settings than those it ran with, the file must be another one, and there:
        # else the settings are what is wrong.
        return self._there() not in (None, kept.sha256)

    def _there(self) -> str | None:
        """The sha256 of the settings' file; None where it cannot be read."""
        with contextlib.suppress(ModelUnusable):
            return checksum(self._settings.path) if self._settings.path else None
        return None
