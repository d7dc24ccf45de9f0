"""A file that is no ONNX model is named, with the way to an ONNX model."""

import gzip
import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detector.detector import load_detector
from agent.detector.model_file.bundled import bundled_model
from agent.detector.model_file.kind import other_kind
from agent.errors import ModelUnusable
from tests.detector.planted_models import METADATA, fixed_model, planted_rows


def zipped(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "content")
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("best.onnx"))
    return buffer.getvalue()


def with_header(header: dict[str, object], length: int) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(length, "little") + text + bytes(100)


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n"
OPENVINO = b'<?xml version="1.0"?>\n<net name="model" version="11">'
FILES = {
    "PyTorch": ("best.pt", zipped("archive/data.pkl"), "a PyTorch model.* `yolo export"),
    "TorchScript": ("best.onnx", zipped("best/code/constants.pkl"), "a TorchScript model"),
    "old PyTorch": ("best.pth", pickle.dumps({"model": 1}), "PyTorch .*torch.onnx.export"),
    "scikit-learn": ("m.onnx", pickle.dumps("sklearn.svm"), "scikit-learn .*skl2onnx"),
    "TFLite": ("m.tflite", b"\x1c\0\0\0TFL3" + bytes(50), "TensorFlow Lite .*--tflite m.tflite"),
    "TensorRT": ("m.engine", b"ptrt" + bytes(50), "TensorRT engine.*TensorrtExecutionProvider"),
    "TensorRT by Ultralytics": ("m.engine", with_header({"task": "detect"}, 4), "TensorRT"),
    "OpenVINO": ("m.xml", OPENVINO, "OpenVINO.*AGENT_PROVIDERS=openvino"),
    "OpenVINO's weights": ("m.bin", b"\xfe\xff\x01" * 50, "a file of weights"),
    "Core ML": ("m.mlmodel", b"\x08\x05\x12\x02ab", "a Core ML model"),
    "safetensors": ("m.safetensors", with_header({"a": {}}, 8), "safetensors.*optimum-cli"),
    "Keras": ("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(50), "Keras .*tf2onnx"),
    "Keras 3": ("m.keras", zipped("model.weights.h5"), "a Keras model"),
    "TensorFlow": ("m.pb", b"\x0a\x02ab", "a TensorFlow graph"),
    "Paddle": ("m.pdmodel", b"\xff\xff\xff\xff", "PaddlePaddle .*paddle2onnx"),
    "Darknet": ("m.weights", bytes([0, 0, 0, 0, 2]) + b"\xfe" * 50, "a Darknet model"),
    "ncnn": ("m.param", b"7767517\n75 83\n", "an ncnn model"),
    "onnxruntime": ("m.ort", b"\x18\0\0\0ORTM" + bytes(50), "onnxruntime's own format"),
    "zip": ("m.onnx", zipped("best/model.onnx"), "an archive .zip..*; unpack it"),
    "zip of photos": ("m.onnx", zipped("a.jpg"), "an archive .zip."),
    "gzip": ("m.onnx", gzip.compress(b"model"), "an archive .gzip."),
    "tar": ("m.onnx", tarred(), "an archive .tar."),
    "HTML": ("m.onnx", b"\n<!DOCTYPE html><html><body>404</body></html>", "web page"),
    "JSON": ("m.onnx", b'{"error": "not found"}', "a JSON text.*error message"),
    "Git LFS": ("m.onnx", LFS, "Git LFS pointer.*git lfs pull"),
    "text": ("m.onnx", b"Access denied\x1b[31m\n", r"begins with 'Access denied"),
    "accents": ("m.onnx", "Zugriff verweigert: ä\n".encode(), "'Zugriff verweigert: ä'"),
    "empty": ("m.onnx", b"", "an empty file.*download it again"),
    "zeros": ("m.onnx", bytes(5000), "begins with zeros"),
    "JPEG": ("m.onnx", b"\xff\xd8\xff\xe0" + bytes(50), "a JPEG image"),
    "other": ("m.onnx", b"\xfe\x01\x02\x03" * 50, "not an ONNX model, or it is damaged"),
}


@pytest.mark.parametrize(("name", "data", "words"), FILES.values(), ids=list(FILES))
def test_another_file_is_named_with_the_way_to_onnx(
    tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)

    with pytest.raises(ModelUnusable, match=words) as refused:
        load_detector(path)

    message = str(refused.value)
    assert message.startswith(f"cannot load the model {path}")
    assert "AGENT_MODEL" in message
    assert "\n" not in message
    assert "\x1b" not in message


def a_folder_with(*names: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.mkdir()
        for name in names:
            (path / name).touch()

    return make


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (a_folder_with("saved_model.pb"), "a TensorFlow SavedModel; .*--saved-model"),
        (a_folder_with("model.xml", "model.bin"), "a model of OpenVINO"),
        (a_folder_with("config.json", "model.safetensors"), "optimum-cli"),
        (a_folder_with("config.json", "model.onnx"), "set AGENT_MODEL to the model in it: .*onnx"),
        (a_folder_with(), "it is a directory; set AGENT_MODEL to an ONNX file"),
        (os.mkfifo, "it is a device, pipe or socket"),
    ],
)
def test_what_is_no_file_is_named(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    path = tmp_path / "model"
    make(path)

    with pytest.raises(ModelUnusable, match=f"cannot read the model .*{words}"):
        load_detector(path)


@pytest.mark.parametrize("metadata", [METADATA, METADATA | {"description": "<html><net {"}])
def test_an_onnx_model_is_not_taken_for_another_file(
    tmp_path: Path, metadata: dict[str, str]
) -> None:
    rows = planted_rows([(1, 1, 9, 9)], [[0.9, 0, 0]])
    for path in (bundled_model(), fixed_model(tmp_path / "m.onnx", rows, metadata=metadata)):
        with path.open("rb") as file:
            assert other_kind(path, file) is None


@settings(deadline=None)
@given(
    st.sampled_from([data for _, data, _ in FILES.values()]), st.binary(max_size=50), st.integers(0)
)
def test_any_bytes_get_a_kind_or_none(
    tmp_path_factory: pytest.TempPathFactory, begin: bytes, more: bytes, at: int
) -> None:
    path = tmp_path_factory.mktemp("any") / "m.onnx"
    cut = at % (len(begin) + 1)
    path.write_bytes(begin[:cut] + more + begin[cut:])

    with path.open("rb") as file:
        assert (other_kind(path, file) or "").isprintable()
