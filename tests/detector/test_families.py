"""Every format, from a graph with known outputs to boxes in pixels of the frame."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from agent.detector.detector import load_detector
from agent.detector.formats import formats
from agent.detector.formats.coco import COCO_80, COCO_IDS
from agent.domain import Box, Task
from agent.errors import ConfigurationError
from tests.detector.planted_families import (
    FAMILIES,
    RECOGNISED,
    SIDES,
    Family,
    Planted,
    constant_output_model,
    family_model,
)
from tests.detector.planted_models import overlap, save_model

HEIGHT, WIDTH = SIDES
OBJECTS = [
    Planted((20, 30, 60, 70), 1, 0.75),
    Planted((70, 24, 90, 80), 0, 0.5),
    Planted((100, 40, 140, 64), 2, 0.25),
]
FRAMES = [(96, 160), (192, 320), (300, 300), (480, 100), (97, 161), (50, 900)]


def in_frame(box: tuple[float, ...], fit: str, rows: int, columns: int) -> Box | None:
    """Convert a box to frame coordinates; None if it is in the padding. A simple reference."""
    across, down, left, top = columns / WIDTH, rows / HEIGHT, 0.0, 0.0
    if fit != "stretch":
        scale = min(WIDTH / columns, HEIGHT / rows)
        shown = max(1, round(columns * scale)), max(1, round(rows * scale))
        across, down = columns / shown[0], rows / shown[1]
        if fit == "letterbox":
            left, top = (WIDTH - shown[0]) // 2, (HEIGHT - shown[1]) // 2
    x_min, x_max = (float(np.clip((x - left) * across, 0, columns)) for x in box[::2])
    y_min, y_max = (float(np.clip((y - top) * down, 0, rows)) for y in box[1::2])
    return Box(x_min, y_min, x_max, y_max) if x_max > x_min and y_max > y_min else None


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_planted_boxes_come_back_in_frames_of_any_shape(family: Family, tmp_path: Path) -> None:
    detector = load_detector(
        family_model(tmp_path / "model.onnx", family, OBJECTS),
        model_format=family.name,
        labels=family.labels,
    )

    for rows, columns in FRAMES:
        prediction = detector.detect(np.full((rows, columns, 3), 90, np.uint8))
        expected = [
            (each, box)
            for each in OBJECTS
            if (box := in_frame(each.box, family.fit, rows, columns)) is not None
        ]
        assert not prediction.invalid
        assert len(prediction.detections) == len(expected), (rows, columns)
        for found, (each, box) in zip(prediction.detections, expected, strict=True):
            assert found.confidence == pytest.approx(each.confidence, abs=2e-3)
            assert found.label == expected_label(family, each)
            assert overlap(found.box, box) > 0.97, (rows, columns)


def expected_label(family: Family, planted: Planted) -> str:
    if family.labels == "face":
        return "face"
    names = COCO_80[:3] if family.labels == "coco" else ("ant", "bee", "cat")
    return names[planted.label]


@pytest.mark.parametrize("family", RECOGNISED.values(), ids=RECOGNISED)
def test_each_family_is_recognised_without_being_named(family: Family, tmp_path: Path) -> None:
    path = family_model(tmp_path / "model.onnx", family, OBJECTS)

    decided = load_detector(path, labels=family.labels).decided

    assert decided.partition(":")[0] == family.name
    assert len(decided) > len(family.name) + 10


ZERO, ONE = (0.0,) * 3, (1.0,) * 3
IMAGENET = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@pytest.mark.parametrize(
    ("name", "entries", "expected"),
    [
        ("ssd-priors", {}, ("rgb", (127.0,) * 3, (128.0,) * 3)),
        ("rtdetr rows", {}, ("rgb", ZERO, (255.0,) * 3)),
        ("picodet", {}, ("rgb", *IMAGENET)),
        ("picodet before NMS", {}, ("rgb", *IMAGENET)),
        ("picodet with NMS", {}, ("rgb", *IMAGENET)),
        ("ppyoloe with NMS", {}, ("rgb", ZERO, (255.0,) * 3)),
        ("yunet", {}, ("bgr", ZERO, ONE)),
        ("custom-vision", {}, ("bgr", ZERO, ONE)),
        ("custom-vision", {"Image.BitmapPixelFormat": "Bgr8"}, ("bgr", ZERO, ONE)),
        ("custom-vision", {"Image.BitmapPixelFormat": "Rgb8"}, ("rgb", ZERO, ONE)),
        (
            "custom-vision",
            {"Image.NominalPixelRange": "Normalized_0_1"},
            ("bgr", ZERO, (255.0,) * 3),
        ),
        (
            "custom-vision",
            {"Image.NominalPixelRange": "Normalized_1_1"},
            ("bgr", (127.5,) * 3, (127.5,) * 3),
        ),
    ],
)
def test_each_family_has_the_input_that_its_project_uses(
    name: str, entries: dict[str, str], expected: tuple[object, ...], tmp_path: Path
) -> None:
    """Order of the channels, mean and deviation; the metadata of Custom Vision says them."""
    family = replace(FAMILIES[name], metadata=FAMILIES[name].metadata | entries)
    path = family_model(tmp_path / "model.onnx", family, OBJECTS)

    prepared = load_detector(path, model_format=family.name, labels=family.labels).preprocessing

    assert (prepared.channel_order.value, prepared.mean, prepared.std) == expected


def test_a_detector_of_paddle_after_nms_is_not_guessed(tmp_path: Path) -> None:
    """PicoDet and PP-YOLOE have other inputs, and the same outputs."""
    path = family_model(tmp_path / "model.onnx", FAMILIES["picodet with NMS"], OBJECTS)

    with pytest.raises(ConfigurationError, match="picodet-nms and ppyoloe-nms fit its outputs"):
        load_detector(path, labels="ant bee cat")


@pytest.mark.parametrize("has_size_input", [False, True])
@pytest.mark.parametrize("kind", ["channels first", "channels last"])
def test_a_model_with_a_batch_gets_one_image_and_reports_the_waste(
    kind: str, tmp_path: Path, *, has_size_input: bool
) -> None:
    """The other images of the batch have other outputs, which are ignored."""
    family = FAMILIES["rtdetr deployed" if has_size_input else "ultralytics"]
    others = family.plant([Planted((5, 5, 50, 50), 2, 0.9)])
    outputs_by_name = {
        name: np.concatenate([array, *[resized_like(others[name], array)] * 3])
        for name, array in family.plant(OBJECTS).items()
    }
    shape = (4, 3, *SIDES) if kind == "channels first" else (4, *SIDES, 3)
    path = constant_output_model(
        tmp_path / "m.onnx", outputs_by_name, shape=shape, has_size_input=has_size_input
    )
    alone = family_model(tmp_path / "alone.onnx", family, OBJECTS)
    frame = np.full((80, 150, 3), 90, np.uint8)

    detector = load_detector(path, labels=family.labels)
    expected = load_detector(alone, labels=family.labels)

    assert detector.decided == expected.decided
    assert detector.detect(frame).detections == expected.detect(frame).detections
    assert "a batch of 4 images" in str(detector.batch_waste)
    assert expected.batch_waste is None


def resized_like(array: NDArray[Any], like: NDArray[Any]) -> NDArray[Any]:
    """Resize an array to the shape of another one."""
    return np.resize(array, like.shape).astype(like.dtype)


def test_every_detection_format_has_a_planted_graph() -> None:
    detecting = {name for name, known in formats().items() if known.task is Task.DETECT}

    assert {family.name for family in FAMILIES.values()} >= detecting - {"nanodet"}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_each_family_returns_nothing_below_the_floor(family: Family, tmp_path: Path) -> None:
    faint = [Planted((20, 30, 60, 70), 1, 0.01)]
    path = family_model(tmp_path / "model.onnx", family, faint)

    prediction = load_detector(path, model_format=family.name, labels=family.labels).detect(
        np.zeros((60, 80, 3), np.uint8)
    )

    assert (prediction.detections, prediction.invalid) == ((), False)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_nan_or_infinite_outputs_give_an_invalid_prediction_without_detections(
    family: Family, bad: float, tmp_path: Path
) -> None:
    outputs_by_name = family.plant(OBJECTS)
    broken = {
        name: np.full_like(array, bad) if array.dtype.kind == "f" else array
        for name, array in outputs_by_name.items()
    }
    path = constant_output_model(
        tmp_path / "model.onnx",
        broken,
        kind=family.kind,
        shape=family.shape,
        has_size_input=family.has_size_input,
    )

    prediction = load_detector(path, model_format=family.name, labels=family.labels).detect(
        np.zeros((60, 80, 3), np.uint8)
    )

    assert prediction.detections == ()
    # Minus infinity is valid: as a logit it is a confidence of 0, else it is below the floor.
    assert prediction.invalid or bad == -np.inf


def test_a_class_id_without_a_label_is_removed_and_marks_the_prediction_as_invalid(
    tmp_path: Path,
) -> None:
    family = FAMILIES["v10"]
    planted = [*OBJECTS, Planted((20, 80, 40, 90), 7, 0.04)]  # too faint to contradict the labels
    path = family_model(tmp_path / "model.onnx", family, planted)

    detector = load_detector(path, labels="ant bee cat", floor=0.01)
    prediction = detector.detect(np.zeros((60, 80, 3), np.uint8))

    assert [each.label for each in prediction.detections] == ["bee", "ant", "cat"]
    assert prediction.invalid


@pytest.mark.parametrize(
    "box",
    [(0.2, 0.3, 0.6, 0.7), (400, 300, 460, 370)],
    ids=["normalized instead of pixels", "outside of the image"],
)
def test_boxes_that_are_all_misplaced_on_a_frame_make_it_invalid(
    box: tuple[float, ...], tmp_path: Path
) -> None:
    """The trial run, on a grey gradient, detects nothing and cannot tell."""
    path = white_detector(tmp_path / "model.onnx", box)
    detector = load_detector(path, labels="ant bee cat")

    seen = detector.detect(np.full((96, 160, 3), 255, np.uint8))
    unseen = detector.detect(np.zeros((96, 160, 3), np.uint8))

    assert seen.invalid
    assert (unseen.detections, unseen.invalid) == ((), False)


def white_detector(path: Path, box: tuple[float, ...]) -> Path:
    """Write a graph that returns a box for a white image, and rows of zeros for others."""
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, 0] = [*box, 0.9, 1]
    constants = [
        numpy_helper.from_array(rows, "rows"),
        numpy_helper.from_array(np.array(0.9, np.float32), "white"),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Greater", ["mean", "white"], ["is white"]),
        helper.make_node("Cast", ["is white"], ["share"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["rows", "share"], ["output0"]),
    ]
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, *SIDES))]
    outputs = [helper.make_tensor_value_info("output0", TensorProto.FLOAT, rows.shape)]
    return save_model(path, nodes, inputs, outputs, constants=constants)


def test_a_detection_of_the_background_is_invalid(tmp_path: Path) -> None:
    """It says that class ids start at 0, which the trial run did not."""
    faint = [Planted((20, 30, 60, 70), -1, 0.04)]
    path = family_model(tmp_path / "model.onnx", FAMILIES["ssd"], faint)
    detector = load_detector(path, model_format="ssd", labels="ant bee cat", floor=0.01)

    assert detector.detect(np.zeros((60, 80, 3), np.uint8)).invalid


def test_the_class_ids_of_the_coco_data_set_have_gaps() -> None:
    assert len(COCO_IDS) == 80
    assert (COCO_IDS[0], COCO_IDS[11], COCO_IDS[-1]) == (1, 13, 90)


def test_a_model_that_two_formats_could_read_is_refused(tmp_path: Path) -> None:
    """Two boxes near the corner, in pixels or in cells of CenterNet."""
    rows = np.array([[1, 2, 9, 12, 0.9, 1], [3, 3, 8, 8, 0.8, 0]], np.float32)
    path = constant_output_model(tmp_path / "model.onnx", {"output0": rows})

    with pytest.raises(ConfigurationError, match="could be end2end or centernet"):
        load_detector(path, labels="ant bee cat")


def test_a_sidecar_sets_format_labels_and_input(tmp_path: Path) -> None:
    path = family_model(tmp_path / "model.onnx", FAMILIES["rtdetr"], OBJECTS)
    (tmp_path / "model.json").write_text(
        json.dumps({"format": "rfdetr", "labels": ["x", "y", "z"], "input": "bgr fit=corner pad=0"})
    )

    detector = load_detector(path)

    assert detector.info.labels == ("x", "y", "z")
    assert detector.decided == "rfdetr: named by model.json"
    assert (detector.preprocessing.padding.value, detector.preprocessing.pad_value) == (
        "bottom right",
        0,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "it is not valid JSON"),
        ('{"labels": "cat"}', "`labels` must be a list of strings"),
        ('{"labels": [1]}', "`labels` must be a list of strings"),
        ('{"format": 1}', "`format` must be a string"),
        ('{"input": "rgb fit=round"}', "'fit=round' is not understood"),
        ('{"format": "yolo99"}', "yolo99 is unknown"),
    ],
)
def test_an_invalid_sidecar_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = family_model(tmp_path / "farm.onnx", FAMILIES["rtdetr"], OBJECTS)
    (tmp_path / "farm.json").write_text(text)

    with pytest.raises(ConfigurationError, match=words):
        load_detector(path, labels="ant bee cat")


def test_a_json_file_of_another_tool_is_ignored(tmp_path: Path) -> None:
    path = family_model(tmp_path / "farm.onnx", FAMILIES["rtdetr"], OBJECTS)
    (tmp_path / "farm.json").write_text('{"epochs": 100}')
    (tmp_path / "model.json").write_text("[1, 2]")

    assert load_detector(path, labels="ant bee cat").decided.startswith("rtdetr: logits")
