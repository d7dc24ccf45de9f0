import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from agent.detector.detector import load_detector
from agent.detector.formats.decoded import DecodedDetections
from agent.domain import Box, Detection, Task
from agent.ports import Detector
from tests.detector.planted_models import (
    METADATA,
    bundled,
    dynamic_model,
    fixed_model,
    mean_colour_model,
    overlap,
    planted_rows,
    street,
)

HD = np.full((720, 1280, 3), 90, np.uint8)  # in 640x640: half the size, 140 rows of padding above


def rounded(detections: tuple[Detection, ...]) -> list[tuple[str, float, list[float]]]:
    return [
        (
            found.label,
            round(found.confidence, 2),
            [
                round(side, 1)
                for side in (found.box.x_min, found.box.y_min, found.box.x_max, found.box.y_max)
            ],
        )
        for found in detections
    ]


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_planted_boxes_come_back_in_pixels_of_the_frame(tmp_path: Path, kind: str) -> None:
    rows = planted_rows(
        [(100, 200, 200, 300), (400, 250, 420, 270), (101, 200, 201, 300)],
        [[0.1, 0.75, 0.0], [0.875, 0.1, 0.0], [0.0, 0.5, 0.0]],
    )
    path = fixed_model(tmp_path / "farm.onnx", rows, kind=kind, metadata=METADATA)

    detector: Detector = load_detector(path)

    assert rounded(detector.detect(HD).detections) == [
        ("cat", 0.88, [800, 220, 840, 260]),
        ("dog", 0.75, [200, 120, 400, 320]),
    ]


def test_the_model_info_is_complete(tmp_path: Path) -> None:
    rows = planted_rows([(1, 1, 9, 9)], [[0.9, 0.1, 0.1]])
    detector = load_detector(fixed_model(tmp_path / "farm.onnx", rows, metadata=METADATA))

    assert (detector.info.name, detector.info.task) == ("farm", Task.DETECT)
    assert detector.info.labels == ("cat", "dog", "hen")
    assert detector.info.provider == "CPUExecutionProvider"
    assert len(detector.info.sha256) == 64
    assert detector.decided == "ultralytics: metadata of a detector with 3 labels"


def test_labels_may_come_from_the_setting(tmp_path: Path) -> None:
    rows = planted_rows([(100, 200, 200, 300)], [[0.1, 0.75]])
    detector = load_detector(fixed_model(tmp_path / "a.onnx", rows), labels="ant, bee")

    assert [found.label for found in detector.detect(HD).detections] == ["bee"]


def test_detections_below_the_floor_are_discarded(tmp_path: Path) -> None:
    rows = planted_rows(
        [(0, 200, 9, 209), (20, 200, 29, 209), (40, 200, 49, 209)], [[0.75], [0.5], [0.25]]
    )
    path = fixed_model(tmp_path / "a.onnx", rows)

    found = load_detector(path, labels="ant", floor=0.5).detect(HD).detections

    assert [detection.confidence for detection in found] == [0.75, 0.5]


def test_boxes_are_clipped_to_the_frame_and_those_outside_are_dropped(tmp_path: Path) -> None:
    rows = planted_rows(
        [(-50, 100, 50, 600), (10, 10, 60, 130), (630, 490, 900, 900)], [[0.9], [0.8], [0.7]]
    )
    detector = load_detector(fixed_model(tmp_path / "a.onnx", rows), labels="ant")

    assert rounded(detector.detect(HD).detections) == [
        ("ant", 0.9, [0, 0, 100, 720]),
        ("ant", 0.7, [1260, 700, 1280, 720]),
    ]


def test_detections_with_nan_or_infinity_are_dropped(tmp_path: Path) -> None:
    rows = planted_rows([(100, 200, 200, 300)] * 6, [[0.9]] * 6)
    rows[0, 0] = rows[1, 1] = rows[4, 2] = math.nan
    rows[2, 3] = math.inf
    rows[3, 4] = -5.0
    detector = load_detector(fixed_model(tmp_path / "a.onnx", rows), labels="ant")

    assert rounded(detector.detect(HD).detections) == [("ant", 0.9, [200, 120, 400, 320])]


@pytest.mark.parametrize(
    ("frame", "box"),
    [
        ((720, 1280), [320, 168, 960, 552]),  # at 640x384
        ((1280, 720), [168, 320, 552, 960]),  # at 384x640
        ((480, 640), [160, 120, 480, 360]),  # at 640x480, nothing padded
        ((1, 1), [0.2, 0.2, 0.8, 0.8]),
        ((1, 1280), [320, 0, 960, 1]),
    ],
)
def test_dynamic_axes_get_the_smallest_rectangle_that_holds_the_frame(
    tmp_path: Path, frame: tuple[int, int], box: list[float]
) -> None:
    detector = load_detector(dynamic_model(tmp_path / "free.onnx", metadata=METADATA))

    prediction = detector.detect(np.zeros((*frame, 3), np.uint8))

    ((label, confidence, found),) = rounded(prediction.detections)

    assert (label, confidence) == ("dog", 0.9)
    assert found == pytest.approx(box, abs=0.1)


def test_dynamic_axes_are_at_most_the_size_of_the_training(tmp_path: Path) -> None:
    metadata = METADATA | {"imgsz": "[320, 320]"}
    detector = load_detector(dynamic_model(tmp_path / "free.onnx", metadata=metadata))

    found = detector.detect(HD).detections[0].box

    # 320x192: 6 rows of padding above, a quarter of the size.
    assert (found.y_min, found.y_max) == ((192 / 4 - 6) * 4, (192 * 3 / 4 - 6) * 4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1), (3, 5), (1080, 1920)])
def test_the_bundled_model_accepts_frames_of_any_shape(shape: tuple[int, int]) -> None:
    height, width = shape
    for found in bundled().detect(np.full((*shape, 3), 120, np.uint8)).detections:
        assert 0 <= found.box.x_min < found.box.x_max <= width
        assert 0 <= found.box.y_min < found.box.y_max <= height


@pytest.mark.parametrize(
    ("index", "label", "box"),
    [
        # Measured by eye in the enlarged images.
        (125, "person", Box(343, 4, 490, 272)),
        (125, "motorcycle", Box(531, 134, 640, 272)),
        (150, "car", Box(530, 104, 611, 164)),
        (150, "car", Box(372, 106, 445, 151)),
    ],
)
def test_the_bundled_model_detects_objects_marked_by_a_person(
    index: int, label: str, box: Box
) -> None:
    confident = [
        found for found in bundled().detect(street()[index]).detections if found.confidence >= 0.4
    ]

    assert max(overlap(found.box, box) for found in confident if found.label == label) > 0.7


def test_detections_are_sorted_by_confidence() -> None:
    confidences = [found.confidence for found in bundled().detect(street()[125]).detections]

    assert confidences == sorted(confidences, reverse=True)
    assert 0.05 <= confidences[-1] <= confidences[0] <= 1
    assert len(confidences) <= 300


@pytest.mark.parametrize(
    ("shape", "label", "confidence"),
    [
        ((64, 64), "red", 204 / 255),
        ((32, 64), "red", (204 + 114) / 2 / 255),  # half of the input is padding
        ((64, 16), "red", (204 + 3 * 114) / 4 / 255),
    ],
)
def test_an_ultralytics_model_gets_rgb_from_0_to_1_padded_with_grey(
    tmp_path: Path, shape: tuple[int, int], label: str, confidence: float
) -> None:
    detector = load_detector(mean_colour_model(tmp_path / "colours.onnx"))
    blue_green_red = np.full((*shape, 3), (51, 102, 204), np.uint8)

    (found,) = detector.detect(blue_green_red).detections

    assert found.label == label
    assert found.confidence == pytest.approx(confidence, abs=1e-3)


def test_threads_do_not_share_an_input_buffer(tmp_path: Path) -> None:
    detector = load_detector(mean_colour_model(tmp_path / "colours.onnx"))
    greys = [50, 200] * 30

    def brightness(grey: int) -> int:
        (found,) = detector.detect(np.full((64, 64, 3), grey, np.uint8)).detections
        return round(found.confidence * 255)

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(brightness, greys)) == greys


def test_parallel_threads_have_the_predictions_of_a_single_thread() -> None:
    """With frames of several sizes, so that shared buffers would change the results."""
    frames = [street()[125], street()[150][:, :300], street()[225][:100], street()[125][::-1]] * 4
    alone = [bundled().detect(pixels) for pixels in frames]

    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(bundled().detect, frames))

    assert together == alone


def test_an_image_that_cannot_be_prepared_is_an_invalid_answer() -> None:
    prediction = bundled().detect(np.zeros((0, 0, 3), np.uint8))

    assert prediction.invalid
    assert prediction.failure
    assert prediction.detections == ()


def test_class_numbers_of_any_size_have_no_label() -> None:
    ids = np.array([3, -1, 80, 2**62, -(2**63)], np.intp)
    boxes = np.array([[1, 1, 9, 9]] * len(ids), np.float32)
    raw = DecodedDetections(boxes, np.full(len(ids), 0.9, np.float32), ids)

    named, odd = bundled()._with_labels(raw)

    assert named.class_ids.tolist() == [3]
    assert odd
