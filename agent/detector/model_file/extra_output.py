"""Gives a graph one more output, by appending a few bytes to its file.

Messages of protocol buffers that stand one after the other are merged: lists are joined. So the
bytes of a ModelProto, followed by a ModelProto whose graph has nothing but one output, are the same
model with one more output. onnxruntime finds its type and shape.

Fields written: ModelProto.graph (7), GraphProto.output (12), ValueInfoProto.name (1). Source:
protobuf.dev/programming-guides/encoding, "Last One Wins"; onnx/onnx.proto.
"""

import mmap
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.detector.model_file.feature_tensor import FeatureTensor, choose_feature_tensor

CPU = "CPUExecutionProvider"
MOST_BYTES = 512_000_000
"""Of a model's file. While it is loaded, its bytes are in memory once more."""

COPIED_AT_ONCE = 1 << 20  # bytes

_GRAPH, _OUTPUT, _NAME = 7, 12, 1
_BYTES = 2  # wire type


def feature_tensor_of(
    path: Path, providers: Sequence[str], weight_files: Collection[Path]
) -> FeatureTensor:
    """Choose the tensor that features are made from; none is chosen where it would cost something.

    On other providers than the CPU the graph stays as it is: they compile it as a whole, and an
    output in its middle takes them apart.

    Args:
        path: The model's file.
        providers: The full names of the execution providers that it will run on.
        weight_files: Other files with its weights: onnxruntime finds them only beside the file.
    """
    if list(providers) != [CPU]:
        return FeatureTensor(reason="only on the CPU")
    if weight_files:
        return FeatureTensor(reason="its weights are in other files")
    try:
        with path.open("rb") as file:
            # Not closed here: closing a map fails while a view of it exists.
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        return FeatureTensor(reason=f"its file cannot be read: {error}")
    if len(data) > MOST_BYTES:
        return FeatureTensor(reason=f"its file has more than {MOST_BYTES // 10**6} MB")
    return choose_feature_tensor(memoryview(data))


@contextmanager
def extended(path: Path, name: str) -> Iterator[Path]:
    """Copy a model that also returns the tensor `name` into memory, and give the copy's path.

    A file in memory, not bytes: onnxruntime's session would keep the bytes as long as it lives.
    Raises `OSError`.
    """
    with path.open("rb") as file, os.fdopen(os.memfd_create("model"), "w+b") as copy:
        shutil.copyfileobj(file, copy, COPIED_AT_ONCE)
        copy.write(one_more_output(name))
        copy.flush()
        yield Path(f"/proc/self/fd/{copy.fileno()}")


def one_more_output(name: str) -> bytes:
    """Return the bytes that make a tensor `name`, which a node of a graph makes, an output."""
    return _field(_GRAPH, _field(_OUTPUT, _field(_NAME, name.encode())))


def _field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field."""
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number >= 0x80:  # noqa: PLR2004  # seven bits in each byte
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
