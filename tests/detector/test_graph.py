"""The confidence below which a graph with NMS discards detections is read from its nodes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper, numpy_helper

from agent.detector.detector import OnnxDetector, load_detector
from agent.detector.model_file.graph import score_thresholds
from tests.detector.planted_families import (
    FAMILIES,
    Family,
    Planted,
    constant_output_model,
)

OBJECTS = [Planted((20, 30, 60, 70), 1, 0.75), Planted((70, 24, 90, 80), 0, 0.5)]


def constant(name: str, number: float, kind: Any = np.float32) -> NodeProto:
    return array(name, np.array([number], kind))


def nms(score: str = "") -> NodeProto:
    names = ["boxes", "all scores", "count", "iou", *([score] if score else [])]
    return helper.make_node("NonMaxSuppression", names, ["chosen"])


def array(name: str, value: Any) -> NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))


def nms_parts() -> list[NodeProto]:
    return [
        array("boxes", np.zeros((1, 1, 4), np.float32)),
        array("all scores", np.zeros((1, 1, 1), np.float32)),
        array("count", np.array([1], np.int64)),
        constant("iou", 0.45),
    ]


def threshold_of_nms(number: float, kind: Any = np.float32) -> list[NodeProto]:
    return [*nms_parts(), constant("score", number, kind), nms("score")]


def threshold_through_nodes() -> list[NodeProto]:
    return [
        *nms_parts(),
        constant("score", 0.3, np.float64),
        helper.make_node("Cast", ["score"], ["as float"], to=TensorProto.FLOAT),
        helper.make_node("Identity", ["as float"], ["same"]),
        nms("same"),
    ]


def compared() -> list[NodeProto]:
    """Compare with a constant before NMS, as Ultralytics does."""
    return [
        *nms_parts(),
        constant("limit", 0.25),
        helper.make_node("Greater", ["all scores", "limit"], ["likely"]),
        nms(),
    ]


def compared_in_a_branch() -> list[NodeProto]:
    """Have the same in a subgraph."""
    branch = helper.make_graph(
        [
            constant("limit", 0.4),
            helper.make_node("GreaterOrEqual", ["all scores", "limit"], ["likely"]),
        ],
        "branch",
        [],
        [helper.make_tensor_value_info("likely", TensorProto.BOOL, (1, 1, 1))],
    )
    yes = helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True)))
    either = helper.make_node("If", ["yes"], ["out of it"], then_branch=branch, else_branch=branch)
    return [*nms_parts(), yes, either, nms()]


def model(path: Path, nodes: Sequence[NodeProto], family: Family, *objects: Planted) -> Path:
    outputs = family.plant(objects or OBJECTS)
    return constant_output_model(path, outputs, more_nodes=nodes)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        (threshold_of_nms(0.3), [0.3]),
        (threshold_through_nodes(), [0.3]),
        (compared(), [0.25]),
        (compared_in_a_branch(), [0.4]),
        (threshold_of_nms(0.0), []),
        ([*nms_parts(), nms()], []),
        (compared()[:-1], [0.25]),
        ([], []),
    ],
    ids=[
        "NMS",
        "NMS, cast",
        "comparison",
        "comparison in a branch",
        "NMS of 0",
        "NMS without",
        "comparison without NMS",
        "nothing",
    ],
)
def test_the_threshold_is_found(
    nodes: list[NodeProto], expected: list[float], tmp_path: Path
) -> None:
    path = model(tmp_path / "m.onnx", nodes, FAMILIES["v10"])

    assert score_thresholds(path) == pytest.approx(expected)


def load(path: Path, nodes: Sequence[NodeProto], family: Family, *objects: Planted) -> OnnxDetector:
    return load_detector(model(path, nodes, family, *objects), labels="ant bee cat", floor=0.05)


def test_detections_refute_limits_above_them(tmp_path: Path) -> None:
    """Of several constants the lowest is the limit, until detections tell."""
    compare = helper.make_node("Less", ["all scores", "other"], ["few"])
    nodes = [*compared(), constant("other", 0.45), compare]
    detector = load(tmp_path / "m.onnx", nodes, FAMILIES["NMS in the graph"])

    assert "below a confidence of 0.25" in str(detector.discarded())
    assert "below a confidence of 0.45" in str(detector.discarded([0.5, 0.9]))
    assert "below a confidence of 0.25" in str(detector.discarded([0.3, 0.9]))
    assert detector.discarded([0.1, 0.9]) is None


def test_the_iou_of_rotated_nms_is_not_taken_for_a_confidence(tmp_path: Path) -> None:
    """Both are compared with a constant: the exports of Ultralytics with 0.25 and 0.7."""
    compare = helper.make_node("Greater", ["all scores", "iou"], ["few"])
    nodes = [*compared(), constant("iou", 0.7), compare]
    certain = Planted((20, 30, 50, 60), 2, 0.95)
    detector = load(tmp_path / "m.onnx", nodes, FAMILIES["obb after NMS"], certain)

    assert "below a confidence of 0.25" in str(detector.discarded())
    assert "below a confidence of 0.25" in str(detector.discarded([0.8, 0.9]))


def test_a_detector_says_what_its_graph_discards(tmp_path: Path) -> None:
    detector = load(tmp_path / "m.onnx", compared(), FAMILIES["NMS in the graph"])

    assert "its graph discards detections below a confidence of 0.25" in str(detector.discarded())
    assert "export it with a confidence of 0.05" in str(detector.discarded())


@pytest.mark.parametrize(
    ("nodes", "name", "objects"),
    [
        (compared(), "NMS in the graph", [*OBJECTS, Planted((20, 30, 50, 60), 2, 0.1)]),
        (threshold_of_nms(0.05), "NMS in the graph", OBJECTS),
        (compared(), "ultralytics", [*OBJECTS, Planted((20, 30, 50, 60), 2, 0.001)]),
        ([], "NMS in the graph", OBJECTS),
    ],
    ids=["the trial run refutes it", "not above the floor", "all boxes are output", "no NMS"],
)
def test_a_detector_that_discards_nothing_says_nothing(
    nodes: list[NodeProto], name: str, objects: list[Planted], tmp_path: Path
) -> None:
    assert load(tmp_path / "m.onnx", nodes, FAMILIES[name], *objects).discarded() is None


@given(st.binary(max_size=200), st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_a_damaged_file_has_no_threshold(
    tmp_path_factory: pytest.TempPathFactory, start: bytes, place: int, change: bytes
) -> None:
    """Any bytes are read without an error."""
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(start)
    score_thresholds(path)
    graph = helper.make_graph(compared(), "g", [], [])
    whole = bytearray(helper.make_model(graph).SerializeToString())
    whole[place : place + len(change)] = change
    path.write_bytes(whole)

    found = score_thresholds(path)

    assert all(0 < each < 1 for each in found)
