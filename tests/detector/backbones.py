"""Small convolutional graphs of the kinds that detectors have, for the choice of a feature map."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.detector.planted_models import IR_VERSION, METADATA, OPSET, value

CHANNELS = 64


class Graph:
    """Adds nodes one after the other; each method returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._random = np.random.default_rng(0)
        self._channels: dict[str, int] = {"images": 3}

    def node(self, kind: str, *inputs: str, channels: int = 0, **attributes: Any) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        self._channels[name] = channels or self._channels.get(inputs[0], 0)
        return name

    def constant(self, values: Any) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def conv(
        self, of: str, channels: int, *, stride: int = 1, side: int = 3, group: int = 1
    ) -> str:
        before = self._channels[of] // group
        scale = 1 / np.sqrt(before * side * side)
        weights = self._random.normal(0, scale, (channels, before, side, side))
        return self.node(
            "Conv",
            of,
            self.constant(weights.astype(np.float32)),
            channels=channels,
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[(side - 1) // 2] * 4,
            group=group,
        )

    def relu(self, of: str) -> str:
        return self.node("Relu", of)

    def silu(self, of: str) -> str:
        return self.node("Mul", of, self.node("Sigmoid", of))

    def enlarged(self, of: str) -> str:
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        return self.node("Resize", of, "", scales, mode="nearest")

    def concat(self, *of: str) -> str:
        channels = sum(self._channels[each] for each in of)
        return self.node("Concat", *of, channels=channels, axis=1)

    def stem(self, of: str = "images", *, until: int = 8) -> str:
        """Return an activated map of this stride."""
        stride = 1
        while stride < until:
            of, stride = self.relu(self.conv(of, 8, stride=2)), 2 * stride
        return of

    def neck(self, deep: str, middle: str) -> str:
        """Join a map with an enlarged one of the next stride, and return a path down again."""
        lateral = self.conv(middle, CHANNELS, side=1)
        joined = self.relu(self.node("Add", lateral, self.enlarged(self.conv(deep, CHANNELS))))
        return self.relu(self.conv(joined, CHANNELS, stride=2))

    def model(self, *heads: str, shape: Sequence[int | str] = (1, 3, 96, 128)) -> Any:
        """Return a model whose output `[1, 7, 1]` depends on all heads: one box, three labels."""
        means = [self.node("ReduceMean", head, keepdims=0) for head in heads]
        little = self.node("Mul", self.node("Sum", *means), self.constant(np.float32(1e-3)))
        rows = np.array([64, 48, 32, 24, 0.9, 0.2, 0.1], np.float32)[None, :, None]
        self.nodes.append(helper.make_node("Add", [self.constant(rows), little], ["output0"]))
        graph = helper.make_graph(
            self.nodes,
            "backbone",
            [value("images", shape)],
            [value("output0", [1, 7, 1])],
            initializer=self.constants,
        )
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )
        helper.set_model_props(made, METADATA)
        return made


def saved(model: Any, path: Path) -> Path:
    """Write a model and return its path."""
    onnx.save(model, path)
    return path
