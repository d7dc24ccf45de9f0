"""Which failures let the known-good model run, and that it runs as it did."""

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
from tests.detector.planted_families import FAMILIES, Planted, answering_model, family_model
from tests.detector.planted_models import METADATA, bundled, fixed_model, planted_rows
from tests.detector.test_external_data import split_model
from tests.fakes.log import Recorder

OBJECTS = [Planted((20, 30, 60, 70), 1, 0.75)]
FAILURE = ModelUnusable("cannot load the model: it is a text")
FRAME = np.random.default_rng(3).integers(0, 256, (90, 120, 3), np.uint8)


class Device:
    """A state directory, and one start after the other."""

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
        """A start that went well, with these settings."""
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
def test_each_format_runs_from_its_copy_as_it_did(
    name: str, device: Device, tmp_path: Path
) -> None:
    """With its labels, format and preprocessing, whatever the settings say by then."""
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


def test_a_classifier_runs_from_its_copy_as_it_did(device: Device, tmp_path: Path) -> None:
    path = answering_model(tmp_path / "m.onnx", {"logits": np.array([[1, 3, 2]], np.float32)})
    was = device.ran(path, labels="ant, bee, traffic light")
    path.unlink()

    now = device.fallback_for(path, labels="ant, bee, traffic light").fallback(FAILURE)

    assert now.preprocessing == was.preprocessing
    assert same(now.detect(FRAME), was.detect(FRAME))
    assert now.info.labels == ("ant", "bee", "traffic light")


def test_weights_in_other_files_are_kept_too(device: Device, tmp_path: Path) -> None:
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


Happening = Callable[[Path], Path]
"""What happens to the file, and where AGENT_MODEL points afterwards."""


def overwritten(path: Path) -> Path:
    path.write_text("<html>")
    return path


def gone(path: Path) -> Path:
    path.unlink()
    return path


def untouched(path: Path) -> Path:
    return path


def elsewhere_and_bad(path: Path) -> Path:
    return overwritten(path.with_name("new.onnx"))


def elsewhere_and_missing(path: Path) -> Path:
    return path.with_name("typo.onnx")


def elsewhere_and_the_same(path: Path) -> Path:
    other = path.with_name("same.onnx")
    other.write_bytes(path.read_bytes())
    return other


@pytest.mark.parametrize(
    ("happens", "others", "runs"),
    [
        (overwritten, {}, True),
        (overwritten, {"format": "yolox"}, True),
        (gone, {}, True),
        (gone, {"format": "yolox"}, False),
        (untouched, {}, True),  # a file beside it is bad, such as its labels
        (untouched, {"format": "yolox"}, False),
        (untouched, {"labels": "one two"}, False),
        (elsewhere_and_bad, {}, True),
        (elsewhere_and_missing, {}, False),
        (elsewhere_and_the_same, {}, False),
    ],
)
def test_a_bad_file_lets_the_known_good_model_run_and_a_wrong_setting_does_not(
    happens: Happening, others: dict[str, str], *, runs: bool, device: Device, path: Path
) -> None:
    was = device.ran(path)
    fallback = device.fallback_for(happens(path), **others)

    if runs:
        assert fallback.fallback(FAILURE).info == was.info
    else:
        with pytest.raises(ModelUnusable, match="it is a text"):
            fallback.fallback(FAILURE)


@pytest.mark.parametrize(
    ("happens", "other"), [(overwritten, True), (elsewhere_and_bad, True), (untouched, False)]
)
def test_only_a_new_file_with_an_alternative_needs_a_trial_of_its_own(
    happens: Happening, *, other: bool, device: Device, path: Path
) -> None:
    assert not device.fallback_for(path).is_available()
    device.ran(path)

    assert device.fallback_for(happens(path)).is_available() is other
    assert not device.fallback_for(None).is_available()


def test_a_demanded_checksum_lets_no_other_model_run(device: Device, path: Path) -> None:
    was = device.ran(path)
    overwritten(path)

    assert (
        device.fallback_for(path, sha256=was.info.sha256.upper()).fallback(FAILURE).info == was.info
    )
    with pytest.raises(ModelUnusable):
        device.fallback_for(path, sha256="1" * 64).fallback(FAILURE)


def test_the_bundled_model_is_not_kept_and_ends_what_was(device: Device, path: Path) -> None:
    device.ran(path)
    device.fallback_for(None).keep(bundled())

    assert list(device.models.iterdir()) == []
    with pytest.raises(ModelUnusable):
        device.fallback_for(overwritten(path)).fallback(FAILURE)


def test_a_damaged_copy_does_not_run(device: Device, path: Path) -> None:
    device.ran(path)
    overwritten(device.models / "a" / "m.onnx")

    with pytest.raises(ModelUnusable, match=r"it is a text \(the copy .* is damaged\)"):
        device.fallback_for(path).fallback(FAILURE)


def test_what_does_not_run_either_is_said(device: Device, path: Path) -> None:
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


def test_a_model_that_was_replaced_since_it_was_loaded_is_not_kept(
    device: Device, path: Path
) -> None:
    detector = load_detector(path)
    overwritten(path)

    device.fallback_for(path).keep(detector)

    [line] = device.lines
    assert (line["event"], line["log_level"]) == ("model save failed", "warning")
    assert "changed since it was loaded" in line["error"]
    assert not device.models.exists()
