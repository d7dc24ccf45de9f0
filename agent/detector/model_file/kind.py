"""Tells other files from ONNX models: what a file is, and how to get an ONNX model from it.

Only the first and last `SAMPLE` bytes are read, and nothing is parsed: the file may be hostile.

Source of the signatures: the documentation of each format. Zip archives are told apart by the names
of the files in them, which are not compressed.
"""

import itertools
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from agent.printable import printable

SAMPLE = 65_536
"""Bytes."""

_ULTRALYTICS = "`yolo export model=best.pt format=onnx`"
_TORCH = f"export it with {_ULTRALYTICS} (Ultralytics) or `torch.onnx.export`"
_TENSORFLOW = (
    "convert it with tf2onnx, `python -m tf2onnx.convert --{option} {name} --output model.onnx`"
)
_ORIGINAL = "export the model that it was made from as ONNX"
_AGAIN = "copy or download it again"

_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"version https://git-lfs", "a Git LFS pointer", "fetch the file itself: `git lfs pull`"),
    (4, b"TFL3", "a TensorFlow Lite model", _TENSORFLOW.format(option="tflite", name="{name}")),
    (4, b"ORTM", "a model in onnxruntime's own format", "use the ONNX file that it was made from"),
    (0, b"\x89HDF\r\n", "a Keras model (HDF5)", _TENSORFLOW.format(option="keras", name="{name}")),
    (0, b"GGUF", "a language model (GGUF)", "use a detector or classifier"),
    (0, b"RKNN", "a Rockchip model", _ORIGINAL),
    (0, b"\x01HEF", "a Hailo model", _ORIGINAL),
    (0, b"7767517\n", "an ncnn model", _ORIGINAL),
    (0, b"\x7fELF", "a program or library", "use an ONNX file"),
    (0, b"\x1f\x8b", "an archive (gzip)", "unpack it, and use the ONNX file in it"),
    (257, b"ustar", "an archive (tar)", "unpack it, and use the ONNX file in it"),
    (0, b"7z\xbc\xaf'\x1c", "an archive (7z)", "unpack it, and use the ONNX file in it"),
    (0, b"Rar!\x1a\x07", "an archive (rar)", "unpack it, and use the ONNX file in it"),
    (0, b"\xfd7zXZ", "an archive (xz)", "unpack it, and use the ONNX file in it"),
    (0, b"BZh", "an archive (bzip2)", "unpack it, and use the ONNX file in it"),
    (0, b"(\xb5/\xfd", "an archive (zstd)", "unpack it, and use the ONNX file in it"),
    (0, b"\x93NUMPY", "a NumPy array", "use an ONNX file"),
    (0, b"\xff\xd8\xff", "a JPEG image", "use an ONNX file"),
    (0, b"\x89PNG", "a PNG image", "use an ONNX file"),
    (4, b"ftyp", "a video", "use an ONNX file"),
    (0, b"%PDF", "a PDF document", "use an ONNX file"),
    (0, b"[net]", "a Darknet configuration", _ORIGINAL),
)
_TENSORRT = (
    "a TensorRT engine",
    "use the ONNX file that it was built from, with AGENT_PROVIDERS=TensorrtExecutionProvider",
)
_OPENVINO = (
    "a model of OpenVINO",
    f"{_ORIGINAL}, with AGENT_PROVIDERS=openvino if you want to run it there",
)
_SAVED_MODEL = "`python -m tf2onnx.convert --saved-model {path} --output model.onnx`"
_PADDLE = "`paddle2onnx --model_dir FOLDER --model_filename {name} --save_file model.onnx`"
_COREML = ("a Core ML model", _ORIGINAL)
_SAFETENSORS = (
    "a file of weights (safetensors) without a graph",
    "export it with `optimum-cli export onnx --model FOLDER OUTPUT`, or `torch.onnx.export`",
)
_ZIPS: tuple[tuple[bytes, str, str], ...] = (  # the first that fits, of more specific ones first
    (b"constants.pkl", "a TorchScript model", f"for the PyTorch model behind it: {_TORCH}"),
    (b"data.pkl", "a PyTorch model", _TORCH),
    (b"model.weights.h5", "a Keras model", _TENSORFLOW.format(option="keras", name="{name}")),
    (b"mlpackage", *_COREML),
    (b".onnx", "an archive (zip)", "unpack it, and use the ONNX file in it"),
    (b".npy", "NumPy arrays", "use an ONNX file"),
)
_BY_NAME: dict[str, tuple[str, str]] = {  # formats without a signature
    ".pb": (
        "a TensorFlow graph",
        f"convert the SavedModel: {_SAVED_MODEL.format(path='FOLDER')}",
    ),
    ".pdmodel": ("a PaddlePaddle model", f"convert it with paddle2onnx: {_PADDLE}"),
    ".pdiparams": ("weights of a PaddlePaddle model", "convert the model with paddle2onnx"),
    ".mlmodel": _COREML,
    ".caffemodel": ("a Caffe model", _ORIGINAL),
    ".weights": ("weights of a Darknet model", _ORIGINAL),
    ".engine": _TENSORRT,
    ".plan": _TENSORRT,
    ".trt": _TENSORRT,
    ".pt": ("a PyTorch model", _TORCH),
    ".pth": ("a PyTorch model", _TORCH),
    ".tflite": ("a TensorFlow Lite model", _TENSORFLOW.format(option="tflite", name="{name}")),
    ".mnn": ("an MNN model", _ORIGINAL),
    ".param": ("an ncnn model", _ORIGINAL),
    ".bin": ("a file of weights", "set AGENT_MODEL to the ONNX file itself"),
    ".data": ("a file of weights", "set AGENT_MODEL to the ONNX file itself"),
}
_FOLDERS: tuple[tuple[str, str, str], ...] = (
    ("saved_model.pb", "a TensorFlow SavedModel", f"convert it: {_SAVED_MODEL}"),
    ("Manifest.json", *_COREML),
    (".mlmodel", *_COREML),
    (".xml", *_OPENVINO),
    (".pdmodel", *_BY_NAME[".pdmodel"]),
    (".param", "an ncnn model", _ORIGINAL),
    (".safetensors", *_SAFETENSORS),
    (".tflite", "a folder of TensorFlow Lite models", _ORIGINAL),
)
_LISTED = 1000  # names of a folder that are looked at
_BEGINNING = 40  # characters of a text that a message repeats
_TEXT = re.compile(rb"[\t\n\r\x1b\x20-\x7e\x80-\xff]+")


def reason_against(path: Path, mode: int) -> str | None:
    """Return why a path cannot be a model by its kind; None for a regular file.

    Args:
        path: What AGENT_MODEL names.
        mode: As `os.stat` returns it.
    """
    if stat.S_ISREG(mode):
        return None
    if not stat.S_ISDIR(mode):
        return "it is a device, pipe or socket, not a file; set AGENT_MODEL to an ONNX file"
    names = _names_in(path)
    models = [name for name in names if name.endswith(".onnx")]
    if models:
        file = printable(path / models[0])
        return f"it is a directory; set AGENT_MODEL to the model in it: {file}"
    for end, what, fix in _FOLDERS:
        if any(name.endswith(end) for name in names):
            done = fix.replace("{path}", printable(path)).replace("{name}", printable(end))
            return f"it is a directory with {what}; {done}, and set AGENT_MODEL to the ONNX file"
    return "it is a directory; set AGENT_MODEL to an ONNX file"


def other_kind(path: Path, file: BinaryIO) -> str | None:
    """Return what a file is that certainly is no ONNX model, and the fix; None otherwise."""
    head = file.read(SAMPLE)
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - SAMPLE))
    found = _by_content(head, head + file.read(SAMPLE), size)
    return None if found is None else _sentence(path, *found)


def kind_by_name(path: Path) -> str | None:
    """Return what a file with this name is, if it cannot be read as ONNX; None if unknown."""
    found = _BY_NAME.get(path.suffix.lower())
    return None if found is None else _sentence(path, *found)


def _sentence(path: Path, what: str, fix: str) -> str:
    fix = fix.replace("{name}", printable(path.name))
    return f"it is {what}, not an ONNX model; {fix}"


def _names_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in itertools.islice(entries, _LISTED))
    except OSError:
        return []


def _by_content(head: bytes, both_ends: bytes, size: int) -> tuple[str, str] | None:
    """Return what a file is, and the fix."""
    if not head.strip(b"\0"):
        return ("an empty file" if not head else "a file that begins with zeros"), _AGAIN
    for start, signature, what, fix in _SIGNATURES:
        if head[start : start + len(signature)] == signature:
            return what, fix
    checks: tuple[Callable[[], tuple[str, str] | None], ...] = (
        lambda: _zip(both_ends) if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) else None,
        lambda: _pickle(head),
        lambda: _with_length(head, size),
        lambda: _text(head),
    )
    return next((found for check in checks if (found := check()) is not None), None)


def _zip(both_ends: bytes) -> tuple[str, str]:
    for name, what, fix in _ZIPS:
        if name in both_ends:
            return what, fix
    return "an archive (zip)", "unpack it, and use the ONNX file in it"


def _pickle(head: bytes) -> tuple[str, str] | None:
    # Protocol 2 to 5. In ONNX a first byte of 0x80 would be a field number of at least 16.
    if head[:1] != b"\x80" or head[1:2] not in (b"\2", b"\3", b"\4", b"\5"):
        return None
    if b"sklearn" in head:
        return "a scikit-learn model", "convert it with skl2onnx"
    return "a PyTorch model or another pickle", _TORCH


def _with_length(head: bytes, size: int) -> tuple[str, str] | None:
    """Return the kind of a file that begins with the length of a JSON header."""
    if head[8:10] in (b'{"', b"{}") and 0 < int.from_bytes(head[:8], "little") <= size:
        return _SAFETENSORS
    if head[4:6] == b'{"' and 0 < int.from_bytes(head[:4], "little") <= size:
        return _TENSORRT  # Ultralytics puts its metadata before the engine
    return _TENSORRT if head[:4] in (b"ptrt", b"ftrt") else None


def _text(head: bytes) -> tuple[str, str] | None:
    """Return the kind of a text; None for binary data."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    lower = start[:4096].lower()
    if lower.startswith((b"<!doctype html", b"<html", b"<head")) or (
        lower.startswith(b"<") and b"<html" in lower
    ):
        return "a web page (HTML)", "download the file itself; the page may be a login or an error"
    if lower.startswith((b"<?xml", b"<net")):
        return _OPENVINO if b"<net" in lower else ("an XML document", _AGAIN)
    if not _TEXT.fullmatch(head):
        return None
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if len(head) < SAMPLE or error.start < len(start) - 4:  # not a character that is cut
            return None
        text = start[: error.start].decode()
    if text.startswith("{"):
        return "a JSON text", f"{_AGAIN}; it may be an error message of a server"
    return f"a text that begins with '{printable(text[:_BEGINNING].strip())}'", _AGAIN
