"""Masks, keypoints and rotated corners, from a graph with known outputs to pixels of the frame."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.detector.detector import load_detector
from agent.domain import Box, Polygon, Task
from tests.detector.planted_families import (
    FAMILIES,
    LABELS,
    SIDES,
    Outputs,
    Planted,
    constant_output_model,
    family_model,
)

OBJECTS = [Planted((20, 30, 60, 70), 1, 0.75), Planted((70, 24, 90, 80), 0, 0.5)]
FRAMES = [(96, 160), (480, 800), (300, 480), (97, 161)]
BLACK = np.zeros((*SIDES, 3), np.uint8)


def around(polygon: Polygon) -> Box:
    across, down = zip(*polygon, strict=True)
    return Box(min(across), min(down), max(across), max(down))


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(
    "title",
    [
        each
        for each, family in FAMILIES.items()
        if "segment" in family.name or "masks" in family.name
    ],
)
def test_a_mask_becomes_a_polygon_in_pixels_of_the_frame(
    title: str, frame: tuple[int, int], tmp_path: Path
) -> None:
    """The planted masks are the left halves of the boxes."""
    family = FAMILIES[title]
    path = family_model(tmp_path / "model.onnx", family, OBJECTS)
    detector = load_detector(path, model_format=family.name, labels=LABELS)

    found = detector.detect(np.zeros((*frame, 3), np.uint8))

    assert detector.info.task is Task.SEGMENT
    assert (len(found.detections), found.invalid) == (2, False)
    step = max(frame[0] / SIDES[0], frame[1] / SIDES[1])  # pixels of the frame
    for each in found.detections:
        assert each.mask is not None
        polygon = each.mask.polygon()
        inside = around(polygon)
        half = (each.box.x_min + each.box.x_max) / 2
        assert 4 <= len(polygon) < 12
        assert inside.x_min == pytest.approx(each.box.x_min, abs=step)
        assert inside.x_max == pytest.approx(half, abs=2 * step)
        assert inside.y_min == pytest.approx(each.box.y_min, abs=step)
        assert inside.y_max == pytest.approx(each.box.y_max, abs=step)
        area = cv2.contourArea(np.array(polygon, np.float32))
        assert area == pytest.approx(
            (half - each.box.x_min) * (each.box.y_max - each.box.y_min), rel=0.1
        )


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(
    "title",
    [
        each
        for each, family in FAMILIES.items()
        if "pose" in family.name or "keypoints" in family.name
    ],
)
def test_keypoints_are_in_pixels_of_the_frame(
    title: str, frame: tuple[int, int], tmp_path: Path
) -> None:
    """The planted keypoints are the corners of the boxes."""
    family = FAMILIES[title]
    path = family_model(tmp_path / "model.onnx", family, OBJECTS)
    detector = load_detector(path, model_format=family.name, labels=LABELS)

    found = detector.detect(np.zeros((*frame, 3), np.uint8))

    assert (detector.info.task, detector.info.keypoint_count) == (Task.POSE, 4)
    assert (len(found.detections), found.invalid) == (2, False)
    sure = (1.0,) * 4 if "without visibility" in title else (0.9, 0.8, 0.7, 0.6)
    for each in found.detections:
        box = each.box
        expected = [
            (box.x_min, box.y_min),
            (box.x_max, box.y_min),
            (box.x_max, box.y_max),
            (box.x_min, box.y_max),
        ]
        np.testing.assert_allclose([(at.x, at.y) for at in each.keypoints], expected, atol=0.01)
        assert [at.confidence for at in each.keypoints] == pytest.approx(sure, abs=1e-3)


def rotated(title: str, box: tuple[float, ...], angle: float) -> Outputs:
    """Return the outputs of a model of rotated boxes with one box: centre, sides, angle."""
    outputs = FAMILIES[title].plant([Planted((0, 0, 1, 1), 1, 0.75)])
    table = outputs["output0"][0] if "after" in title else outputs["output0"][0].T
    table[0, :4], table[0, -1] = box, angle
    return outputs


@pytest.mark.parametrize("title", ["obb", "obb after NMS"])
def test_the_angle_turns_clockwise_from_the_x_axis(title: str, tmp_path: Path) -> None:
    """At 30 degrees the right end of a long box is the lower one, because y points down."""
    outputs = rotated(title, (80, 48, 60, 20), np.pi / 6)
    path = constant_output_model(tmp_path / "model.onnx", outputs)

    found = load_detector(path, model_format=FAMILIES[title].name, labels=LABELS).detect(BLACK)

    (each,) = found.detections
    cosine, sine = np.cos(np.pi / 6), 0.5
    expected = [
        (80 - 30 * cosine + 10 * sine, 48 - 30 * sine - 10 * cosine),  # top left before the turn
        (80 + 30 * cosine + 10 * sine, 48 + 30 * sine - 10 * cosine),
        (80 + 30 * cosine - 10 * sine, 48 + 30 * sine + 10 * cosine),
        (80 - 30 * cosine - 10 * sine, 48 - 30 * sine + 10 * cosine),
    ]
    np.testing.assert_allclose(each.corners, expected, atol=1e-3)
    box = around(each.corners)
    np.testing.assert_allclose(
        [each.box.x_min, each.box.y_min, each.box.x_max, each.box.y_max],
        [box.x_min, box.y_min, box.x_max, box.y_max],
        atol=1e-3,
    )


def test_corners_may_be_outside_of_the_frame_but_the_box_is_not(tmp_path: Path) -> None:
    path = constant_output_model(tmp_path / "model.onnx", rotated("obb", (5, 48, 60, 20), 0.5))

    (each,) = load_detector(path, labels=LABELS).detect(BLACK).detections

    assert min(x for x, _ in each.corners) < 0
    assert each.box.x_min == 0
