"""Reads the nodes, inputs, outputs and small constants of a model's main graph.

Only these fields are read: ModelProto.graph (7); GraphProto.node (1), initializer (5), input (11)
and output (12); NodeProto.input (1), output (2), op_type (4), attribute (5) and domain (7);
AttributeProto.name (1), i (3), t (5) and ints (8); TensorProto.dims (1), data_type (2),
int64_data (7), name (8) and raw_data (9); ValueInfoProto.name (1) and type (2);
TypeProto.tensor_type (1); TypeProto.Tensor.shape (2); TensorShapeProto.dim (1) with dim_value (1).
Source: onnx/onnx.proto.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from agent.detector.model_file.protobuf import fields, messages, varint

MOST_NODES = 20_000
"""The largest detectors have some 5,000."""

MOST_NUMBERS = 16
"""Of a constant whose values are read: axes, steps and shapes."""

_STANDARD = ("", "ai.onnx", "com.microsoft")
_INT64 = 7  # TensorProto.data_type
_RANK = 4
_UNCHANGED = ("Identity", "Cast", "CastLike", "DequantizeLinear")

Content = dict[int, list[memoryview]]


@dataclass(slots=True)
class Node:
    """One operation of a graph; its attributes are read when they are asked for."""

    kind: str  # with its domain if it is not a standard one
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    _attributes: list[memoryview] = field(default_factory=list)

    def number(self, name: str, default: int) -> int:
        """Return an integer attribute."""
        found = self._attribute(name).get(3)
        return _signed(varint(found[-1], 0)[0]) if found else default

    def numbers(self, name: str) -> tuple[int, ...] | None:
        """Return an attribute that is a list of integers; None without it."""
        found = self._attribute(name).get(8)
        return None if found is None else _integers(found)

    def tensor(self) -> memoryview | None:
        """Return the tensor of a constant."""
        found = self._attribute("value").get(5)
        return found[-1] if found else None

    def _attribute(self, name: str) -> Content:
        for each in self._attributes:
            content = _content(each)
            if "".join(_text(part) for part in content.get(1, [])) == name:
                return content
        return {}


@dataclass(slots=True)
class Constants:
    """The shapes of a graph's constants, and the values of small ones."""

    _shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _numbers: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Return the shape of a constant; None if there is none of this name."""
        return self._shapes.get(name)

    def numbers(self, name: str) -> tuple[int, ...] | None:
        """Return up to 16 integers; None for anything else."""
        return self._numbers.get(name)

    def visit(self, node: Node) -> None:
        """Take a node that does not depend on the image."""
        if node.kind == "Constant" and node.outputs:
            tensor = node.tensor()
            if tensor is not None:
                self.add(tensor, node.outputs[0])
        elif node.kind in _UNCHANGED and node.inputs and node.outputs:
            for known in (self._shapes, self._numbers):
                if node.inputs[0] in known:
                    known[node.outputs[0]] = known[node.inputs[0]]

    def add(self, tensor: memoryview, name: str | None = None) -> None:
        """Note a TensorProto; its own name is used without another one."""
        content = _content(tensor)
        if name is None:
            name = "".join(_text(part) for part in content.get(8, []))
        shape = self._shapes[name] = _integers(content.get(1, []))
        kind = varint(content[2][-1], 0)[0] if 2 in content else 0  # noqa: PLR2004  # data_type
        if kind != _INT64 or len(shape) > 1 or (shape and not 0 <= shape[0] <= MOST_NUMBERS):
            return
        raw = b"".join(content.get(9, []))
        if len(raw) == 8 * (shape[0] if shape else 1):
            self._numbers[name] = tuple(np.frombuffer(raw, "<i8").tolist())
        elif not raw:
            self._numbers[name] = _integers(content.get(7, []))


@dataclass(slots=True)
class MainGraph:
    """The main graph of a model: its nodes in the order of the file, without subgraphs."""

    nodes: list[Node] = field(default_factory=list)
    constants: Constants = field(default_factory=Constants)
    inputs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """The shape of each input that is not a constant; 0 for a free axis."""
    outputs: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, model: memoryview) -> "MainGraph":
        """Read a ModelProto; raises `ValueError`."""
        graph = cls()
        initializers = set[str]()
        for number, part in messages(model):
            for inner, content in messages(part) if number == 7 else ():  # noqa: PLR2004  # graph
                if inner == 1:
                    graph.nodes.append(_node(content))
                    if len(graph.nodes) > MOST_NODES:
                        raise ValueError(f"it has more than {MOST_NODES} nodes")
                elif inner == 5:  # noqa: PLR2004  # initializer
                    graph.constants.add(content)
                elif inner in (11, 12):
                    name, shape = _described(content)
                    if inner == 11:  # noqa: PLR2004  # input
                        graph.inputs[name] = shape
                    else:
                        graph.outputs.append(name)
        initializers = {name for name in graph.inputs if graph.constants.shape(name) is not None}
        for name in initializers:  # older files list them as inputs too
            del graph.inputs[name]
        return graph

    def image(self) -> tuple[str, bool] | None:
        """Return the name of the input with the image, and whether its channels come last."""
        for name, shape in self.inputs.items():
            if len(shape) == _RANK:
                return name, shape[1] not in (1, 3) and shape[3] in (1, 3)
        return None


def _node(message: memoryview) -> Node:
    content = _content(message)
    kind, domain = ("".join(_text(part) for part in content.get(n, [])) for n in (4, 7))
    return Node(
        kind if domain in _STANDARD else f"{domain}.{kind}",
        tuple(_text(part) for part in content.get(1, [])),
        tuple(_text(part) for part in content.get(2, [])),
        content.get(5, []),
    )


def _described(message: memoryview) -> tuple[str, tuple[int, ...]]:
    """Return name and shape of a ValueInfoProto."""
    content = _content(message)
    parts = content.get(2, [])
    for number in (1, 2, 1):  # tensor_type, shape, dim
        parts = [inner for part in parts for inner in _content(part).get(number, [])]
    sides = []
    for part in parts:
        found = _content(part).get(1)
        sides.append(_signed(varint(found[-1], 0)[0]) if found else 0)
    return "".join(_text(part) for part in content.get(1, [])), tuple(sides)


def _content(message: memoryview) -> Content:
    """Return the contents of a message's fields by number, in order."""
    found: Content = {}
    for number, _, content in fields(message):
        found.setdefault(number, []).append(content)
    return found


def _integers(parts: list[memoryview]) -> tuple[int, ...]:
    """Return at most 16 integers, which are written one by one or packed."""
    return tuple(number for _, number in zip(range(MOST_NUMBERS), _all(parts), strict=False))


def _all(parts: list[memoryview]) -> Iterator[int]:
    for part in parts:
        position = 0
        while position < len(part):
            number, position = varint(part, position)
            yield _signed(number)


def _signed(number: int) -> int:
    """Return the value of a varint: negative numbers are written as 2**64 less."""
    return number - 2**64 if number >= 2**63 else number


def _text(content: memoryview) -> str:
    return bytes(content).decode("utf-8", "replace")
