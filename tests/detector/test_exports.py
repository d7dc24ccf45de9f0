"""Models exported by real libraries: the agent has the same detections as the libraries.

The models and the libraries' detections were made by `make_exports.py` and
`make_paddle_exports.py`; no library is needed here.
"""

from pathlib import Path

import numpy as np
import pytest

from agent.detector.detector import load_detector
from agent.domain import Box, Prediction, Task
from tests.detector.planted_models import overlap, street

FOLDER = Path(__file__).with_name("exports")
LABELS = "ant bee cat dog elk"
MIN_CONFIDENCE = 0.06  # above the libraries' own limit, where rounding errors decide
DETECTORS = {
    "rtdetr": "rtdetr",
    "dfine": "rtdetr",
    "rfdetr": "rfdetr",
    "yolos": "detr",
    "yolox": "yolox",
    "torchvision-ssd": "torchvision",
    "picodet": "picodet",
    "picodet-boxes": "picodet-boxes",
    "yunet": "yunet",
}


def labels_of(name: str) -> str:
    return "face" if name == "yunet" else LABELS


def boxes_of(prediction: Prediction) -> list[tuple[int, float, Box]]:
    return [(each.class_id, each.confidence, each.box) for each in prediction.detections]


@pytest.mark.parametrize("index", [125, 150, 225])
@pytest.mark.parametrize(("name", "known_as"), DETECTORS.items())
def test_a_real_export_has_the_detections_of_its_library(
    name: str, known_as: str, index: int
) -> None:
    """Same labels, confidences within a thousandth, boxes that overlap by more than 0.99."""
    detector = load_detector(FOLDER / f"{name}.onnx", model_format=known_as, labels=labels_of(name))
    frame = street()[index]
    height, width = frame.shape[:2]
    found = boxes_of(detector.detect(frame))
    expected = np.load(FOLDER / "answers.npz")[f"{name} {index}"]

    compared = 0
    for expected_id, confidence, *sides in expected.tolist():
        box = Box(*np.clip(sides, 0, [width, height, width, height]).tolist())
        if confidence < MIN_CONFIDENCE or box.x_max - box.x_min < 2 or box.y_max - box.y_min < 2:
            continue  # the libraries do not clip boxes to the frame; the agent drops those outside
        assert any(
            class_id == expected_id
            and abs(found_confidence - confidence) < 1e-3
            and overlap(found_box, box) > 0.99
            for class_id, found_confidence, found_box in found
        ), (expected_id, confidence, box)
        compared += 1
    assert compared >= 3


@pytest.mark.parametrize("index", [125, 150, 225])
def test_a_real_classifier_has_the_classes_of_its_library(index: int) -> None:
    detector = load_detector(FOLDER / "timm-resnet.onnx", labels=LABELS)
    prediction = detector.detect(street()[index])
    expected = np.load(FOLDER / "answers.npz")[f"timm-resnet {index}"]

    assert detector.info.task is Task.CLASSIFY
    assert [each.class_id for each in prediction.classes] == expected[:, 0].astype(int).tolist()
    np.testing.assert_allclose(
        [each.confidence for each in prediction.classes], expected[:, 1], atol=1e-3
    )


@pytest.mark.parametrize(
    ("name", "known_as"), [*DETECTORS.items(), ("timm-resnet", "classifier-logits")]
)
def test_a_real_export_is_recognised(name: str, known_as: str) -> None:
    detector = load_detector(FOLDER / f"{name}.onnx", labels=labels_of(name))

    assert detector.decided.startswith(f"{known_as}: ")
