"""The feedback file of a daemon: a bad one stops nothing, a good one is taken up by a reload."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from agent.domain import ModelInfo
from agent.errors import ConfigurationError
from agent.exchange.state import FeedbackState
from agent.factories.feedback import feedback_of, required_feedback
from agent.runtime.feedback import FeedbackReload, feedback_state
from agent.selection.feedback import LONGEST, Feedback, Side, feedback_bytes
from agent.settings.declarations import Settings
from tests.fakes.feedback import MODEL, factor, feedback, of_another_model
from tests.fakes.log import Recorder

GATE = factor("flicker", Side.BELOW, 0.2, camera="gate", reviewed=41)
GIVEN = feedback(GATE, factor("isolated", Side.ABOVE, 1.01), weights={"car": 1.2})


def settings_with(path: Path) -> Settings:
    return Settings.model_construct(feedback=path)


class Device:
    """A daemon's feedback, beside a recorded log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.used: list[Feedback] = []
        self.logged = Recorder()
        self.reload = FeedbackReload(
            partial(required_feedback, settings_with(path)),
            self.used.append,
            model=lambda: MODEL,
            log=self.logged.log,
        )


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path / "feedback.json")


def test_a_file_is_taken_up_and_the_log_says_what_it_changes(device: Device) -> None:
    device.path.write_bytes(feedback_bytes(GIVEN))

    device.reload.load()

    assert device.used == [GIVEN]
    line = device.logged.one("feedback loaded")
    assert line["changes"] == "flicker below on gate: x0.2 after 41 reviews"
    assert line["captures"] == 41
    assert line["other_model"] is False


def test_a_missing_file_leaves_the_priors_until_a_reload_finds_it(device: Device) -> None:
    device.reload.load()

    assert not device.used
    assert device.logged.one("feedback refused")["kept"] == "none"
    assert feedback_state(device.reload) == FeedbackState(error=device.reload.error)

    device.path.write_bytes(feedback_bytes(GIVEN))
    device.reload.ask()
    device.reload.ask()
    device.reload.step()

    assert device.used == [GIVEN]
    assert device.logged.events == ["feedback refused", "feedback loaded", "feedback accepted"]


def test_a_damaged_file_leaves_the_one_before_in_use(device: Device) -> None:
    device.path.write_bytes(feedback_bytes(GIVEN))
    device.reload.load()
    device.path.write_bytes(feedback_bytes(GIVEN).replace(b"0.2", b"0.9"))

    device.reload.load()

    assert device.reload.current == GIVEN
    assert device.logged.one("feedback refused")["kept"] == GIVEN.sha256[:12]
    state = feedback_state(device.reload)
    assert state.sha256 == GIVEN.sha256
    assert state.error is not None
    assert "another hash" in state.error
    assert "capture-agent feedback" in state.error


def torn(path: Path) -> None:
    path.write_bytes(feedback_bytes(GIVEN)[:-40])


def huge(path: Path) -> None:
    path.write_bytes(b" " * (LONGEST + 1))


def of_strangers(path: Path) -> None:
    path.write_bytes(feedback_bytes(of_another_model(feedback(weights={"fish": 1.0}))))


def of_renamed_labels(path: Path) -> None:
    """The same model file, whose labels `AGENT_MODEL_LABELS` names otherwise."""
    path.write_bytes(feedback_bytes(feedback(weights={"fish": 1.0})))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (torn, "not valid JSON"),
        (huge, "more than 4 MB"),
        (os.mkfifo, "not a regular file"),
        (Path.mkdir, "not a regular file"),
        (of_strangers, "none of its labels, such as fish"),
        (of_renamed_labels, "none of its labels, such as fish; correct AGENT_MODEL_LABELS"),
        (lambda path: path.symlink_to(path), "symbolic links"),
        (lambda path: None, "no such file"),
    ],
)
def test_what_is_no_feedback_is_refused_with_reason_and_fix(
    make: Callable[[Path], object], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "feedback.json"
    make(path)

    with pytest.raises(ConfigurationError, match=reason) as refused:
        feedback_of(settings_with(path), MODEL)

    assert str(refused.value).startswith("cannot ")
    assert "feedback.json" in str(refused.value)


@pytest.mark.parametrize(
    "model", [MODEL, replace(MODEL, sha256="ef" * 32), replace(MODEL, sha256="ef" * 32, labels=())]
)
def test_a_retrained_model_with_the_same_labels_keeps_the_file(
    model: ModelInfo, tmp_path: Path
) -> None:
    path = tmp_path / "feedback.json"
    path.write_bytes(feedback_bytes(GIVEN))

    assert feedback_of(settings_with(path), model) == GIVEN
