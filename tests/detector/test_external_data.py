"""Weight files: only in the folder of the model."""

import hashlib
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from agent.detector.detector import load_detector
from agent.detector.model_file.external_data import external_files
from agent.errors import ConfigurationError
from tests.detector.planted_models import METADATA, fixed_model, planted_rows, save_model, value

ROWS = planted_rows([(10, 10, 20, 20)], [[0.9, 0.1, 0.1]])


def split_model(path: Path, location: str = "weights.bin") -> Path:
    """Write a model with its weights in another file."""
    fixed_model(path, ROWS, metadata=METADATA)
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    stored = onnx.load(path, load_external_data=False)
    for entry in stored.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    path.write_bytes(stored.SerializeToString())
    return path


def test_weights_beside_the_model_are_read(tmp_path: Path) -> None:
    path = split_model(tmp_path / "model.onnx")

    prediction = load_detector(path).detect(np.zeros((64, 64, 3), np.uint8))

    assert [each.label for each in prediction.detections] == ["cat"]


@pytest.mark.parametrize(
    "location",
    ["../secret.bin", "/etc/hostname", "sub/../../secret.bin", "link.bin"],
)
def test_weights_outside_of_the_folder_are_refused(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(1_000_000))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")

    with pytest.raises(ConfigurationError, match="outside of its folder"):
        load_detector(split_model(folder / "model.onnx", location))


def test_missing_weight_files_are_named(tmp_path: Path) -> None:
    path = split_model(tmp_path / "model.onnx")
    (tmp_path / "weights.bin").unlink()

    with pytest.raises(ConfigurationError, match=r"'weights\.bin', which does not exist"):
        load_detector(path)


def test_a_checksum_that_does_not_cover_the_weights_is_refused(tmp_path: Path) -> None:
    path = split_model(tmp_path / "model.onnx")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    with pytest.raises(ConfigurationError, match=r"does not cover its weights in weights\.bin"):
        load_detector(path, sha256=digest)


def test_weights_of_subgraphs_are_found(tmp_path: Path) -> None:
    hidden = numpy_helper.from_array(np.zeros(1, np.float32), "hidden")
    hidden.ClearField("raw_data")
    hidden.data_location = onnx.TensorProto.EXTERNAL
    entry = hidden.external_data.add()
    entry.key, entry.value = "location", "../secret.bin"
    branch = helper.make_graph(
        [helper.make_node("Identity", ["hidden"], ["out"])],
        "branch",
        [],
        [value("out", [1])],
        initializer=[hidden],
    )
    path = save_model(
        tmp_path / "model.onnx",
        [helper.make_node("If", ["yes"], ["out0"], then_branch=branch, else_branch=branch)],
        [value("images", [1, 3, 64, 64])],
        [value("out0", [1])],
        constants=[numpy_helper.from_array(np.array(True), "yes")],
    )

    with path.open("rb") as file, pytest.raises(ConfigurationError, match=r"'\.\./secret\.bin'"):
        external_files(path, file)


def test_a_file_that_is_not_a_model_has_no_weight_files(tmp_path: Path) -> None:
    for text in (b"", b"<html>", os.urandom(2000), b"\x3b" * 40):
        path = tmp_path / "model.onnx"
        path.write_bytes(text)
        with path.open("rb") as file:
            assert external_files(path, file) in (None, frozenset())


def test_a_file_that_is_replaced_while_it_is_read_is_refused(tmp_path: Path) -> None:
    from agent.detector.model_file.file import load_verified

    path = fixed_model(tmp_path / "model.onnx", ROWS, metadata=METADATA)

    def replace_it() -> None:
        other = fixed_model(tmp_path / "other.onnx", ROWS)
        other.rename(path)

    with pytest.raises(ConfigurationError, match="replaced while it was being read"):
        load_verified(path, None, replace_it)
