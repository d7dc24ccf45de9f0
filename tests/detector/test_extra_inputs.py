"""Models with inputs beside the image: its size, or its scale."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from agent.detector.letterbox import Size
from agent.detector.session import OnnxSession
from tests.detector.planted_models import save_model

SIZE = Size(160, 96)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("orig_target_sizes", [160, 96]),
        ("im_shape", [96, 160]),
        ("scale_factor", [1, 1]),
    ],
)
def test_an_input_beside_the_image_gets_its_value_in_any_order(
    name: str, expected: list[int], tmp_path: Path
) -> None:
    extra = helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 2))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 96, 160))
    nodes = [
        helper.make_node("Identity", [name], ["size"]),
        helper.make_node("ReduceMax", ["image"], ["peak"], keepdims=0),
    ]
    outputs = [
        helper.make_tensor_value_info("size", TensorProto.FLOAT, (1, 2)),
        helper.make_tensor_value_info("peak", TensorProto.FLOAT, ()),
    ]
    path = save_model(tmp_path / "m.onnx", nodes, [extra, image], outputs)
    session = OnnxSession(path)

    values, _ = session.run(np.zeros((1, 3, 96, 160), np.float32), SIZE)

    assert values.tolist() == [expected]
    assert session.signature.has_size_input == (name == "orig_target_sizes")
