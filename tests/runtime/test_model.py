"""A model is changed while frames keep coming, or the old one stays."""

from dataclasses import replace

import numpy as np
import pytest
from runtime_builders import MODEL, Recorder

from agent.domain import Answer, ModelInfo, Pixels
from agent.errors import ConfigurationError
from agent.events import EVENTS
from agent.ports import Detector
from agent.runtime.model import CurrentModel, ModelChange

PICTURE = np.zeros((4, 6, 3), np.uint8)
OTHER = replace(MODEL, name="other", sha256="1" * 64)


class Fixed:
    """A detector of one answer."""

    def __init__(self, info: ModelInfo, *, invalid: bool = False) -> None:
        self.info = info
        self._invalid = invalid

    def detect(self, pixels: Pixels) -> Answer:
        return Answer(self.info, invalid=self._invalid)


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.runtime.model.ASKED_S", 0.01)


def test_a_new_model_is_used_once_somebody_asked(log: Recorder) -> None:
    current = CurrentModel(Fixed(MODEL))
    change = ModelChange(current, lambda: Fixed(OTHER), log=log.log)

    change.step()
    assert current.detect(PICTURE).model == MODEL
    change.ask()
    change.ask()
    change.step()
    change.step()

    assert current.detect(PICTURE).model == OTHER
    assert current.info == OTHER
    assert log.one("model changed")["sha256"] == "1" * 12
    assert "model changed" in EVENTS


def broken() -> Detector:
    raise ConfigurationError("cannot load the model m.onnx: it is a text")


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (broken, "it is a text"),
        (lambda: Fixed(OTHER, invalid=True), "its answer for the last frame"),
        (lambda: Fixed(replace(OTHER, task="classify")), "restart"),
    ],
)
def test_a_new_model_that_does_not_work_changes_nothing(
    load: object, words: str, log: Recorder
) -> None:
    current = CurrentModel(Fixed(MODEL))
    current.detect(PICTURE)
    change = ModelChange(current, load, log=log.log)  # type: ignore[arg-type]  # of the table

    change.ask()
    change.step()

    assert current.detect(PICTURE).model == MODEL
    assert words in log.one("model kept")["error"]
    assert log.events == ["model kept"]
    assert "model kept" in EVENTS
