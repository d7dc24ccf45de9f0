"""The bundled model: its path, its checksum, its detections."""

import hashlib
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.detector.formats.coco import COCO_80
from agent.detector.letterbox import Size
from agent.detector.model_file import bundled as places
from agent.detector.model_file.bundled import FILE_NAME, bundled_model
from agent.detector.session import OnnxSession
from agent.domain import Box, Pixels
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
    """Its input is square. Decoders differ by single grey levels, so the tolerance is larger."""
    expected = np.load(GOLDEN)[f"frame {index}"]
    frame = street()[index]
    size = (416, 177)
    found = bundled().detect(in_a_square(cv2.resize(frame, size))).detections

    assert len(expected) > 0
    expected[:, 2:] *= np.array(size * 2) / (frame.shape[1::-1] * 2)
    for class_id, confidence, *box in expected.tolist():
        assert any(
            detection.class_id == class_id
            and abs(detection.confidence - confidence) < 0.02
            and overlap(detection.box, Box(*box)) > 0.95
            for detection in found
        )


@pytest.mark.parametrize("index", [125, 150, 225])
@pytest.mark.parametrize("upright", [False, True])
def test_a_frame_has_the_same_detections_without_the_padding_to_a_square(
    index: int, *, upright: bool
) -> None:
    frame = street()[index]
    if upright:
        frame = np.ascontiguousarray(frame[:, 100:300])
    alone = bundled().detect(frame).detections
    padded = bundled().detect(in_a_square(frame)).detections

    assert alone[0].confidence > 0.3
    for these, those in ((alone, padded), (padded, alone)):
        for detection in these:
            assert detection.confidence < 0.3 or any(
                detection.class_id == other.class_id
                and abs(detection.confidence - other.confidence) < 0.06
                and overlap(detection.box, other.box) > 0.8
                for other in those
            )


@pytest.mark.parametrize(
    ("frame", "wanted"),
    [
        (Size(640, 272), Size(416, 192)),
        (Size(1280, 720), Size(416, 256)),
        (Size(640, 480), Size(416, 320)),
        (Size(1080, 1920), Size(256, 416)),
        (Size(500, 500), Size(416, 416)),
    ],
)
def test_the_input_is_the_smallest_rectangle_that_holds_the_frame(
    frame: Size, wanted: Size
) -> None:
    model = session()

    assert model.input_size(frame, bundled().preprocessing) == wanted


@cache
def session() -> OnnxSession:
    return OnnxSession(bundled_model())


def in_a_square(frame: Pixels) -> Pixels:
    """Return the frame in the top left corner of a black square of its longer side."""
    square = np.zeros((max(frame.shape), max(frame.shape), 3), np.uint8)
    square[: frame.shape[0], : frame.shape[1]] = frame
    return square


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
