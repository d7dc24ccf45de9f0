"""Gives a graph one more output, by appending a few bytes to its file.

Messages of protocol buffers that stand one after the other are merged: lists are joined. So the
bytes of a ModelProto, followed by a ModelProto whose graph has nothing but one output, are the same
model with one more output. onnxruntime finds its type and shape.

Fields written: ModelProto.graph (7), GraphProto.output (12), ValueInfoProto.name (1). Source:
protobuf.dev/programming-guides/encoding, "Last One Wins"; onnx/onnx.proto.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from agent.detector.model_file.feature_tensor import FeatureTensor, choose_feature_tensor

CPU = "CPUExecutionProvider"
MOST_BYTES = 512_000_000
"""Of a model's file. While it is loaded, its bytes are in memory once more."""

_GRAPH, _OUTPUT, _NAME = 7, 12, 1
_BYTES = 2  # wire type


def with_feature_output(
    path: Path, providers: Sequence[str], weight_files: Collection[Path]
) -> tuple[FeatureTensor, bytes | None]:
    """Choose the tensor that features are made from, and return the model that gives it too.

    On other providers than the CPU the graph stays as it is: they compile it as a whole, and an
    output in its middle takes them apart.

    Args:
        path: The model's file.
        providers: The full names of the execution providers that it will run on.
        weight_files: Other files with its weights: onnxruntime finds them only beside a file.

    Returns:
        The tensor, and the bytes of the model; None if there is no tensor: see its `reason`.
    """
    if list(providers) != [CPU]:
        return FeatureTensor(reason="only on the CPU"), None
    if weight_files:
        return FeatureTensor(reason="its weights are in other files"), None
    try:
        if path.stat().st_size > MOST_BYTES:
            reason = f"its file has more than {MOST_BYTES // 10**6} MB"
            return FeatureTensor(reason=reason), None
        model = path.read_bytes()
    except OSError as error:
        return FeatureTensor(reason=f"its file cannot be read: {error.strerror}"), None
    found = choose_feature_tensor(memoryview(model))
    return found, with_output(model, found.name) if found.name else None


def with_output(model: bytes, name: str) -> bytes:
    """Return a model that also returns the tensor `name`, which a node of its graph makes."""
    described = _field(_NAME, name.encode())
    return model + _field(_GRAPH, _field(_OUTPUT, described))


def _field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field."""
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number >= 0x80:  # noqa: PLR2004  # seven bits in each byte
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
