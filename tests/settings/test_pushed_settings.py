"""What must fit together where an application sends the frames."""

from pathlib import Path

import pytest

from agent.camera.address import parse_cameras
from agent.cli.camera_check import check_camera
from agent.cli.preflight import check_model
from agent.domain import Task
from agent.errors import ConfigurationError
from agent.factories.model import application_task, require_task
from agent.settings.load import without_environment
from tests.fakes.clock import ManualClock
from tests.settings.operator_environment import problems_of, settings_of

API = "127.0.0.1:8787"


def test_frames_of_an_application_need_the_api() -> None:
    assert problems_of(AGENT_CAMERAS="line=push: yard=/dev/video0") == [
        (
            "AGENT_CAMERAS: the application sends the frames of line to AGENT_API, which is off; "
            "set AGENT_API=unix:/run/capture-agent/api.sock, or AGENT_API=127.0.0.1:8787"
        )
    ]
    assert problems_of(AGENT_CAMERAS="line=push:", AGENT_API=API) == []


def test_one_daemon_has_rules_for_one_task() -> None:
    cameras = "a=push:?task=detect b=push:?task=classify"

    [problem] = problems_of(AGENT_CAMERAS=cameras, AGENT_API=API)

    assert "a and b have the tasks detect and classify, and one daemon" in problem


def test_all_problems_are_told_at_once() -> None:
    problems = problems_of(AGENT_CAMERAS="push:?task=classify", AGENT_REDACT="face")

    assert len(problems) == 2
    assert "the classifier of camera says nowhere where something is" in problems[1]


@pytest.mark.parametrize(
    ("cameras", "task"),
    [
        ("push:", None),
        ("push:?task=pose", Task.POSE),
        ("a=push:?task=pose b=push:?task=pose", Task.POSE),
        ("a=push:?task=pose b=push:", None),
        ("a=push:?task=pose b=/dev/video0", None),
    ],
)
def test_the_model_is_loaded_unless_all_frames_come_with_predictions(
    cameras: str, task: Task | None
) -> None:
    assert application_task(settings_of(AGENT_CAMERAS=cameras, AGENT_API=API)) is task


def test_a_loaded_model_has_the_task_of_the_pushed_predictions() -> None:
    settings = without_environment(cameras="line=push:?task=pose yard=/dev/video0", api=API)

    require_task(settings, Task.POSE)
    with pytest.raises(ConfigurationError, match="the task of the model is detect, and one daemon"):
        require_task(settings, Task.DETECT)


def test_check_passes_and_says_what_cannot_be_tried(tmp_path: Path) -> None:
    settings = without_environment(
        cameras="line=push:?task=obb", api=API, model=tmp_path / "missing.onnx"
    )

    assert check_camera(parse_cameras("line=push:?task=obb")[0], settings, ManualClock()) == (
        "push:?task=obb: the frames come from the application, with POST /v1/frames/line to "
        "127.0.0.1:8787, and cannot be tried now"
    )
    assert check_model(settings) == (
        "not loaded: the application sends predictions of the task obb with each frame"
    )
