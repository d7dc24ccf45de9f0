"""Models whose axes are declared free, but that do not run at each size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from agent.detector.detector import load_detector
from agent.detector.formats.contract import ChannelOrder, Preprocessing
from agent.detector.letterbox import Padding, Size
from agent.detector.model_file.input_spec import InputSpec
from agent.detector.session import OnnxSession
from agent.domain import Pixels
from agent.errors import ModelUnusable
from tests.detector.planted_models import METADATA, planted_rows, save_model, value

ROWS = planted_rows([(10, 10, 60, 60)], [[0.9, 0.1, 0.1]], cells=2)
YOLO = Preprocessing(
    ChannelOrder.RGB, (0, 0, 0), (255, 255, 255), Padding.CENTRED, 114, 32, Size(640, 640)
)
SHAPES = [(480, 640), (720, 1280), (1280, 720), (1000, 300), (64, 64), (1, 1)]


def image(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), 90, np.uint8)


def free_model(path: Path, nodes: list[Any], constants: list[Any], **metadata: str) -> Path:
    """Write a model with free axes whose output depends on the output `probe` of `nodes`."""
    return save_model(
        path,
        [
            *nodes,
            helper.make_node("ReduceMax", ["probe"], ["peak"], keepdims=0),
            helper.make_node("Sub", ["peak", "peak"], ["zero"]),
            helper.make_node("Add", ["planted", "zero"], ["output0"]),
        ],
        [value("images", ["batch", 3, "height", "width"])],
        [value("output0", [1, *ROWS.shape])],
        constants=[numpy_helper.from_array(ROWS[None], "planted"), *constants],
        metadata=METADATA | metadata,
    )


def with_strides(stride: int) -> Callable[[Path], Path]:
    """Return a model with two levels, of which the coarser one needs multiples of `stride`."""

    def write(path: Path) -> Path:
        fine, coarse = stride // 2, stride
        return free_model(
            path,
            [
                helper.make_node(
                    "MaxPool",
                    ["images"],
                    ["fine"],
                    kernel_shape=[fine, fine],
                    strides=[fine, fine],
                ),
                helper.make_node(
                    "MaxPool",
                    ["images"],
                    ["coarse"],
                    kernel_shape=[coarse, coarse],
                    strides=[coarse, coarse],
                ),
                helper.make_node("Resize", ["coarse", "", "scales"], ["twice"], mode="nearest"),
                helper.make_node("Concat", ["fine", "twice"], ["probe"], axis=1),
            ],
            [numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")],
        )

    return write


def for_squares(path: Path) -> Path:
    return free_model(
        path,
        [
            helper.make_node("Transpose", ["images"], ["turned"], perm=[0, 1, 3, 2]),
            helper.make_node("Concat", ["images", "turned"], ["probe"], axis=1),
        ],
        [],
    )


def for_one_size(side: int) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        shape = np.array([1, 3, side, side], np.int64)
        return free_model(
            path,
            [helper.make_node("Reshape", ["images", "square"], ["probe"])],
            [numpy_helper.from_array(shape, "square")],
        )

    return write


def for_landscape(path: Path) -> Path:
    """Write a model that fails where the input is higher than wide."""
    return free_model(
        path,
        [
            helper.make_node("Shape", ["images"], ["axes"]),
            helper.make_node("Gather", ["axes", "width"], ["w"]),
            helper.make_node("Gather", ["axes", "height"], ["h"]),
            helper.make_node("Sub", ["w", "h"], ["more"]),
            helper.make_node("ConstantOfShape", ["more"], ["blank"]),
            helper.make_node("ReduceSum", ["blank"], ["sum"], keepdims=0),
            helper.make_node("ReduceMax", ["images"], ["light"], keepdims=0),
            helper.make_node("Add", ["sum", "light"], ["probe"]),
        ],
        [
            numpy_helper.from_array(np.array([3], np.int64), "width"),
            numpy_helper.from_array(np.array([2], np.int64), "height"),
        ],
    )


@pytest.mark.parametrize(
    "write",
    [
        with_strides(32),
        with_strides(64),
        with_strides(128),
        for_squares,
        for_one_size(320),
        for_one_size(416),
        for_landscape,
    ],
    ids=["32", "64", "128", "square", "only 320", "only 416", "landscape"],
)
def test_each_frame_gets_a_size_at_which_the_model_runs(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    detector = load_detector(write(tmp_path / "m.onnx"))

    for height, width in SHAPES:
        prediction = detector.detect(image(height, width))
        assert prediction.failure == ""
        assert not prediction.invalid


def test_the_smallest_stride_is_used(tmp_path: Path) -> None:
    for stride, width in ((32, 608), (64, 576), (128, 640)):
        session = OnnxSession(with_strides(stride)(tmp_path / "m.onnx"))
        assert session.signature.size.width == width
        assert session.signature.size.width // stride % 2 == 1
        for frame in (Size(640, 480), Size(1280, 720), Size(300, 1000)):
            size = session.input_size(frame, YOLO)
            assert (size.width % stride, size.height % stride) == (0, 0)


def test_a_model_that_runs_at_an_unusual_size_asks_for_it(tmp_path: Path) -> None:
    path = for_one_size(333)(tmp_path / "m.onnx")
    with pytest.raises(ModelUnusable, match=r"AGENT_MODEL_INPUT, for example size=320x320"):
        load_detector(path)

    detector = load_detector(path, model_input=InputSpec(size=Size(333, 333)))

    assert [each.label for each in detector.detect(image(480, 640)).detections] == ["cat"]


def test_the_size_may_stand_beside_the_model(tmp_path: Path) -> None:
    path = for_one_size(333)(tmp_path / "m.onnx")
    path.with_suffix(".json").write_text('{"input": "size=333x333"}')

    assert not load_detector(path).detect(image(480, 640)).invalid


def test_a_size_at_which_the_model_does_not_run_is_refused(tmp_path: Path) -> None:
    path = with_strides(64)(tmp_path / "m.onnx")

    with pytest.raises(ModelUnusable, match=r"at 620x620: .*AGENT_MODEL_INPUT .*size=576x320"):
        load_detector(path, model_input=InputSpec.parse("fit=stretch size=620x620"))


def test_a_graph_that_fails_where_it_finds_nothing_is_tried_on_noise(tmp_path: Path) -> None:
    """It has an even gradient, and fails where all differences of neighbours are small."""
    path = save_model(
        tmp_path / "m.onnx",
        [
            helper.make_node("Slice", ["images", "one", "end", "axis"], ["right"]),
            helper.make_node("Slice", ["images", "start", "minus", "axis"], ["left"]),
            helper.make_node("Sub", ["right", "left"], ["steps"]),
            helper.make_node("ReduceMax", ["steps"], ["largest"], keepdims=0),
            helper.make_node("Greater", ["largest", "little"], ["seen"]),
            helper.make_node("Cast", ["seen"], ["count"], to=TensorProto.INT64),
            helper.make_node("Sub", ["count", "unit"], ["index"]),  # 0, or -1
            helper.make_node("Reshape", ["index", "unit1"], ["length"]),
            helper.make_node("ConstantOfShape", ["length"], ["blank"]),
            helper.make_node("ReduceSum", ["blank"], ["zero"], keepdims=0),
            helper.make_node("Add", ["planted", "zero"], ["output0"]),
        ],
        [value("images", [1, 3, 64, 64])],
        [value("output0", [1, *ROWS.shape])],
        constants=[
            numpy_helper.from_array(ROWS[None], "planted"),
            numpy_helper.from_array(np.array([1], np.int64), "one"),
            numpy_helper.from_array(np.array([0], np.int64), "start"),
            numpy_helper.from_array(np.array([64], np.int64), "end"),
            numpy_helper.from_array(np.array([63], np.int64), "minus"),
            numpy_helper.from_array(np.array([3], np.int64), "axis"),
            numpy_helper.from_array(np.int64(1), "unit"),
            numpy_helper.from_array(np.array([1], np.int64), "unit1"),
            numpy_helper.from_array(np.float32(0.3), "little"),
        ],
        metadata=METADATA,
    )
    detector = load_detector(path)

    assert detector.detect(image(64, 64)).failure
    noisy = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    assert [each.label for each in detector.detect(noisy).detections] == ["cat"]
