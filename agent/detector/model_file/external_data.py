"""Finds the files beside an ONNX file that hold its weights, and refuses those elsewhere.

A model of more than 2 GB, and many a smaller one, keeps its weights in other files, whose paths
stand in the model. A path that leaves the model's folder would have onnxruntime map any file of
the device into a graph of a stranger's making, so it is refused before anything is loaded.

Only what is needed of the file is read, in the wire format of protocol buffers: ModelProto.graph
(7), GraphProto.node (1), initializer (5) and sparse_initializer (15), NodeProto.attribute (5),
AttributeProto t (5), g (6), tensors (10), graphs (11) and sparse ones (22, 23),
SparseTensorProto.values (1) and indices (2), TensorProto.external_data (13), ModelProto.functions
(25) with FunctionProto.node (7) and attribute_proto (11). Source: onnx/onnx.proto and
protobuf.dev/programming-guides/encoding.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from agent.errors import ModelUnusable

# Message type -> field number -> the type of that field.
_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse",
        23: "sparse",
    },
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
DEEPEST = 64  # graphs in graphs; protocol buffers themselves allow a hundred messages

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def external_files(path: Path, file: BinaryIO) -> frozenset[Path] | None:
    """Return the files that hold weights of the model, each beside it or in folders below.

    None if the file cannot be read as a model: a caller that can load it must not trust it.

    Raises:
        ModelUnusable: A path leaves the model's folder, or there is no such file.
    """
    try:
        # Never closed by hand: a map cannot be, while a piece of it is still held somewhere.
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        locations = frozenset(_locations(memoryview(data)))
    except ValueError:
        return None
    folder = path.resolve().parent
    return frozenset(_beside(path, folder, location) for location in sorted(locations))


def _beside(path: Path, folder: Path, location: str) -> Path:
    mend = "put the files of the model into one folder, or export it in a single file"
    leaves = Path(location).is_absolute() or ".." in Path(location).parts
    try:
        found = (folder / location).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        found = None
    if leaves or (found is not None and not found.is_relative_to(folder)):
        raise ModelUnusable(
            f"cannot use the model {path}: it takes weights from {location!r}, outside of its "
            f"folder; {mend}"
        )
    if found is None or not found.is_file():
        raise ModelUnusable(
            f"cannot use the model {path}: its weights are in {location!r}, which is not beside "
            f"it; {mend}"
        )
    return found


def _locations(data: memoryview) -> Iterator[str]:
    """Walk the messages that may hold a tensor; raises `ValueError` where the file is none."""
    waiting = [("model", data, 0)]
    while waiting:
        kind, message, depth = waiting.pop()
        if kind == "entry":
            entry = {number: bytes(value) for number, value in _fields(message)}
            if entry.get(1) == b"location":
                yield entry.get(2, b"").decode()
            continue
        if depth > DEEPEST:
            raise ValueError("nested too deeply")
        inside = _INSIDE[kind]
        waiting += [
            (inside[number], value, depth + 1)
            for number, value in _fields(message)
            if number in inside
        ]


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield number and content of each field that has a length."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        kind = key & 7
        if kind == _VARINT:
            _, position = _varint(message, position)
        elif kind == _FIXED64:
            position += 8
        elif kind == _FIXED32:
            position += 4
        elif kind == _BYTES:
            length, position = _varint(message, position)
            if position + length > len(message):
                raise ValueError("cut short")
            yield key >> 3, message[position : position + length]
            position += length
        else:
            raise ValueError("no such kind of field")


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return a number of up to ten bytes and the position after it."""
    number = 0
    for index in range(10):
        if position + index >= len(message):
            raise ValueError("cut short")
        byte = message[position + index]
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004  # the last one has no flag
            return number, position + index + 1
    raise ValueError("a number without an end")
