"""Reads from a graph the confidences below which it may discard detections.

Only these fields are read: ModelProto.graph (7) and functions (25), GraphProto.node (1) and
initializer (5), FunctionProto.node (7), NodeProto.input (1), output (2), op_type (4) and attribute
(5), AttributeProto.name (1), f (2), t (5), g (6) and graphs (11), TensorProto.data_type (2),
float_data (4), name (8), raw_data (9) and double_data (10). Source: onnx/onnx.proto.
"""

import mmap
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent.detector.model_file.external_data import DEEPEST
from agent.detector.model_file.protobuf import fields, messages, varint

NMS = ("NonMaxSuppression", "EfficientNMS_TRT", "BatchedNMSDynamic_TRT", "TRTBatchedNMS")
COMPARISONS = ("Greater", "GreaterOrEqual", "Less", "LessOrEqual")
UNCHANGED = ("Identity", "Cast", "CastLike", "Reshape", "Squeeze", "Unsqueeze")
SCORE_INPUT = 4  # of NonMaxSuppression: boxes, scores, count, IoU, score
LONGEST_SCALAR = 256  # bytes of a message with one number
DIGITS = 4  # of a threshold; half-precision has fewer
LONGEST_CHAIN = 8  # nodes between a constant and its use

# TensorProto.data_type -> format of `struct`.
_NUMBERS = {1: "<f", 10: "<e", 11: "<d"}


def score_thresholds(path: Path) -> tuple[float, ...]:
    """Return the confidences, between 0 and 1, that may be the graph's limit, the lowest first.

    A threshold of NMS is certain, and is the only one then. Otherwise these are all constants with
    which the graph compares. Empty: there is none, or the file is not understood.
    """
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        graph = _Graph()
        graph.read(memoryview(data))
    except (OSError, ValueError, struct.error):
        return ()
    return _shares(graph.nms_thresholds()) or _shares(graph.compared())


def _shares(numbers: Iterable[float]) -> tuple[float, ...]:
    """Return the numbers between 0 and 1, the lowest first."""
    rounded = {round(number, DIGITS) for number in numbers if 0 < number < 1}
    return tuple(sorted(rounded - {0.0, 1.0}))


@dataclass(slots=True)
class _Node:
    kind: str = ""
    inputs: list[str] = field(default_factory=list)
    score: float | None = None  # the attribute `score_threshold`


class _Graph:
    """The nodes of a model with all of its subgraphs, and its constants of one number."""

    def __init__(self) -> None:
        self._nodes: list[_Node] = []
        self._made_by: dict[str, _Node] = {}
        self._numbers: dict[str, float] = {}

    def read(self, model: memoryview) -> None:
        """Read a ModelProto; raises `ValueError`."""
        waiting = [
            (number == 25, content, 0)  # noqa: PLR2004  # functions
            for number, content in messages(model)
            if number in (7, 25)
        ]
        while waiting:
            is_function, graph, depth = waiting.pop()
            if depth > DEEPEST:
                raise ValueError("nested too deeply")
            for number, content in messages(graph):
                if number == (7 if is_function else 1):
                    waiting += [(False, each, depth + 1) for each in self._read_node(content)]
                elif number == 5 and not is_function and len(content) <= LONGEST_SCALAR:  # noqa: PLR2004  # initializer
                    self._read_constant(content)

    def nms_thresholds(self) -> Iterator[float]:
        """Yield the thresholds of the NMS nodes."""
        for node in self._nodes:
            if node.kind in NMS and node.score is not None:
                yield node.score
            elif node.kind == NMS[0] and len(node.inputs) > SCORE_INPUT:
                number = self._resolve(node.inputs[SCORE_INPUT])
                if number is not None:
                    yield number

    def compared(self) -> Iterator[float]:
        """Yield the constants with which the graph compares."""
        for node in self._nodes:
            for name in node.inputs if node.kind in COMPARISONS else ():
                number = self._resolve(name)
                if number is not None:
                    yield number

    def _resolve(self, name: str) -> float | None:
        """Return the constant that this value has; None if it is not one."""
        for _ in range(LONGEST_CHAIN):
            if name in self._numbers:
                return self._numbers[name]
            node = self._made_by.get(name)
            if node is None or node.kind not in UNCHANGED or not node.inputs:
                return None
            name = node.inputs[0]
        return None

    def _read_node(self, message: memoryview) -> list[memoryview]:
        """Read a NodeProto; return its subgraphs."""
        inside: dict[int, list[memoryview]] = {}
        for number, content in messages(message):
            inside.setdefault(number, []).append(content)
        outputs = [_text(each) for each in inside.get(2, [])]
        attributes = inside.get(5, [])
        node = _Node(
            "".join(_text(each) for each in inside.get(4, [])),
            [_text(each) for each in inside.get(1, [])],
        )
        for attribute in attributes if node.kind in ("Constant", *NMS) else ():
            self._read_attribute(node, attribute, outputs)
        self._nodes.append(node)
        self._made_by.update(dict.fromkeys(outputs, node))
        return [
            value for each in attributes for number, value in messages(each) if number in (6, 11)
        ]

    def _read_attribute(self, node: _Node, message: memoryview, outputs: list[str]) -> None:
        """Read an AttributeProto of a constant or of NMS."""
        if len(message) > LONGEST_SCALAR:
            return
        found = {number: content for number, _, content in fields(message)}
        name = _text(found.get(1, memoryview(b"")))
        if name == "score_threshold" and 2 in found:  # noqa: PLR2004  # f
            node.score = struct.unpack("<f", found[2])[0]
        elif name == "value_float" and 2 in found and outputs:  # noqa: PLR2004  # f
            self._numbers[outputs[0]] = struct.unpack("<f", found[2])[0]
        elif name == "value" and 5 in found and outputs:  # noqa: PLR2004  # t
            self._read_constant(found[5], outputs[0])

    def _read_constant(self, tensor: memoryview, name: str | None = None) -> None:
        """Note a TensorProto of one floating-point number."""
        found = {number: content for number, _, content in fields(tensor)}
        kind = varint(found[2], 0)[0] if 2 in found else 0  # noqa: PLR2004  # data_type
        layout = _NUMBERS.get(kind)
        content = found.get(9) or found.get(4) or found.get(10)
        if layout is None or content is None or len(content) != struct.calcsize(layout):
            return
        key = _text(found.get(8, memoryview(b""))) if name is None else name
        self._numbers[key] = struct.unpack(layout, content)[0]


def _text(content: memoryview) -> str:
    return bytes(content).decode("utf-8", "replace")
