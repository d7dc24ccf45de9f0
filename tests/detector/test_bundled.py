"""The bundled model: its path, its checksum, its detections."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from agent.detector.formats.coco import COCO_80
from agent.detector.model_file import bundled as places
from agent.detector.model_file.bundled import FILE_NAME, bundled_model
from agent.domain import Box
from agent.errors import ConfigurationError
from tests import ROOT
from tests.detector.make_golden import GOLDEN, box_of, sampled_outputs
from tests.detector.planted_models import bundled, overlap, street


def test_the_bundled_model_has_the_outputs_of_another_conversion_of_the_same_weights() -> None:
    expected = np.load(GOLDEN)

    for name, sample in sampled_outputs(bundled_model()).items():
        assert np.abs(sample - expected[name]).max() < 1e-4, name


@pytest.mark.parametrize("index", [125, 150, 225])
def test_the_bundled_model_has_the_detections_of_the_other_conversion(index: int) -> None:
    """Video decoders differ by single grey levels, so the tolerance is larger."""
    expected = np.load(GOLDEN)[f"frame {index}"]
    found = bundled().detect(street()[index]).detections

    assert len(expected) > 0
    for class_id, confidence, *box in expected.tolist():
        assert any(
            detection.class_id == class_id
            and abs(detection.confidence - confidence) < 0.02
            and overlap(detection.box, Box(*box)) > 0.95
            for detection in found
        )


def test_the_model_card_has_checksum_and_size_of_the_file() -> None:
    data = bundled_model().read_bytes()
    card = (ROOT / "models" / "README.md").read_text()

    assert hashlib.sha256(data).hexdigest() in card
    assert f"{len(data):,} bytes" in card


def test_it_is_a_nanodet_with_the_labels_of_coco() -> None:
    assert bundled().info.name == "nanodet-g-416"
    assert bundled().info.labels == COCO_80
    assert (len(COCO_80), len(set(COCO_80))) == (80, 80)
    assert [COCO_80[index] for index in (0, 1, 2, 9, 79)] == [
        "person",
        "bicycle",
        "car",
        "traffic light",
        "toothbrush",
    ]
    assert bundled().decided.startswith("nanodet: ")


def test_an_installed_package_contains_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "agent" / "detector"
    (package / "models").mkdir(parents=True)
    monkeypatch.setattr(places, "__file__", str(package / "model_file" / "bundled.py"))
    with pytest.raises(ConfigurationError, match=f"{FILE_NAME}.*AGENT_MODEL"):
        bundled_model()

    inside = package / "models" / FILE_NAME
    inside.touch()
    assert bundled_model() == inside.resolve()


def test_its_detections_have_python_numbers() -> None:
    """Records are JSON, which cannot encode numpy numbers."""
    best = bundled().detect(street()[125]).detections[0]

    assert {type(side) for side in box_of(best.box)} == {float}
    assert (type(best.class_id), type(best.confidence)) == (int, float)
