"""Weight files: only in the folder of the model."""

import contextlib
import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from agent.detector.detector import load_detector
from agent.detector.model_file.external_data import external_files
from agent.errors import ConfigurationError, ModelUnusable
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


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_a_file_that_is_not_a_model_is_refused_or_has_no_weight_files(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "model.onnx"
    path.write_bytes(data)

    with path.open("rb") as file, contextlib.suppress(ModelUnusable):
        assert external_files(path, file) == frozenset()


def with_key(data: bytes, old: int, new: bytes) -> bytes:
    """Return a model whose `external_data` entries have another encoding of their key.

    The graph is rebuilt with the right lengths: model 7 graph, 5 initializer, 13 entry.
    """

    def rewritten(message: bytes, path: tuple[int, ...]) -> bytes:
        out, position = b"", 0
        while position < len(message):
            begin = position
            key, position = varint(message, position)
            if key & 7 == 0:
                _, position = varint(message, position)
                out += message[begin:position]
                continue
            length, position = varint(message, position)
            content = message[position : position + length]
            position += length
            if path and key >> 3 == path[0]:
                content = rewritten(content, path[1:])
            written = new if path == (old,) and key >> 3 == old else encoded(key)
            out += written + encoded(len(content)) + content
        return out

    return rewritten(data, (7, 5, old))


def varint(data: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[position]
        number |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return number, position


def encoded(number: int, *, length: int = 1) -> bytes:
    """Return a varint of at least `length` bytes."""
    parts = [number >> shift & 0x7F for shift in range(0, max(1, number.bit_length()), 7)]
    parts += [0] * (length - len(parts))
    return bytes([*(part | 0x80 for part in parts[:-1]), parts[-1]])


EXTERNAL = 13 << 3 | 2  # the key of TensorProto.external_data


@pytest.mark.parametrize(
    "key",
    [
        encoded(EXTERNAL, length=2),
        encoded(EXTERNAL, length=5),
        encoded(EXTERNAL | 1 << 32),
        encoded(EXTERNAL | 1 << 34, length=5),
        encoded(EXTERNAL | 1 << 62),
    ],
    ids=["padded to 2", "padded to 5", "33 bits", "35 bits", "63 bits"],
)
def test_a_key_that_hides_the_weights_makes_the_file_unusable(tmp_path: Path, key: bytes) -> None:
    path = split_model(tmp_path / "model.onnx", "../secret.bin")
    path.write_bytes(with_key(path.read_bytes(), 13, key))

    with pytest.raises(ModelUnusable, match="a key in another form"):
        load_detector(path)


def test_the_rewritten_file_is_the_same_with_the_usual_key(tmp_path: Path) -> None:
    data = split_model(tmp_path / "model.onnx").read_bytes()

    assert with_key(data, 13, encoded(EXTERNAL)) == data


def test_weights_in_training_information_are_found(tmp_path: Path) -> None:
    path = split_model(tmp_path / "model.onnx", "../secret.bin")
    model = onnx.load(path, load_external_data=False)
    model.training_info.add().initialization.CopyFrom(model.graph)
    model.graph.ClearField("initializer")
    path.write_bytes(model.SerializeToString())

    with pytest.raises(ModelUnusable, match="outside of its folder"):
        load_detector(path)


def test_a_linked_model_uses_the_weights_beside_the_file_itself(tmp_path: Path) -> None:
    """Those that were checked, not the files beside the link."""
    (tmp_path / "v2").mkdir()
    split_model(tmp_path / "v2" / "model.onnx")
    (tmp_path / "model.onnx").symlink_to("v2/model.onnx")
    (tmp_path / "weights.bin").write_bytes(bytes(1000))

    prediction = load_detector(tmp_path / "model.onnx").detect(np.zeros((64, 64, 3), np.uint8))

    assert [each.label for each in prediction.detections] == ["cat"]


def test_a_file_that_is_replaced_while_it_is_read_is_refused(tmp_path: Path) -> None:
    from agent.detector.model_file.file import load_verified

    path = fixed_model(tmp_path / "model.onnx", ROWS, metadata=METADATA)

    def replace_it(_weight_files: frozenset[Path]) -> None:
        other = fixed_model(tmp_path / "other.onnx", ROWS)
        other.rename(path)

    with pytest.raises(ConfigurationError, match="replaced while it was being read"):
        load_verified(path, None, replace_it)


def test_a_link_within_the_folder_keeps_its_name(tmp_path: Path) -> None:
    path = split_model(tmp_path / "model.onnx", "linked.bin")
    (tmp_path / "linked.bin").symlink_to("weights.bin")

    with path.open("rb") as file:
        assert external_files(path, file) == {tmp_path / "linked.bin"}
