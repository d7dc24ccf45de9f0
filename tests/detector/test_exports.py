"""Models that real libraries exported: the agent sees what the libraries themselves see.

The models and the libraries' answers were made by `make_exports.py`; no library is needed here.
"""

from pathlib import Path

import numpy as np
import pytest

from agent.detector.detector import load_detector
from agent.domain import Box, Prediction, Task
from tests.detector.planted_models import overlap, street

FOLDER = Path(__file__).with_name("exports")
LABELS = "ant bee cat dog elk"
SURE = 0.06  # just above the libraries' own limit, at which a rounding decides
DETECTORS = {
    "rtdetr": "rtdetr",
    "dfine": "rtdetr",
    "rfdetr": "rfdetr",
    "yolos": "detr",
    "yolox": "yolox",
    "torchvision-ssd": "torchvision",
}


def boxes_of(answer: Prediction) -> list[tuple[int, float, Box]]:
    return [(each.class_id, each.confidence, each.box) for each in answer.detections]


@pytest.mark.parametrize("index", [125, 150, 225])
@pytest.mark.parametrize(("name", "known_as"), DETECTORS.items())
def test_a_real_export_is_read_as_its_own_library_reads_it(
    name: str, known_as: str, index: int
) -> None:
    """Same labels, confidences within a thousandth, boxes that overlap by more than 0.99."""
    detector = load_detector(FOLDER / f"{name}.onnx", model_format=known_as, labels=LABELS)
    frame = street()[index]
    height, width = frame.shape[:2]
    found = boxes_of(detector.detect(frame))
    expected = np.load(FOLDER / "answers.npz")[f"{name} {index}"]

    compared = 0
    for number, confidence, *sides in expected.tolist():
        box = Box(*np.clip(sides, 0, [width, height, width, height]).tolist())
        if confidence < SURE or box.x_max - box.x_min < 2 or box.y_max - box.y_min < 2:
            continue  # libraries do not clip: what lies outside of the frame does not exist here
        assert any(
            class_id == number and abs(sure - confidence) < 1e-3 and overlap(place, box) > 0.99
            for class_id, sure, place in found
        ), (number, confidence, box)
        compared += 1
    assert compared >= 3


@pytest.mark.parametrize("index", [125, 150, 225])
def test_a_real_classifier_is_read_as_its_own_library_reads_it(index: int) -> None:
    detector = load_detector(FOLDER / "timm-resnet.onnx", labels=LABELS)
    answer = detector.detect(street()[index])
    expected = np.load(FOLDER / "answers.npz")[f"timm-resnet {index}"]

    assert detector.info.task is Task.CLASSIFY
    assert [each.class_id for each in answer.classes] == expected[:, 0].astype(int).tolist()
    np.testing.assert_allclose(
        [each.confidence for each in answer.classes], expected[:, 1], atol=1e-3
    )


@pytest.mark.parametrize(
    ("name", "known_as"), [*DETECTORS.items(), ("timm-resnet", "classifier-logits")]
)
def test_a_real_export_is_recognised(name: str, known_as: str) -> None:
    detector = load_detector(FOLDER / f"{name}.onnx", labels=LABELS)

    assert detector.decided.startswith(f"{known_as}: ")
