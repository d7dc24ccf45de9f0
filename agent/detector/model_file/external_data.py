"""Finds the weight files of an ONNX model, and refuses those outside of the model's folder.

It must see every field that onnxruntime sees: see `protobuf.py`.

Models of more than 2 GB, and some smaller ones, have their weights in other files; the model
contains the paths. With a path outside of the model's folder, onnxruntime would map any file of
the device into an untrusted graph, so such a path is refused before anything is loaded.

Only these fields are read, in the wire format of protocol buffers: ModelProto.graph
(7), GraphProto.node (1), initializer (5) and sparse_initializer (15), NodeProto.attribute (5),
AttributeProto t (5), g (6), tensors (10), graphs (11) and sparse ones (22, 23),
SparseTensorProto.values (1) and indices (2), TensorProto.external_data (13), ModelProto.functions
(25) with FunctionProto.node (7) and attribute_proto (11), ModelProto.training_info (20) with
TrainingInfoProto.initialization (1) and algorithm (2). Source: onnx/onnx.proto.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from agent.detector.model_file.kind import kind_by_name
from agent.detector.model_file.protobuf import messages
from agent.errors import ModelUnusable
from agent.printable import printable

# Message type -> field number -> the type of that field.
_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
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
DEEPEST = 64  # nested messages; protocol buffers themselves allow 100


def external_files(path: Path, file: BinaryIO) -> frozenset[Path]:
    """Return the weight files of the model, each in its folder or below.

    Raises:
        ModelUnusable: The file is not a model, a path is outside of the model's folder, or the file
            is missing.
    """
    try:
        # Not closed here: closing a map fails while a view of it exists.
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        locations = frozenset(_locations(memoryview(data)))
    except ValueError as error:
        what = kind_by_name(path) or (
            f"it is not an ONNX model, or it is damaged ({error}); copy or export it again"
        )
        raise ModelUnusable(f"cannot load the model {path} (AGENT_MODEL): {what}") from error
    folder = path.resolve().parent
    return frozenset(_beside(path, folder, location) for location in sorted(locations))


def _beside(path: Path, folder: Path, location: str) -> Path:
    fix = "put the files of the model into one folder, or export it in a single file"
    leaves = Path(location).is_absolute() or ".." in Path(location).parts
    try:
        found = (folder / location).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        found = None
    if leaves or (found is not None and not found.is_relative_to(folder)):
        raise ModelUnusable(
            f"cannot use the model {path}: its weights are in '{printable(location)}', outside of "
            f"its folder; {fix}"
        )
    if found is None or not found.is_file():
        raise ModelUnusable(
            f"cannot use the model {path}: its weights are in '{printable(location)}', which does "
            f"not exist; {fix}"
        )
    return folder / location  # a link keeps its name, which the model contains


def _locations(data: memoryview) -> Iterator[str]:
    """Yield the paths in all tensors; raises `ValueError` if the file is not a model."""
    waiting = [("model", data, 0)]
    while waiting:
        kind, message, depth = waiting.pop()
        if kind == "entry":
            entry = {number: bytes(value) for number, value in messages(message)}
            if entry.get(1) == b"location":
                yield entry.get(2, b"").decode()
            continue
        if depth > DEEPEST:
            raise ValueError("nested too deeply")
        inside = _INSIDE[kind]
        waiting += [
            (inside[number], value, depth + 1)
            for number, value in messages(message)
            if number in inside
        ]
