"""When a model cannot be used: whether the known-good model may run instead, and with what."""

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

LoadCopy = Callable[[Path], OnnxDetector]
"""Loads a model with the hardware settings only; raises as `load_detector`."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The operator's settings of the model."""

    path: Path | None  # None: the bundled model
    sha256: str | None = None  # the checksum that the file must have
    others: Mapping[str, str] = field(default_factory=dict)  # format, labels, input

    @property
    def all(self) -> dict[str, str]:
        """The settings as texts, to be compared with those that a copy ran with."""
        return {"AGENT_MODEL": str(self.path or ""), **self.others}


class ModelFallback:
    """The last model that ran on this device, kept through restarts."""

    def __init__(
        self, store: KnownGoodStore, settings: ModelSettings, load: LoadCopy, *, log: Log
    ) -> None:
        self._store = store
        self._settings = settings
        self._load = load
        self._log = log

    def keep(self, model: LoadedModel) -> None:
        """Copy a model that ran. If it is the bundled one, delete the copy: none is needed.

        A disk error does not stop the agent: it is logged, and the previous copy stays.
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
                        weight_files=model.file.weight_files,
                        description=sidecar_text(model.description),
                        settings=self._settings.all,
                    )
                )
        except OSError as error:
            self._log.warning("model save failed", model=model.info.name, error=str(error))

    def is_available(self) -> bool:
        """Whether a model other than the settings' file could run instead of it."""
        kept = self._store.look() if self._settings.path else None
        return kept is not None and self._may_run(kept) and self._settings_sha256() != kept.sha256

    def fallback(self, failure: ModelUnusable) -> OnnxDetector:
        """Load the known-good model; raise `failure` if there is none that may run.

        It may not run if only the settings changed, because then the operator must fix them, nor
        if AGENT_MODEL_SHA256 demands another file.
        """
        kept = self._store.look() if self._settings.path else None
        if kept is None or not self._may_run(kept):
            raise failure
        path = self._store.verify(kept)
        if path is None:
            raise ModelUnusable(f"{failure} (the copy of the known-good model is damaged)")
        try:
            return self._load(path)
        except ConfigurationError as error:
            raise ModelUnusable(
                f"{failure} (the known-good model cannot run either: {error})"
            ) from error

    def _may_run(self, kept: KnownGoodModel) -> bool:
        demanded = self._settings.sha256
        if demanded is not None and demanded.strip().lower() != kept.sha256:
            return False
        if self._settings.all == kept.settings:
            return True
        # The settings changed. If the file is missing or is the known-good one, the settings are
        # the cause of the failure.
        return self._settings_sha256() not in (None, kept.sha256)

    def _settings_sha256(self) -> str | None:
        """The sha256 of the settings' file; None if it cannot be read."""
        with contextlib.suppress(ModelUnusable):
            return checksum(self._settings.path) if self._settings.path else None
        return None
