"""Every error of a model file is found when it is opened."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from agent.detector.detector import load_detector
from agent.detector.model_file.bundled import bundled_model
from agent.detector.providers import Hardware
from agent.detector.session import OnnxSession
from agent.errors import ConfigurationError
from tests.detector.planted_models import METADATA, fixed_model, planted_rows, save_model, value

ROWS = planted_rows([(10, 10, 20, 20)], [[0.9, 0.1, 0.1]])


def identity(path: Path, inputs: list[Any], outputs: list[Any]) -> Path:
    """Write a graph that copies its first input to every output."""
    source = inputs[0].name
    nodes = [helper.make_node("Identity", [source], [each.name]) for each in outputs]
    return save_model(path, nodes, inputs, outputs)


def missing(path: Path) -> None:
    """Write no file."""


def folder(path: Path) -> None:
    path.mkdir()


def text_file(path: Path) -> None:
    path.write_text("<html><title>Sign in to the hotel's network</title></html>")


def empty_file(path: Path) -> None:
    path.touch()


def cut_short(path: Path) -> None:
    path.write_bytes(bundled_model().read_bytes()[:1_000_000])


def flipped_bytes(path: Path) -> None:
    data = bytearray(bundled_model().read_bytes())
    data[7_000_000:7_500_000] = bytes(500_000)
    path.write_bytes(data)


def two_inputs(path: Path) -> None:
    image = [1, 3, 64, 64]
    identity(path, [value("images", image), value("sizes", [1, 2])], [value("boxes", image)])


def one_channel_image(path: Path) -> None:
    identity(path, [value("grey", [1, 1, 64, 64])], [value("boxes", [1, 1, 64, 64])])


def table_of_features(path: Path) -> None:
    identity(path, [value("features", [1, 30])], [value("boxes", [1, 30])])


def whole_numbers(path: Path) -> None:
    image = helper.make_tensor_value_info("images", TensorProto.INT32, [1, 3, 64, 64])
    output = helper.make_tensor_value_info("boxes", TensorProto.INT32, [1, 3, 64, 64])
    save_model(path, [helper.make_node("Identity", ["images"], ["boxes"])], [image], [output])


def image_as_output(path: Path) -> None:
    identity(path, [value("images", [1, 3, 64, 64])], [value("mask", [1, 3, 64, 64])])


def many_outputs(path: Path) -> None:
    output = [value(f"head{index}", [1, 3, 64, 64]) for index in range(3)]
    identity(path, [value("images", [1, 3, 64, 64])], output)


def strings_as_output(path: Path) -> None:
    words = helper.make_tensor_value_info("words", TensorProto.STRING, [1])
    save_model(
        path,
        [helper.make_node("Identity", ["word"], ["words"])],
        [value("images", [1, 3, 64, 64])],
        [words],
        constants=[helper.make_tensor("word", TensorProto.STRING, [1], [b"cat"])],
    )


def list_as_output(path: Path) -> None:
    kind = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    listed = helper.make_value_info("boxes", helper.make_sequence_type_proto(kind))
    save_model(
        path,
        [helper.make_node("SequenceConstruct", ["images"], ["boxes"])],
        [value("images", [1, 3, 64, 64])],
        [listed],
    )


def axes_that_only_seem_free(path: Path) -> None:
    """The graph contains a reshape to a size that the session does not try."""
    save_model(
        path,
        [helper.make_node("Reshape", ["images", "square"], ["output0"])],
        [value("images", [1, 3, "height", "width"])],
        [value("output0", [1, 3, 333, 333])],
        constants=[numpy_helper.from_array(np.array([1, 3, 333, 333], np.int64), "square")],
    )


def unknown_operator(path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Clairvoyance", ["images"], ["output0"])],
        "planted",
        [value("images", [1, 3, 64, 64])],
        [value("output0", [1, 3, 64, 64])],
    )
    opset = helper.make_opsetid("", 13)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (missing, "cannot read .* No such file"),
        (folder, "cannot read .* directory"),
        (text_file, "cannot load"),
        (empty_file, "cannot load"),
        (cut_short, "cannot load"),
        (flipped_bytes, "cannot load"),
        (unknown_operator, "cannot load .*Clairvoyance"),
        (two_inputs, r"one input .*images float32 \[1, 3, 64, 64\], sizes float32 \[1, 2\]"),
        (one_channel_image, r"one input .*grey float32 \[1, 1, 64, 64\]"),
        (table_of_features, r"one input .*features float32 \[1, 30\]; outputs boxes"),
        (whole_numbers, r"one input .* of float32, float16 or uint8, .*images int32"),
        (strings_as_output, r"outputs words string \[1\]"),
        (list_as_output, r"outputs boxes seq"),
        (
            axes_that_only_seem_free,
            "cannot run .* at 608x288, .*640x640, .*AGENT_MODEL_INPUT, .*fixed axes",
        ),
        (image_as_output, r"only output is an image.*mask float32 \[1, 3, 64, 64\] at 64x64"),
        (many_outputs, r"AGENT_MODEL_FORMAT.*head0 .*, head1 .*, head2 "),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_file_that_is_not_a_usable_model_is_refused_when_it_is_loaded(
    tmp_path: Path, plant: Any, words: str
) -> None:
    path = tmp_path / "model.onnx"
    plant(path)

    with pytest.raises(ConfigurationError, match=words) as refused:
        load_detector(path)

    message = str(refused.value)
    assert str(path) in message
    assert "AGENT_MODEL" in message
    assert "\n" not in message
    assert len(message) < 1200
    assert refused.value.exit_code == 78


def test_a_wrong_checksum_is_refused_with_both_checksums(tmp_path: Path) -> None:
    path = fixed_model(tmp_path / "model.onnx", ROWS, metadata=METADATA)
    found = hashlib.sha256(path.read_bytes()).hexdigest()

    with pytest.raises(ConfigurationError, match=f"{found}.*AGENT_MODEL_SHA256 is {'0' * 64}"):
        load_detector(path, sha256="0" * 64)


def test_the_expected_checksum_is_accepted_in_either_case(tmp_path: Path) -> None:
    path = fixed_model(tmp_path / "model.onnx", ROWS, metadata=METADATA)
    found = hashlib.sha256(path.read_bytes()).hexdigest()

    assert load_detector(path, sha256=f" {found.upper()}").info.sha256 == found


@pytest.mark.parametrize("providers", [(), ("auto",), ("cpu",), ("CPUExecutionProvider",)])
def test_a_provider_may_be_automatic_or_have_a_short_or_full_name(
    providers: tuple[str, ...],
) -> None:
    session = OnnxSession(bundled_model(), hardware=Hardware(providers))

    assert session.provider == "CPUExecutionProvider"


def test_a_session_uses_the_given_threads_without_spinning() -> None:
    session = OnnxSession(bundled_model(), hardware=Hardware(threads=3))
    options = session._session.get_session_options()

    assert options.intra_op_num_threads == 3
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.get_session_config_entry("session.inter_op.allow_spinning") == "0"


@pytest.mark.parametrize("providers", [("FantasyExecutionProvider",), ("fantasy", "cpu")])
def test_an_unavailable_provider_is_refused_with_the_available_ones(
    providers: tuple[str, ...],
) -> None:
    with pytest.raises(ConfigurationError, match=r"(?i)no fantasy.*has .*CPUExecutionProvider"):
        OnnxSession(bundled_model(), hardware=Hardware(providers))


def test_a_provider_that_does_not_start_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """onnxruntime uses the CPU without an error if the driver of the GPU is missing."""
    monkeypatch.setattr(
        "onnxruntime.get_available_providers",
        lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    monkeypatch.setattr("agent.detector.session.lacks_device", lambda _name: False)
    # If a provider fails to start, onnxruntime logs a warning and continues without it.
    monkeypatch.setattr(
        "agent.detector.session.onnxruntime.InferenceSession", session_that_falls_back
    )

    with pytest.raises(ConfigurationError, match="cannot start CUDAExecutionProvider"):
        OnnxSession(bundled_model(), hardware=Hardware(["cuda"]))


def session_that_falls_back(path: Path, options: Any, *, providers: list[str], **_: Any) -> Any:
    from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession

    assert providers == ["CUDAExecutionProvider"]
    return InferenceSession(path, options, providers=["CPUExecutionProvider"])


def test_a_copy_of_the_bundled_model_keeps_its_labels(tmp_path: Path) -> None:
    copy = tmp_path / bundled_model().name
    shutil.copy(bundled_model(), copy)

    assert load_detector(copy).info.labels[0] == "person"


def test_a_name_that_is_not_utf8_is_refused_without_a_line_of_onnxruntime(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = fixed_model(tmp_path / "model.onnx", ROWS, metadata=METADATA)
    data = path.read_bytes()
    for wrong in (
        data.replace(b"output0", b"outp\xff\xfe0"),
        data.replace(b"ReduceMax", b"Reduce\xff\xfex"),  # it is in onnxruntime's own message
    ):
        path.write_bytes(wrong)
        with pytest.raises(ConfigurationError, match="is not UTF-8 text; export it again"):
            load_detector(path)
    path.write_bytes(data.replace(b"images", b"\x1b[31mi"))
    load_detector(path)

    assert capfd.readouterr() == ("", "")


def test_an_automatic_provider_that_cannot_load_the_model_is_replaced_by_the_cpu(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession

    def session(path: Path, options: Any, *, providers: list[Any], **more: Any) -> Any:
        if providers != ["CPUExecutionProvider"]:
            raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected")
        return InferenceSession(path, options, providers=providers, **more)

    monkeypatch.setattr(
        "onnxruntime.get_available_providers",
        lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    monkeypatch.setattr("agent.detector.session.onnxruntime.InferenceSession", session)

    assert OnnxSession(bundled_model()).provider == "CPUExecutionProvider"
    with pytest.raises(ConfigurationError, match="CUDA failure 100"):
        OnnxSession(bundled_model(), hardware=Hardware(["cuda", "cpu"]))
    assert capfd.readouterr() == ("", "")
