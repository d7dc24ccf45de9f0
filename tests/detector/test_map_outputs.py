"""Classifiers whose output is a list of maps from label to probability."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from agent.detector.detector import load_detector
from agent.detector.formats.contract import ChannelOrder
from agent.detector.model_file.input_spec import InputSpec
from agent.domain import Task
from agent.errors import ModelUnusable

KEYS = ("green", "blue", "red")  # not in the order of the alphabet
BLUE = np.zeros((48, 64, 3), np.uint8) + np.array([200, 0, 0], np.uint8)
WORDS = InputSpec.parse("bgr scale=1 fit=stretch")


def zip_map_model(path: Path, metadata: dict[str, str] | None = None, **keys: Any) -> Path:
    """Write a classifier of the colour with the highest mean: channel 0 is green, 1 blue, 2 red."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["data"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Gather", ["flat", "order"], ["ordered"], axis=1),
        helper.make_node("Softmax", ["ordered"], ["shares"]),
        helper.make_node("ZipMap", ["shares"], ["loss"], domain="ai.onnx.ml", **keys),
        helper.make_node("Identity", ["word"], ["classLabel"]),
    ]
    kind = "classlabels_int64s" in keys
    value_type = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    key_type = TensorProto.INT64 if kind else TensorProto.STRING
    maps = helper.make_sequence_type_proto(helper.make_map_type_proto(key_type, value_type))
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 224, 224])],
        [
            helper.make_tensor_value_info("classLabel", TensorProto.STRING, [1]),
            helper.make_value_info("loss", maps),
        ],
        initializer=[
            numpy_helper.from_array(np.array([1, 0, 2], np.int64), "order"),  # of BGR
            helper.make_tensor("word", TensorProto.STRING, [1], [b"green"]),
        ],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 2)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


def test_the_keys_are_the_labels(tmp_path: Path) -> None:
    path = zip_map_model(tmp_path / "m.onnx", classlabels_strings=KEYS)

    detector = load_detector(path, model_input=WORDS)

    assert detector.info.task is Task.CLASSIFY
    assert set(detector.info.labels) == set(KEYS)
    best, *_ = detector.detect(BLUE).classes
    assert (best.label, round(best.confidence, 2)) == ("blue", 1.0)


def test_numbers_as_keys_need_labels(tmp_path: Path) -> None:
    path = zip_map_model(tmp_path / "m.onnx", classlabels_int64s=[0, 1, 2])
    with pytest.raises(ModelUnusable, match="number of classes is 3, its number of labels 0"):
        load_detector(path, model_input=WORDS)

    detector = load_detector(path, model_input=WORDS, labels="green blue red")

    assert detector.detect(BLUE).classes[0].label == "blue"


def test_the_preprocessing_is_asked_for_where_nothing_says_it(tmp_path: Path) -> None:
    path = zip_map_model(tmp_path / "m.onnx", classlabels_strings=KEYS)

    with pytest.raises(ModelUnusable, match=r"a list of maps \(ZipMap\).*AGENT_MODEL_INPUT.*bgr"):
        load_detector(path)


@pytest.mark.parametrize(("written", "order"), [("Bgr8", "bgr"), ("Rgb8", "rgb")])
def test_the_preprocessing_of_custom_vision_s_metadata_is_used(
    tmp_path: Path, written: str, order: str
) -> None:
    metadata = {
        "Image.BitmapPixelFormat": written,
        "Image.NominalPixelRange": "NominalRange_0_255",
    }
    path = zip_map_model(tmp_path / "m.onnx", metadata, classlabels_strings=KEYS)

    used = load_detector(path).preprocessing

    assert used.channel_order is ChannelOrder(order)
    assert (used.mean, used.std, used.crop) == ((0, 0, 0), (1, 1, 1), 0.875)


def test_keys_that_no_record_can_hold_are_refused(tmp_path: Path) -> None:
    path = zip_map_model(tmp_path / "m.onnx", classlabels_strings=["a\x1b[2J", "b", "c"])

    with pytest.raises(ModelUnusable, match=r"the keys of its output: label \d, 'a\\x1b"):
        load_detector(path, model_input=WORDS)
