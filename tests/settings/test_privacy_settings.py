"""What AGENT_MASKS and AGENT_REDACT refuse, and to which parts of the agent they reach."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.camera.address import parse_camera
from agent.camera.masked import MaskedSource
from agent.domain import Box, Detection, ModelInfo, Task
from agent.errors import ConfigurationError, ModelUnusable
from agent.factories.cameras import frame_source, masks_of_recording
from agent.factories.images import clip_encoder, image_encoder, viewing_encoder
from agent.factories.model import detector_of, model_fallback, require_labels
from agent.factories.selection import selection_plan
from agent.replay.frames import address_of
from agent.settings.declarations import Settings
from agent.settings.load import without_environment
from tests.detector.planted_models import fixed_model
from tests.fakes.captures import observed_pixels
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.settings.operator_environment import problems_of, settings_of

TWO = "gate=/dev/video0 yard=/dev/video1"
LEFT = "0,0 0.5,0 0.5,1 0,1"
MODEL = ModelInfo("street", "0" * 64, Task.DETECT, "CPU", ("person", "license plate", "car"))


def test_masks_are_checked_against_the_cameras() -> None:
    assert problems_of(AGENT_CAMERAS=TWO, AGENT_MASKS=f"gate:{LEFT}; yard:{LEFT}") == []
    [problem] = problems_of(AGENT_CAMERAS=TWO, AGENT_MASKS=f"gat:{LEFT}; {LEFT}; yard:0,0 5,5 9,9")

    assert problem.startswith("AGENT_MASKS: 'gat:0,0 0.5,0")
    assert "there is no camera gat; did you mean gate?" in problem
    assert "whose is it?" in problem
    assert "one line" in problem


def test_masks_beside_invalid_cameras_are_parsed_without_their_names() -> None:
    problems = problems_of(AGENT_CAMERAS="gate=ftp://host", AGENT_MASKS=f"roof:{LEFT}; roof:0,0 1")

    assert [line.partition(":")[0] for line in problems] == ["AGENT_CAMERAS", "AGENT_MASKS"]


def test_one_camera_needs_no_name() -> None:
    settings = settings_of(AGENT_CAMERAS="/dev/video0", AGENT_MASKS=LEFT)

    source = frame_source(settings.cameras[0], settings, fps=5, clock=ManualClock())

    assert isinstance(source, MaskedSource)


def test_only_the_cameras_with_masks_are_painted() -> None:
    log = Recorder().log
    settings = settings_of(AGENT_CAMERAS=TWO, AGENT_MASKS=f"gate:{LEFT}")
    sources = [
        frame_source(camera, settings, fps=5, clock=ManualClock(), log=log)
        for camera in settings.cameras
    ]

    assert [isinstance(source, MaskedSource) for source in sources] == [True, False]


def test_masks_that_do_not_fit_are_logged(tmp_path: Path) -> None:
    for number, width in enumerate((32, 64, 64, 32)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((32, width, 3), np.uint8))
    log = Recorder()
    settings = settings_of(AGENT_CAMERAS=f"gate={tmp_path}", AGENT_MASKS="0,0 8,0 8,8")
    source = frame_source(settings.cameras[0], settings, fps=0, clock=ManualClock(), log=log.log)

    while source.read() is not None:
        pass

    assert log.events == ["mask misfit"]
    assert "the frames have 64x32" in log.one("mask misfit")["error"]
    assert {line["camera"] for line in log.lines} == {"gate"}


def settings_for(folder: Path, cameras: str, masks: str) -> Settings:
    for name in ("gate", "yard", "street"):
        (folder / f"{name}.mp4").touch()
    environment = {"AGENT_CAMERAS": cameras.replace("DIR", str(folder)), "AGENT_MASKS": masks}
    return settings_of(**{name: text for name, text in environment.items() if text})


@pytest.mark.parametrize(
    ("cameras", "masks", "recording", "count"),
    [
        ("", "", "street", 0),
        ("", LEFT, "street", 1),  # of the only camera
        ("", f"gate:{LEFT}", "street", 1),
        ("", f"gate:{LEFT}; yard:{LEFT} yard:{LEFT}", "yard", 2),  # by its name
        (TWO, f"gate:{LEFT}", "gate", 1),
        (TWO, f"gate:{LEFT}", "yard", 0),
        ("gate=DIR/street.mp4 yard=DIR/gate.mp4", f"gate:{LEFT}", "street", 1),  # by its source
        ("gate=DIR/street.mp4 yard=DIR/gate.mp4", f"gate:{LEFT}", "gate", 0),
        ("/dev/video0", f"camera:{LEFT}", "street", 1),
    ],
)
def test_a_recording_has_the_masks_of_its_camera(
    tmp_path: Path, cameras: str, masks: str, recording: str, count: int
) -> None:
    settings = settings_for(tmp_path, cameras, masks)

    found = masks_of_recording(address_of(str(tmp_path / f"{recording}.mp4")), settings)

    assert len(found) == count


@pytest.mark.parametrize(("cameras", "masks"), [(TWO, f"gate:{LEFT}"), ("", f"a:{LEFT} b:{LEFT}")])
def test_a_recording_of_nobody_knows_which_camera_is_refused(
    tmp_path: Path, cameras: str, masks: str
) -> None:
    settings = settings_for(tmp_path, cameras, masks)

    with pytest.raises(ConfigurationError, match="nothing says which camera this recording is of"):
        masks_of_recording(address_of(str(tmp_path / "street.mp4")), settings)


@pytest.mark.parametrize(
    ("model", "redact", "problem"),
    [
        (MODEL, ("persn", "car"), r"no label persn \(did you mean person\?\), so it would stay"),
        (MODEL, ("License-Plate", "tree"), r"\(did you mean license plate\?\), tree"),
        (
            ModelInfo("kinds", "0" * 64, Task.CLASSIFY, "CPU", ("person",)),
            ("person",),
            "kinds is a classifier",
        ),
    ],
)
def test_a_model_without_the_label_is_refused(
    model: ModelInfo, redact: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem) as raised:
        require_labels(model, redact)

    assert not isinstance(raised.value, ModelUnusable)  # another model must not run instead
    assert str(raised.value).startswith("AGENT_REDACT: ")


@pytest.mark.parametrize("redact", [(), ("person", "license plate")])
def test_a_model_with_all_labels_may_run(redact: tuple[str, ...]) -> None:
    require_labels(MODEL, redact)


def test_no_model_is_loaded_that_lacks_a_label(tmp_path: Path) -> None:
    log = Recorder().log
    names = {"task": "detect", "names": "{0: 'person'}", "stride": "32"}
    rows = np.zeros((5, 3), np.float32)
    model = fixed_model(tmp_path / "model.onnx", rows, size=(64, 64), metadata=names)
    given = {"model": model, "spool_dir": tmp_path / "spool", "state_dir": tmp_path / "state"}
    has_label = without_environment(redact="person", **given)
    lacks_label = without_environment(redact="face", **given)

    loaded = detector_of(has_label)
    model_fallback(has_label, log=log).keep(loaded)
    with pytest.raises(ConfigurationError, match="AGENT_REDACT: the model model has no"):
        detector_of(lacks_label)
    model.write_bytes(b"another file")

    assert model_fallback(has_label, log=log).fallback(ModelUnusable("broken")).info == loaded.info
    with pytest.raises(ModelUnusable, match="known-good model cannot run either: AGENT_REDACT"):
        model_fallback(lacks_label, log=log).fallback(ModelUnusable("broken"))


def test_each_image_is_pixelated_and_the_selection_knows_the_labels() -> None:
    settings = settings_of(AGENT_REDACT="person 'license plate'")
    person = Detection("license plate", 1, 0.3, Box(2.0, 2.0, 30.0, 30.0))
    observation = observed_pixels(np.zeros((64, 64, 3), np.uint8), person)

    for make in (image_encoder, viewing_encoder, clip_encoder):
        assert [part.label for part in make(settings).encode(observation).hidden] == [person.label]
    assert selection_plan(settings).redact == ("person", "license plate")


def test_a_camera_that_is_no_recording_is_not_taken_for_one() -> None:
    settings = settings_of(AGENT_CAMERAS=TWO, AGENT_MASKS=f"gate:{LEFT}")

    assert masks_of_recording(parse_camera("/data/yard/", name="yard"), settings) == ()
