"""The failures after which the known-good model runs, and that it runs unchanged."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agent.detector.detector import OnnxDetector, load_detector
from agent.detector.fallback.fallback import ModelFallback, ModelSettings
from agent.detector.fallback.known_good import KnownGoodStore
from agent.detector.model_file.input_spec import InputSpec
from agent.domain import Prediction
from agent.errors import ConfigurationError, ModelUnusable
from agent.files import Disk
from tests.detector.planted_families import FAMILIES, Planted, constant_output_model, family_model
from tests.detector.planted_models import METADATA, bundled, fixed_model, planted_rows
from tests.detector.test_external_data import split_model
from tests.fakes.log import Recorder

OBJECTS = [Planted((20, 30, 60, 70), 1, 0.75)]
FAILURE = ModelUnusable("cannot load the model: not a model")
FRAME = np.random.default_rng(3).integers(0, 256, (90, 120, 3), np.uint8)


class Device:
    """A state directory that several starts of the agent share."""

    def __init__(self, folder: Path) -> None:
        self.models = folder / "models"
        recorder = Recorder()
        self.lines = recorder.lines
        self._log = recorder.log

    def fallback_for(
        self, path: Path | None, *, sha256: str | None = None, **others: str
    ) -> ModelFallback:
        return ModelFallback(
            KnownGoodStore(self.models, Disk(), spool=Path("/spool"), min_free=0),
            ModelSettings(path, sha256, others),
            lambda kept: load_detector(kept, sha256=sha256),
            log=self._log,
        )

    def ran(self, path: Path, **others: str) -> OnnxDetector:
        """Simulate a successful start with these settings."""
        detector = load_detector(
            path,
            model_format=others.get("format", "auto"),
            labels=others.get("labels", "auto"),
            model_input=InputSpec.parse(others.get("input", "")),
        )
        self.fallback_for(path, **others).keep(detector)
        assert self.lines == []
        return detector


def same(first: Prediction, second: Prediction) -> bool:
    return (first.detections, first.classes) == (second.detections, second.classes)


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path / "state")


@pytest.mark.parametrize("name", FAMILIES)
def test_each_format_runs_unchanged_from_its_copy(
    name: str, device: Device, tmp_path: Path
) -> None:
    """With its labels, format and preprocessing, even if the settings changed."""
    family = FAMILIES[name]
    path = family_model(tmp_path / "m.onnx", family, OBJECTS)
    others = {
        "labels": family.labels,
        "input": "mean=0.1,0.2,0.3 std=0.01",
        "format": family.name,
    }
    was = device.ran(path, **others)
    path.write_text("<html>")

    now = device.fallback_for(path, labels="something else").fallback(FAILURE)

    assert now.info == was.info
    assert now.preprocessing == was.preprocessing
    assert now.decided.startswith(f"{family.name}: ")
    assert same(now.detect(FRAME), was.detect(FRAME))
    assert now.detect(FRAME).detections


def test_a_classifier_runs_unchanged_from_its_copy(device: Device, tmp_path: Path) -> None:
    path = constant_output_model(tmp_path / "m.onnx", {"logits": np.array([[1, 3, 2]], np.float32)})
    was = device.ran(path, labels="ant, bee, traffic light")
    path.unlink()

    now = device.fallback_for(path, labels="ant, bee, traffic light").fallback(FAILURE)

    assert now.preprocessing == was.preprocessing
    assert same(now.detect(FRAME), was.detect(FRAME))
    assert now.info.labels == ("ant", "bee", "traffic light")


def test_weight_files_are_copied_too(device: Device, tmp_path: Path) -> None:
    path = split_model(tmp_path / "m.onnx")
    was = device.ran(path).detect(FRAME)
    (tmp_path / "weights.bin").unlink()

    now = device.fallback_for(path).fallback(FAILURE)

    assert same(now.detect(FRAME), was)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return fixed_model(
        tmp_path / "m.onnx", planted_rows([(9, 9, 30, 30)], [[0.9, 0, 0]]), metadata=METADATA
    )


Change = Callable[[Path], Path]
"""Changes the file, and returns the path in AGENT_MODEL afterwards."""


def overwritten(path: Path) -> Path:
    path.write_text("<html>")
    return path


def deleted(path: Path) -> Path:
    path.unlink()
    return path


def untouched(path: Path) -> Path:
    return path


def other_path_with_a_bad_file(path: Path) -> Path:
    return overwritten(path.with_name("new.onnx"))


def other_path_without_a_file(path: Path) -> Path:
    return path.with_name("typo.onnx")


def other_path_with_the_same_file(path: Path) -> Path:
    other = path.with_name("same.onnx")
    other.write_bytes(path.read_bytes())
    return other


@pytest.mark.parametrize(
    ("change", "others", "runs"),
    [
        (overwritten, {}, True),
        (overwritten, {"format": "yolox"}, True),
        (deleted, {}, True),
        (deleted, {"format": "yolox"}, False),
        (untouched, {}, True),  # a file beside it is invalid, such as its labels
        (untouched, {"format": "yolox"}, False),
        (untouched, {"labels": "one two"}, False),
        (other_path_with_a_bad_file, {}, True),
        (other_path_without_a_file, {}, False),
        (other_path_with_the_same_file, {}, False),
    ],
)
def test_a_bad_file_lets_the_known_good_model_run_and_a_wrong_setting_does_not(
    change: Change, others: dict[str, str], *, runs: bool, device: Device, path: Path
) -> None:
    was = device.ran(path)
    fallback = device.fallback_for(change(path), **others)

    if runs:
        assert fallback.fallback(FAILURE).info == was.info
    else:
        with pytest.raises(ModelUnusable, match="not a model"):
            fallback.fallback(FAILURE)


@pytest.mark.parametrize(
    ("change", "other"),
    [(overwritten, True), (other_path_with_a_bad_file, True), (untouched, False)],
)
def test_a_fallback_is_available_only_for_a_new_file_after_a_good_one(
    change: Change, *, other: bool, device: Device, path: Path
) -> None:
    assert not device.fallback_for(path).is_available()
    device.ran(path)

    assert device.fallback_for(change(path)).is_available() is other
    assert not device.fallback_for(None).is_available()


def test_a_required_checksum_prevents_the_fallback_to_another_model(
    device: Device, path: Path
) -> None:
    was = device.ran(path)
    overwritten(path)

    assert (
        device.fallback_for(path, sha256=was.info.sha256.upper()).fallback(FAILURE).info == was.info
    )
    with pytest.raises(ModelUnusable):
        device.fallback_for(path, sha256="1" * 64).fallback(FAILURE)


def test_the_bundled_model_is_not_copied_and_deletes_the_previous_copy(
    device: Device, path: Path
) -> None:
    device.ran(path)
    device.fallback_for(None).keep(bundled())

    assert list(device.models.iterdir()) == []
    with pytest.raises(ModelUnusable):
        device.fallback_for(overwritten(path)).fallback(FAILURE)


def test_a_damaged_copy_does_not_run(device: Device, path: Path) -> None:
    device.ran(path)
    overwritten(device.models / "a" / "m.onnx")

    with pytest.raises(ModelUnusable, match=r"not a model \(the copy .* is damaged\)"):
        device.fallback_for(path).fallback(FAILURE)


def test_the_error_says_that_the_known_good_model_cannot_run_either(
    device: Device, path: Path
) -> None:
    device.ran(path)
    fallback = ModelFallback(
        KnownGoodStore(device.models, Disk(), spool=Path("/spool"), min_free=0),
        ModelSettings(path),
        refusing,
        log=Recorder().log,
    )

    with pytest.raises(ModelUnusable, match=r"the known-good model cannot run either: no CUDA"):
        fallback.fallback(FAILURE)


def refusing(kept: Path) -> OnnxDetector:
    raise ConfigurationError("no CUDA")


def test_a_model_that_was_replaced_since_loading_is_not_copied(device: Device, path: Path) -> None:
    detector = load_detector(path)
    overwritten(path)

    device.fallback_for(path).keep(detector)

    [line] = device.lines
    assert (line["event"], line["log_level"]) == ("model save failed", "warning")
    assert "changed since it was loaded" in line["error"]
    assert not device.models.exists()
