"""Which tensor of a graph features are made from, and that the model stays the same with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from agent.detector.detector import load_detector
from agent.detector.letterbox import Size
from agent.detector.model_file import extra_output
from agent.detector.model_file.bundled import bundled_model
from agent.detector.model_file.extra_output import feature_tensor_of, one_more_output
from agent.detector.model_file.feature_tensor import (
    FeatureTensor,
    choose_feature_tensor,
    wrong_map,
)
from agent.detector.providers import Hardware
from agent.detector.session import OnnxSession
from tests.detector.backbones import CHANNELS, Graph, saved
from tests.detector.planted_models import METADATA, bundled, fixed_model, planted_rows, street

EXPORTS = Path(__file__).with_name("exports")
CPU = ["CPUExecutionProvider"]

Built = tuple[Any, str]
"""A model, and the tensor that must be chosen."""


def plain() -> Built:
    """Convolution and activation, one after the other (VGG, Darknet)."""
    graph = Graph()
    wanted = graph.relu(graph.conv(graph.stem(), CHANNELS, stride=2))
    deep = graph.relu(graph.conv(wanted, 96, stride=2))
    return graph.model(graph.neck(deep, wanted), deep), wanted


def residual() -> Built:
    """Bottlenecks with a sum, whose first one of a stage shrinks in both of its paths (ResNet)."""
    graph = Graph()
    wanted = graph.stem()
    for channels in (CHANNELS, 96):
        before = wanted
        for stride in (2, 1):
            inner = graph.relu(graph.conv(wanted, 32, side=1))
            inner = graph.relu(graph.conv(inner, 32, stride=stride))
            same = graph.conv(wanted, channels, stride=stride, side=1) if stride > 1 else wanted
            wanted = graph.relu(graph.node("Add", graph.conv(inner, channels, side=1), same))
    return graph.model(graph.neck(wanted, before)), before


def csp() -> Built:
    """A stage that splits the channels and joins all parts again (YOLOv8, v11)."""
    graph = Graph()
    first = graph.silu(graph.conv(graph.stem(), CHANNELS, stride=2))
    graph.nodes.append(helper.make_node("Split", [first], ["left", "right"], axis=1))
    graph._channels |= {"left": CHANNELS // 2, "right": CHANNELS // 2}
    more = graph.silu(graph.conv("right", 32))
    joined = graph.concat("left", "right", graph.node("Add", more, "right"))
    graph._channels[joined] = 96
    wanted = graph.silu(graph.conv(joined, CHANNELS, side=1))
    deep = graph.silu(graph.conv(wanted, 96, stride=2))
    return graph.model(graph.neck(deep, wanted)), wanted


def elan() -> Built:
    """Shrinking by a pool and by a convolution side by side (YOLOv7)."""
    graph = Graph()
    wanted = graph.silu(graph.conv(graph.stem(), CHANNELS, stride=2))
    pooled = graph.node("MaxPool", wanted, kernel_shape=[2, 2], strides=[2, 2])
    deep = graph.concat(graph.conv(pooled, 32), graph.conv(wanted, 32, stride=2))
    return graph.model(graph.neck(deep, wanted)), wanted


def shuffle() -> Built:
    """Channels are shuffled by two reshapes (ShuffleNet)."""
    graph = Graph()
    below = graph.relu(graph.conv(graph.stem(), CHANNELS, stride=2))
    height, width = 96 // 16, 128 // 16
    five = graph.constant(np.array([1, 2, CHANNELS // 2, height, width]))
    folded = graph.node("Reshape", below, five)
    turned = graph.node("Transpose", folded, perm=[0, 2, 1, 3, 4])
    four = graph.constant(np.array([1, CHANNELS, height, width]))
    wanted = graph.node("Reshape", turned, four)
    deep = graph.concat(
        graph.conv(wanted, 64, stride=2, group=64),
        graph.conv(graph.relu(graph.conv(wanted, 32, side=1)), 32, stride=2, group=32),
    )
    return graph.model(graph.neck(deep, wanted)), below  # has the same channels


def computed_shapes() -> Built:
    """The graph computes the limits of slices and the shape of a shuffle (no simplification)."""
    graph = Graph()
    below = graph.relu(graph.conv(graph.stem(), CHANNELS, stride=2))
    shape = graph.node("Shape", below)
    one, two = graph.constant(np.array([1])), graph.constant(np.array([2]))
    half = graph.node("Div", graph.node("Gather", shape, one), two)
    parts = [
        graph.node("Slice", below, graph.constant(np.array([0])), half, one),
        graph.node("Slice", below, half, graph.node("Mul", half, two), one),
    ]
    joined = graph.node("Concat", *parts, channels=CHANNELS, axis=1)
    ends = [graph.node("Slice", shape, *[graph.constant(np.array([n])) for n in (2, 4)])]
    five = graph.node("Concat", one, two, half, *ends, axis=0)
    turned = graph.node("Transpose", graph.node("Reshape", joined, five), perm=[0, 2, 1, 3, 4])
    wanted = graph.relu(graph.node("Reshape", turned, shape, channels=CHANNELS))
    deep = graph.relu(graph.conv(wanted, 96, stride=2))
    return graph.model(graph.neck(deep, wanted)), wanted


def expanded() -> Built:
    """Narrow sums, and wide maps between them; the last wide one shrinks (MobileNet, SSDlite)."""
    graph = Graph()
    narrow = graph.conv(graph.stem(), 24, stride=2)
    inner = graph.relu(graph.conv(narrow, 96, side=1))
    narrow = graph.node("Add", graph.conv(graph.conv(inner, 96, group=96), 24, side=1), narrow)
    wanted = graph.relu(graph.conv(narrow, 144, side=1))
    deep = graph.conv(graph.relu(graph.conv(wanted, 144, stride=2, group=144)), 40, side=1)
    return graph.model(graph.conv(wanted, 8), graph.conv(deep, 8)), wanted


def squeezed() -> Built:
    """The channels are weighted by a vector of the whole map (squeeze and excitation)."""
    graph = Graph()
    below = graph.relu(graph.conv(graph.stem(), CHANNELS, stride=2))
    vector = graph.node("Sigmoid", graph.conv(graph.node("GlobalAveragePool", below), 64, side=1))
    wanted = graph.node("Mul", below, vector)
    deep = graph.relu(graph.conv(wanted, 96, stride=2))
    return graph.model(graph.neck(deep, wanted)), wanted


def focus() -> Built:
    """The first stride is made of four slices (YOLOv5, YOLOX)."""
    graph = Graph()
    parts = []
    for row in (0, 1):
        for column in (0, 1):
            part = "images"
            for axis, start in ((2, row), (3, column)):
                limits = [graph.constant(np.array([n])) for n in (start, 2**63 - 1, axis, 2)]
                part = graph.node("Slice", part, *limits, channels=3)
            parts.append(part)
    of = graph.relu(graph.conv(graph.concat(*parts), 8))
    for _ in range(2):
        of = graph.relu(graph.conv(of, 8, stride=2))
    wanted = graph.relu(graph.conv(of, CHANNELS, stride=2))
    deep = graph.relu(graph.conv(wanted, 96, stride=2))
    return graph.model(graph.neck(deep, wanted)), wanted


def channels_last() -> Built:
    """The image and some maps have their channels last (TensorFlow)."""
    graph = Graph()
    image = graph.node("Transpose", "images", channels=3, perm=[0, 3, 1, 2])
    below = graph.conv(graph.stem(image), CHANNELS, stride=2)
    there = graph.relu(graph.node("Transpose", below, perm=[0, 2, 3, 1]))
    wanted = graph.relu(graph.node("Transpose", there, perm=[0, 3, 1, 2]))
    padded = graph.node("Pad", wanted, graph.constant(np.array([0, 0, 0, 0, 0, 0, 1, 1])))
    deep = graph.relu(graph.conv(padded, 96, stride=2))
    return graph.model(deep, shape=(1, 96, 128, 3)), wanted


def normalized() -> Built:
    """Batch normalization is not folded into the convolutions."""
    graph = Graph()
    ones = [graph.constant(np.ones(CHANNELS, np.float32)) for _ in range(4)]
    below = graph.conv(graph.stem(), CHANNELS, stride=2)
    wanted = graph.relu(graph.node("BatchNormalization", below, *ones))
    deep = graph.node("BatchNormalization", graph.conv(wanted, CHANNELS, stride=2), *ones)
    return graph.model(graph.neck(graph.relu(deep), wanted)), wanted


def lateral_first() -> Built:
    """The laterals of the neck stand before its first enlarged map (PAN, FPN)."""
    graph = Graph()
    wanted = graph.relu(graph.conv(graph.stem(), CHANNELS, stride=2))
    lateral = graph.relu(graph.conv(wanted, 96, side=1))
    deep = graph.relu(graph.conv(wanted, 96, stride=2))
    return graph.model(graph.neck(graph.conv(deep, 8), lateral), lateral), wanted


def down_again() -> Built:
    """The neck goes up to stride 8 and down again: its maps of stride 16 and 32 do not count."""
    graph = Graph()
    shallow = graph.stem()
    wanted = graph.relu(graph.conv(shallow, CHANNELS, stride=2))
    deep = graph.relu(graph.conv(wanted, 96, stride=2))
    lateral = graph.conv(wanted, CHANNELS, side=1)
    middle = graph.relu(graph.node("Add", lateral, graph.enlarged(graph.conv(deep, CHANNELS))))
    lateral = graph.conv(shallow, CHANNELS, side=1)
    fine = graph.relu(graph.node("Add", lateral, graph.enlarged(middle)))
    below = graph.relu(graph.concat(graph.conv(fine, CHANNELS, stride=2), middle))
    return graph.model(fine, below, graph.relu(graph.conv(below, CHANNELS, stride=2))), wanted


def attention() -> Built:
    """A part of a stage is no convolution; it is added to the map (YOLO12)."""
    graph = Graph()
    below = graph.relu(graph.conv(graph.stem(), CHANNELS, stride=2))
    rows = graph.node("Reshape", below, graph.constant(np.array([1, CHANNELS, 48])))
    softmax = graph.node("Softmax", rows)
    back = graph.node("Reshape", softmax, graph.constant(np.array([1, CHANNELS, 6, 8])))
    wanted = graph.node("Add", below, back)
    deep = graph.relu(graph.conv(wanted, 96, stride=2))
    return graph.model(graph.neck(deep, wanted)), wanted


KINDS: tuple[Callable[[], Built], ...] = (
    plain, residual, csp, elan, shuffle, computed_shapes, expanded, squeezed, focus, channels_last,
    normalized, lateral_first, down_again, attention,
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_map_of_stride_16_before_the_neck_is_chosen(
    kind: Callable[[], Built], tmp_path: Path
) -> None:
    model, wanted = kind()

    found = choose_feature_tensor(memoryview(model.SerializeToString()))
    session = OnnxSession(saved(model, tmp_path / "m.onnx"))

    assert found == FeatureTensor(wanted)
    assert session.feature_tensor.name == wanted


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_nodes_in_the_file_does_not_matter(kind: Callable[[], Built]) -> None:
    model, wanted = kind()
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes[1:], nodes[0]])  # as a conversion to half precision does

    found = choose_feature_tensor(memoryview(model.SerializeToString()))

    assert found == FeatureTensor(wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_the_outputs_are_bit_for_bit_those_of_the_file(
    kind: Callable[[], Built], tmp_path: Path
) -> None:
    model, _ = kind()
    path = saved(model, tmp_path / "m.onnx")
    same_outputs(path, [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim])


def test_the_outputs_of_the_bundled_model_are_bit_for_bit_those_of_its_file() -> None:
    same_outputs(bundled_model(), [1, 3, 416, 416])
    same_outputs(bundled_model(), [1, 3, 192, 416])


def same_outputs(path: Path, shape: list[int]) -> None:
    image = np.random.default_rng(0).random(shape, np.float32)
    session = OnnxSession(path)
    single = onnxruntime.SessionOptions()
    single.intra_op_num_threads = 1
    file = onnxruntime.InferenceSession(path, single, providers=CPU)
    sides = shape[1:3] if shape[-1] == 3 else shape[2:]

    outputs, found = session.run_with_map(image, Size(sides[1], sides[0]))

    assert found is not None
    assert found.shape[1:] == (sides[0] // 16, sides[1] // 16)
    for ours, others in zip(
        outputs, file.run(None, {file.get_inputs()[0].name: image}), strict=True
    ):
        assert ours.tobytes() == others.tobytes()


def test_the_sha256_is_that_of_the_file() -> None:
    session = OnnxSession(bundled_model())

    assert session.feature_tensor.name
    assert session.file.sha256 == bundled().info.sha256
    assert bundled().object_features == f"object features from {session.feature_tensor.name!r}"


def quantized() -> Any:
    graph = Graph()
    zero, scale = graph.constant(np.uint8(0)), graph.constant(np.float32(0.1))
    middle = graph.relu(graph.conv(graph.stem(), CHANNELS, stride=2))
    small = graph.node("QuantizeLinear", middle, scale, zero)
    again = graph.node("DequantizeLinear", small, scale, zero)
    return graph.model(graph.relu(graph.conv(again, 96, stride=2)))


def patches() -> Any:
    graph = Graph()
    weights = graph.constant(np.zeros((CHANNELS, 3, 16, 16), np.float32))
    tokens = graph.node("Conv", "images", weights, strides=[16, 16])
    return graph.model(graph.node("Softmax", tokens))


def narrow() -> Any:
    graph = Graph()
    middle = graph.relu(graph.conv(graph.stem(), 48, stride=2))
    return graph.model(graph.relu(graph.conv(middle, 96, stride=2)))


def resized() -> Any:
    graph = Graph()
    middle = graph.relu(graph.conv(graph.stem(graph.enlarged("images")), CHANNELS, stride=2))
    return graph.model(graph.relu(graph.conv(middle, 96, stride=2)))


def given_already() -> Any:
    graph = Graph()
    middle = graph.relu(graph.conv(graph.stem(), CHANNELS, stride=2))
    model = graph.model(graph.relu(graph.conv(middle, 96, stride=2)))
    model.graph.output.append(helper.make_tensor_value_info(middle, TensorProto.FLOAT, None))
    return model


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (quantized, "its maps are quantized"),
        (patches, "no map of stride 16 leads to one of 32"),
        (narrow, "its map of stride 16 has 48 channels"),
        (resized, "no map of stride 16 leads to one of 32"),
        (given_already, "its map of stride 16 is an output already"),
    ],
)
def test_a_graph_without_a_clear_map_has_none(
    model: Callable[[], Any], why: str, tmp_path: Path
) -> None:
    path = saved(model(), tmp_path / "m.onnx")

    session = OnnxSession(path)
    size = session.signature.size
    _, found = session.run_with_map(np.zeros((1, 3, size.height, size.width), np.float32), size)

    assert choose_feature_tensor(memoryview(path.read_bytes())).reason == why
    assert found is None


def test_a_model_without_a_map_works_and_says_why(tmp_path: Path) -> None:
    rows = planted_rows([(300, 300, 400, 400)], [[0.9, 0.1, 0.1]])
    detector = load_detector(fixed_model(tmp_path / "m.onnx", rows, metadata=METADATA))

    prediction = detector.detect(street()[125])

    assert prediction.features is None
    assert len(prediction.detections) == 1
    assert detector.object_features == (
        "no object features: no map of stride 16 leads to one of 32"
    )


def test_a_classifier_has_none() -> None:
    detector = load_detector(EXPORTS / "timm-resnet.onnx", labels="a b c d e")

    assert detector.detect(street()[125]).features is None
    assert "no object features" in detector.object_features


def test_only_a_session_on_the_cpu_returns_the_map(tmp_path: Path) -> None:
    path = saved(plain()[0], tmp_path / "m.onnx")

    for providers in (["CUDAExecutionProvider", *CPU], ["OpenVINOExecutionProvider"]):
        assert feature_tensor_of(path, providers, ()) == FeatureTensor(reason="only on the CPU")


def test_a_model_with_weights_in_other_files_is_opened_as_a_file(tmp_path: Path) -> None:
    """From bytes onnxruntime would look for them in the working directory."""
    path = tmp_path / "m.onnx"
    model, _ = plain()
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=1000)

    session = OnnxSession(path)

    assert session.feature_tensor == FeatureTensor(reason="its weights are in other files")


def test_a_map_that_onnxruntime_refuses_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(plain()[0], tmp_path / "m.onnx")
    monkeypatch.setattr(extra_output, "choose_feature_tensor", lambda _: FeatureTensor("nowhere"))

    session = OnnxSession(path, hardware=Hardware(CPU))

    assert session.feature_tensor.reason == "onnxruntime cannot load the model with it"
    assert [each.name for each in session.signature.outputs] == ["output0"]


def test_a_tensor_of_another_shape_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = plain()
    path = saved(model, tmp_path / "m.onnx")
    other = model.graph.node[0].output[0]  # of stride 2
    monkeypatch.setattr(extra_output, "choose_feature_tensor", lambda _: FeatureTensor(other))

    detector = load_detector(path)

    assert detector.detect(street()[125]).features is None
    assert "another shape" in detector.object_features


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        ((64, 6, 8), ""),
        ((64, 7, 9), ""),
        ((64, 5, 7), ""),
        ((64, 8, 8), "another shape"),
        ((64, 6), "another shape"),
        ((6, 8, 64), "another shape"),
        ((63, 6, 8), "63 channels"),
    ],
)
def test_the_map_of_the_trial_must_have_the_expected_shape(
    shape: tuple[int, ...], problem: str
) -> None:
    found = wrong_map(np.zeros(shape, np.float32), Size(128, 96))

    assert problem in found
    assert bool(problem) == bool(found)
    if not problem:
        assert "finite" in wrong_map(np.full(shape, np.nan, np.float32), Size(128, 96))


@given(st.binary(max_size=200), st.integers(0), st.integers(0, 255))
def test_a_damaged_file_has_a_reason_and_no_error(tail: bytes, at: int, byte: int) -> None:
    data = bytearray(SMALL)
    at %= len(data)
    data[at] = byte

    for damaged in (tail, bytes(data), SMALL[:at] + tail, SMALL + tail):
        found = choose_feature_tensor(memoryview(damaged))
        assert bool(found.name) != bool(found.reason)


SMALL = onnx.helper.make_model(
    helper.make_graph(
        [
            helper.make_node("Conv", ["images", "w"], ["a"], strides=[16, 16]),
            helper.make_node("Slice", ["a", "zero", "many", "axes", "two"], ["b"]),
            helper.make_node("Resize", ["b"], ["c"]),
            helper.make_node("Reshape", ["b", "two"], ["d"]),
        ],
        "small",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])],
        [],
        initializer=[
            helper.make_tensor("w", TensorProto.FLOAT, [64, 3, 0, 0], []),
            helper.make_tensor("zero", TensorProto.INT64, [2], [0, 0]),
            helper.make_tensor("many", TensorProto.INT64, [2], [99, 99]),
            helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3]),
            helper.make_tensor("two", TensorProto.INT64, [2], [2, 2]),
        ],
    )
).SerializeToString()


def test_a_cycle_ends() -> None:
    nodes = [
        helper.make_node("Add", ["images", "b"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Relu", ["c"], ["c"]),
    ]
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])
    model = helper.make_model(helper.make_graph(nodes, "cycle", [image], []))

    assert choose_feature_tensor(memoryview(model.SerializeToString())).reason


def test_a_graph_of_a_million_nodes_is_not_walked() -> None:
    node = helper.make_node("Relu", ["images"], ["a"]).SerializeToString()
    graph = (b"\x0a" + bytes([len(node)]) + node) * 1_000_000
    size = len(graph)
    head = b"\x3a" + bytes([*((size >> 7 * n & 0x7F) | 0x80 for n in range(3)), size >> 21])

    found = choose_feature_tensor(memoryview(head + graph))

    assert found.reason == "its graph cannot be read: it has more than 20000 nodes"


@given(st.text(min_size=1, max_size=300))
def test_the_appended_bytes_are_one_more_output(name: str) -> None:
    before = _EMPTY
    merged = onnx.load_from_string(before.SerializeToString() + one_more_output(name))

    assert [each.name for each in merged.graph.output] == ["first", name]
    del merged.graph.output[1]
    assert merged == before


_EMPTY = helper.make_model(
    helper.make_graph(
        [helper.make_node("Relu", ["images"], ["first"])],
        "one",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("first", TensorProto.FLOAT, [1, 3, 64, 64])],
    )
)
