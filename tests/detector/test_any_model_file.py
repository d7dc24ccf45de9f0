"""A model file with damaged or hostile bytes is loaded or refused in one clean line."""

import json
import resource
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.detector.detector import load_detector
from agent.detector.model_file.input_spec import InputSpec
from agent.errors import ConfigurationError
from tests.detector.planted_models import METADATA, dynamic_model, fixed_model, planted_rows
from tests.search import examples

MOST_MEMORY = 300_000_000
"""Bytes that one bad file may add to the largest memory of the process."""

EDITS = st.lists(
    st.tuples(st.sampled_from(["set", "delete", "insert"]), st.integers(0), st.binary(max_size=8)),
    min_size=1,
    max_size=5,
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("models")
    rows = planted_rows([(10, 10, 20, 20)], [[0.9, 0.1, 0.1]], cells=84)
    small = METADATA | {"imgsz": "[64, 64]"}
    fixed = fixed_model(folder / "fixed.onnx", rows, size=(64, 64), metadata=small)
    return [fixed.read_bytes(), dynamic_model(folder / "free.onnx", metadata=small).read_bytes()]


def edited(data: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    """Return the file with these edits, most of them near its ends, where the words are."""
    for kind, number, new in edits:
        near = min(len(data), 400)
        offset = number // 2 % (near + 1)
        position = offset if number % 2 else len(data) - offset
        length = 0 if kind == "insert" else max(1, len(new))
        put = b"" if kind == "delete" else new
        data = data[:position] + put + data[position + length :]
    return data


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1), EDITS)
def test_any_file_is_loaded_or_refused_in_one_clean_line(
    models: list[bytes],
    tmp_path_factory: pytest.TempPathFactory,
    which: int,
    edits: list[tuple[str, int, bytes]],
) -> None:
    path = tmp_path_factory.mktemp("any") / "model.onnx"
    path.write_bytes(edited(models[which], edits))
    before = peak_memory()
    message = run(path)

    assert message.isprintable()
    assert len(message) < 3000
    assert peak_memory() - before < MOST_MEMORY


def run(path: Path) -> str:
    """Load the model and analyse one image; return the refusal, or an empty text."""
    try:
        detector = load_detector(path)
    except ConfigurationError as error:
        return str(error)
    prediction = detector.detect(np.zeros((48, 64, 3), np.uint8))
    for label in detector.info.labels:
        label.encode()
    return prediction.failure


def peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


KEYS = (
    *("format", "labels", "input"),
    *("id2label", "0", "1"),
    *("do_normalize", "image_mean", "image_std", "rescale_factor"),
    *("do_center_crop", "size", "crop_size"),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["a\x1b[2J", "ca\ud800t", "bgr scale=1", "std=1e-300", "yolo\nx"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=examples(200), deadline=None)
@given(JSON | st.text(max_size=30))
def test_any_file_beside_the_model_is_used_ignored_or_refused_in_one_clean_line(
    models: list[bytes], tmp_path_factory: pytest.TempPathFactory, content: object
) -> None:
    path = tmp_path_factory.mktemp("beside") / "model.onnx"
    path.write_bytes(models[0])
    for name in ("model.json", "config.json", "preprocessor_config.json"):
        path.with_name(name).write_text(json.dumps(content))

    message = run(path)

    assert message.isprintable()
    assert len(message) < 3000


@settings(deadline=None)
@given(
    st.text(max_size=40) | st.text("rgbscale=meanstdfitpadkeepsize,.x0123456789e- ", max_size=40)
)
def test_any_words_of_the_input_are_read_or_refused_in_one_clean_line(text: str) -> None:
    try:
        words = InputSpec.parse(text)
    except ValueError as error:
        message = str(error)
    else:
        message = str(words)
        assert InputSpec.parse(message) == words

    assert message.isprintable()
